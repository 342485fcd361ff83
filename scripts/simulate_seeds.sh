#!/usr/bin/env bash
# Builds and runs simulated federations, one a seed: the production coordinator and participants under faults of links,
# storage and processes (tests/federation/seeds_test.cc). Prints for every seed that fails the command that repeats it.
#
# Usage: scripts/simulate_seeds.sh [SEEDS [FIRST]]
#   SEEDS   how many (default 10000)
#   FIRST   the first seed (default 0)
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[[ ${1:-} != -h && ${1:-} != --help ]] || { usage "$0" && exit 0; }
seeds=${1:-10000} first=${2:-0}
build_preset core-only federation_tests
program=$(build_dir core-only)/tests/federation_tests
output=$(mktemp)
trap 'rm -f "$output"' EXIT
status=0
SOTTO_SEEDS=$first-$((first + seeds - 1)) "$program" --gtest_filter='Shards/Seeds.*' --gtest_brief=1 >"$output" 2>&1 || status=$?
grep -E '^[0-9]+ runs' "$output" || true
if [[ $status -ne 0 ]]; then
  { grep -oE 'SOTTO_SEED=[0-9]+' "$output" || true; } | sort -u | while read -r seed; do
    printf "FAILED: %s %s --gtest_filter='Shards/Seeds.*/0'\n" "$seed" "$program"
  done
  tail -n 5 "$output"
fi
exit "$status"
