#!/usr/bin/env bash
# The slower checks: the same tests under sanitizers, and the linters.
#
# Usage: scripts/check.sh [core-only] [clang] [asan] [tsan] [tidy] [lint]
#   core-only   builds and tests the protocol alone, with neither torch nor sockets
#   clang       the same with Clang, each source by itself: also shows an include that is missing
#   asan        core and network under AddressSanitizer and UndefinedBehaviorSanitizer
#   tsan        core and network under ThreadSanitizer
#   tidy        layering, function length and bans (tests/tidy_test.py)
#   lint        clang-tidy on the torch-free code, clang-format and shellcheck
# Without arguments: core-only, asan, tsan and tidy.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

test_under() {
  build_preset "$1"
  (cd "$SOTTO_ROOT" && ctest --preset "$1" -j2 --output-on-failure </dev/null)
}

lint() {
  ensure_packages --test --lint
  cd "$SOTTO_ROOT"
  cmake --preset clang >&2
  local sources headers scripts
  mapfile -t sources < <(git ls-files 'common/*.cc' 'coordinator/*.cc' 'participant/*.cc' 'tests/*.cc')
  mapfile -t headers < <(git ls-files '*.h')
  mapfile -t scripts < <(git ls-files '*.sh' .ci/run)
  shellcheck --external-sources "${scripts[@]}"
  clang-format --dry-run --Werror "${sources[@]}" "${headers[@]}"
  # Only what the torch-free build compiles: Clang cannot read libtorch's headers as C++20.
  local compiled
  mapfile -t compiled < <(python3 - <<'PYTHON'
import json
for entry in json.load(open("build/clang/compile_commands.json")):
    print(entry["file"])
PYTHON
  )
  printf '%s\n' "${compiled[@]}" | xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p build/clang \
    --extra-arg=-Wno-unknown-warning-option
}

[[ ${1:-} != -h && ${1:-} != --help ]] || { usage "$0" && exit 0; }
[[ $# -gt 0 ]] || set -- core-only asan tsan tidy
for check in "$@"; do
  say "check: $check"
  case $check in
    clang) ensure_packages --fuzz && test_under clang ;;
    core-only | asan | tsan) test_under "$check" ;;
    tidy) python3 "$SOTTO_ROOT/tests/tidy_test.py" ;;
    lint) lint ;;
    *) die "unknown check $check (see --help)" ;;
  esac
done
say "all checks passed: $*"
