#!/usr/bin/env bash
# Runs a job with N virtual participants in one process: the same coordinator and participant code over
# an in-memory network, deterministic from its seed.
#
# Usage: scripts/simulate.sh JOB [--participants N] [--seed S] [--out FOLDER] [option of sotto-simulate...]
#   JOB                job.json, for example configs/quickstart/job.json
#   --participants N   default 10
#   --seed S           default 1
#   --out FOLDER       default runs/simulate (an older simulation there is replaced)
# `sotto-simulate --help` lists the rest.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
  '' | -h | --help) usage "$0" && exit 0 ;;
esac
out=$SOTTO_ROOT/runs/simulate arguments=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --out) out=${2:?--out needs a folder} && shift ;;
    *) arguments+=("$1") ;;
  esac
  shift
done

build_preset dev sotto-simulate
if [[ -e $out ]]; then
  [[ -f $out/.simulation ]] || die "$out exists and was not made by this script; choose another --out"
  rm -rf "$out"
fi
mkdir -p "$out"
touch "$out/.simulation"
exec "$(build_dir dev)/participant/sotto-simulate" "${arguments[@]}" --out "$out"
