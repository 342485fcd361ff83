#!/usr/bin/env bash
# Builds and runs one suite of benchmarks.
#
# Usage: scripts/bench.sh SUITE [--json] [OPTION...]
#   SUITE    one of the SUITE_bench.cc under tests/bench, for example secagg or training
#   --json   one object a line: suite, case, metric, value, unit, and where they exist floor and
#            baseline from the same run; without it a table for people
# Further options go to the benchmark.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

suites() {
  find "$SOTTO_ROOT/tests/bench" -name '*_bench.cc' -printf '%f\n' | sed 's/_bench\.cc$//' | sort
}

case ${1:-} in
  -h | --help) usage "$0" && exit 0 ;;
  '' | -*) die "name a suite: $(suites | tr '\n' ' ')" ;;
esac
suite=$1
shift
grep -qxF -- "$suite" <<<"$(suites)" ||
  die "no suite $suite; there are: $(suites | tr '\n' ' ')"

build_preset dev "bench_$suite"
program=$(find "$(build_dir dev)" -type f -name "bench_$suite" -perm -u+x -print -quit)
[[ -n $program ]] || die "the build left no bench_$suite"
exec "$program" "$@"
