#!/usr/bin/env bash
# Runs constant_time_check under valgrind: nothing may be reported for the code, something must be for
# each negative control. Exit 77, said aloud, where valgrind is not installed.
#
# Usage: constant_time_test.sh CHECK_PROGRAM
set -euo pipefail

program=$1
here=$(dirname "${BASH_SOURCE[0]}")
if ! command -v valgrind >/dev/null || [[ ! -x $program ]]; then
  echo "SKIPPED: the constant-time test needs valgrind (scripts/setup.sh --test installs it), then a fresh build"
  exit 77
fi
reported=99
check() {
  valgrind --quiet --error-exitcode=$reported --suppressions="$here/public.supp" "$program" "$1"
}

check all
for control in branch index; do
  status=0
  check "$control" 2>/dev/null || status=$?
  if [[ $status -ne $reported ]]; then
    echo "the negative control \"$control\" was not reported (exit $status): this test would find nothing"
    exit 1
  fi
done
echo "both negative controls were reported"
