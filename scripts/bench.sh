#!/usr/bin/env bash
# Builds and runs one suite of benchmarks.
#
# Usage: scripts/bench.sh SUITE [--json] [OPTION...]
#   SUITE    one of the tests/bench/bench_SUITE.cc, for example secagg or training
#   --json   one object a line: suite, case, metric, value, unit, and where they exist floor and
#            baseline from the same run; without it a table for people
# Further options go to the benchmark.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

suites() {
  find "$SOTTO_ROOT/tests/bench" -name 'bench_*.cc' 2>/dev/null | sed 's|.*/bench_||; s|\.cc$||' | sort
}

case ${1:-} in
  -h | --help) usage "$0" && exit 0 ;;
  '' | -*) die "name a suite: $(suites | tr '\n' ' ')" ;;
esac
suite=$1
shift
[[ -f $SOTTO_ROOT/tests/bench/bench_$suite.cc ]] ||
  die "no suite $suite; there are: $(suites | tr '\n' ' ')"

build_preset dev "bench_$suite"
program=$(find "$(build_dir dev)" -type f -name "bench_$suite" -perm -u+x -print -quit)
[[ -n $program ]] || die "the build left no bench_$suite"
exec "$program" "$@"
