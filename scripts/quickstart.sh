#!/usr/bin/env bash
# From a clone to a result: sets up, builds, and lets four organisations fine-tune a transformer
# together on real data (SNIPS intents) with example-level differential privacy and secure aggregation.
# Each is a process of its own with its own keys, data and ledger; then come three baselines, and a table.
#
# Usage: scripts/quickstart.sh [--out FOLDER] [--no-baselines] [--dashboard ADDRESS:PORT] [--set PATH=VALUE ...]
#   --out FOLDER      where the result goes (default runs/quickstart; an older result there is replaced)
#   --no-baselines    the federation only
#   --dashboard ADDRESS:PORT  show the federation in a browser while it trains, as in 127.0.0.1:7300
#   --set PATH=VALUE  override a key of configs/quickstart/job.json
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

out=$SOTTO_ROOT/runs/quickstart baselines=yes overrides=() dashboard=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --out) out=${2:?--out needs a folder} && shift ;;
    --no-baselines) baselines=no ;;
    --dashboard) dashboard=(--run-option "--dashboard=${2:?--dashboard needs ADDRESS:PORT}") && shift ;;
    --set) overrides+=(--set "${2:?--set needs PATH=VALUE}") && shift ;;
    -h | --help) usage "$0" && exit 0 ;;
    *) die "unknown option $1 (see --help)" ;;
  esac
  shift
done

example=$SOTTO_ROOT/configs/quickstart
build_preset dev sotto-coordinator sotto-participant
bin=$(build_dir dev)
coordinator=$bin/coordinator/sotto-coordinator participant=$bin/participant/sotto-participant

# Only what an earlier quickstart made is removed.
if [[ -e $out ]]; then
  [[ -f $out/.quickstart ]] || die "$out exists and was not made by this script; choose another --out"
  rm -rf "$out"
fi

launch() {  # FOLDER LABEL [--set ...]
  "$SOTTO_ROOT/scripts/launch.sh" --no-build --job "$example/job.json" --shards "$example/data/shards" \
    --participants 4 --out "$1" --label "$2" --no-report "${@:3}" "${overrides[@]}"
}

say "fresh demonstration sites: every run of this script makes new ones; a real site's ledger would refuse a second spending"
launch "$out" demonstration "${dashboard[@]}"
touch "$out/.quickstart"
report=()

train_alone() {  # NAME
  local dir=$out/baselines/alone/$1
  mkdir -p "$dir"
  "$participant" train-alone --dir "$dir" --job "$example/job.json" "${overrides[@]}" --site "$out/sites/$1/site.json" \
    --evaluation "$example/data/test.tsv" --json >"$dir/result.json"
}

if [[ $baselines == yes ]]; then
  say "baseline: the same federation without differential privacy (sites and ledgers of its own)"
  mkdir -p "$out/baselines"
  launch "$out/baselines/non-private" "demonstration baseline" --set differential_privacy.enabled=false
  report+=(--non-private "$out/baselines/non-private")
  say "baseline: each participant alone, same privacy (ledgers of its own)"
  for site in "$out"/sites/*/; do
    train_alone "$(basename "$site")" &
    # Two at a time: a training each has one thread.
    [[ $(jobs -rp | wc -l) -lt 2 ]] || wait -n
  done
  wait
  report+=(--alone "$out"/baselines/alone/*/result.json)
fi

echo
"$coordinator" report "$out" "${report[@]}" --ledger "$out"/ledgers/*.json
echo
say "model, metrics and report are in ${out#"$PWD/"}: open report.html in a browser"
