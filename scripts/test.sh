#!/usr/bin/env bash
# Sets up, builds and runs all tests; needs nothing but a Debian 12 with this repository (and root
# where packages are missing).
#
# Usage: scripts/test.sh [--preset NAME] [CTEST OPTION...]
#   --preset NAME   dev (default: everything), core-only, asan or tsan
# Further options go to ctest, for example: scripts/test.sh -R Shamir
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

preset=dev
case ${1:-} in
  --preset)
    preset=${2:?--preset needs a name}
    shift 2
    ;;
  -h | --help) usage "$0" && exit 0 ;;
esac

build_preset "$preset"
cd "$SOTTO_ROOT"

# Only the full build compiles every source.
tidy=(tests/tidy_test.py)
[[ $preset != dev ]] || tidy+=(--build "$(build_dir dev)")
tidy_status=0 test_status=0
python3 "${tidy[@]}" || tidy_status=$?
# ctest comes last, so that its summary is the last thing on the screen.
ctest --preset "$preset" -j2 --output-on-failure "$@" </dev/null || test_status=$?
[[ $tidy_status -eq 0 ]] || die "tests/tidy_test.py found errors: see its output above"
exit "$test_status"
