#!/usr/bin/env bash
# Fuzzes the protocol and the readers of model and tokenizer files with libFuzzer under ASan and UBSan (needs
# clang-14 and its runtime, which this script installs as root), from the seeds in tests/fuzz/corpus. What it finds goes to
# build/fuzz/corpus/TARGET; an input that breaks something is left as build/fuzz/crash-*.
#
# Usage: scripts/fuzz.sh [TARGET|all] [SECONDS]
#   TARGET    wire     any bytes at the decoder of every message
#             session  the participant under a coordinator that is the input
#             round    the coordinator under participants that are the input
#             safetensors  a model file and the index of its shards
#             tokenizer    the files of a tokenizer and the texts that it cuts
#             all      one after the other (default)
#   SECONDS   for each target (default 180)
# To run one input again: build/fuzz/tests/fuzz/TARGET_fuzz FILE
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[[ ${1:-} != -h && ${1:-} != --help ]] || { usage "$0" && exit 0; }
case ${1:-all} in
  all) targets=(wire session round safetensors tokenizer) ;;
  wire | session | round | safetensors | tokenizer) targets=("$1") ;;
  *) die "unknown target $1 (see --help)" ;;
esac
seconds=${2:-180}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || die "SECONDS is a number, not $seconds (see --help)"

ensure_packages --fuzz
say "building the fuzz targets in build/fuzz"
(cd "$SOTTO_ROOT" && cmake --preset fuzz >&2 &&
  cmake --build --preset fuzz ${SOTTO_JOBS:+-j "$SOTTO_JOBS"} --target "${targets[@]/%/_fuzz}" >&2)
for target in "${targets[@]}"; do
  found=$(build_dir fuzz)/corpus/$target
  mkdir -p "$found"
  say "$target: $seconds s"
  (cd "$(build_dir fuzz)" && "tests/fuzz/${target}_fuzz" -max_total_time="$seconds" \
    -max_len=4096 -timeout=10 -print_final_stats=1 -verbosity=1 "$found" "$SOTTO_ROOT/tests/fuzz/corpus/$target") 2>&1 |
    grep -vE '^#[0-9]+\s+(NEW|REDUCE|RELOAD|pulse)|^\s+NEW_FUNC' >&2
done
say "nothing was found that breaks ${targets[*]}"
