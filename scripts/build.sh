#!/usr/bin/env bash
# Sets up, configures and builds.
#
# Usage: scripts/build.sh [--preset NAME] [TARGET...]
#   --preset NAME   dev (default), release, core-only, asan or tsan; the result is in build/NAME
#   TARGET          only these targets, for example sotto-coordinator
# SOTTO_JOBS=N limits the parallel compiles.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

preset=dev targets=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --preset)
      preset=${2:?--preset needs a name}
      shift
      ;;
    -h | --help) usage "$0" && exit 0 ;;
    -*) die "unknown option $1 (see --help)" ;;
    *) targets+=("$1") ;;
  esac
  shift
done

build_preset "$preset" "${targets[@]}"
