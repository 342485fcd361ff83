#!/usr/bin/env bash
# Sets up, builds and runs tests; needs nothing but a Debian 12 with this repository (and root where packages are
# missing). Without arguments: everything.
#
# Usage: scripts/test.sh [--preset NAME] [WHAT] [OPTION...]
#   --preset NAME   dev (default: everything), core-only, asan or tsan
#   WHAT            a folder of tests/, as in common/secagg: builds and runs its program alone, under core-only where the
#                   folder needs neither torch nor sockets; or a label: fast, slow, process or statistical
# Further options go to ctest, as in -R Federation; those for a folder go to its program. One test of one file:
#   scripts/test.sh common/wire --gtest_filter='BlobAnswer.ABlobInTwoPlacesIsThatBlob'
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

preset='' what=''
case ${1:-} in
  --preset)
    preset=${2:?--preset needs a name}
    shift 2
    ;;
  -h | --help) usage "$0" && exit 0 ;;
esac
case ${1:-} in
  '' | -*) ;;
  *) what=${1%/} && what=${what#tests/} && shift ;;
esac

# run_folder FOLDER [OPTION...]
run_folder() {
  local folder=$1 program=${1//\//_}_tests
  shift
  case $folder in
    common/net | coordinator/dashboard | participant/learning | indistinguishable | late_loading | process) : "${preset:=dev}" ;;
    *) : "${preset:=core-only}" ;;
  esac
  build_preset "$preset" "$program"
  exec "$(build_dir "$preset")/tests/$program" "$@"
}

label=()
case $what in
  '') ;;
  fast | slow | process | statistical) [[ $what == process && $# -gt 0 && $1 == --gtest* ]] || label=(-L "^$what\$") ;;
esac
if [[ -n $what && ${#label[@]} -eq 0 ]]; then
  [[ -d $SOTTO_ROOT/tests/$what ]] || die "$what is neither a folder of tests/ nor a label (see --help)"
  run_folder "$what" "$@"
fi

: "${preset:=dev}"
build_preset "$preset"
cd "$SOTTO_ROOT"

# Only the full build compiles every source.
tidy=(tests/tidy_test.py)
[[ $preset != dev ]] || tidy+=(--build "$(build_dir dev)")
tidy_status=0 test_status=0
python3 "${tidy[@]}" || tidy_status=$?
# ctest comes last, so that its summary is the last thing on the screen.
ctest --preset "$preset" -j2 --output-on-failure "${label[@]}" "$@" </dev/null || test_status=$?
[[ $tidy_status -eq 0 ]] || die "tests/tidy_test.py found errors: see its output above"
exit "$test_status"
