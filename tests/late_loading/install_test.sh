#!/bin/sh
# Installs the build tree into an empty prefix, and runs the installed programs.
#
# Usage: tests/late_loading/install_test.sh CMAKE BUILD SOURCE
set -eu
cmake=$1 build=$2 source=$3
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
"$cmake" --install "$build" --prefix "$prefix" >/dev/null
for program in sotto-coordinator sotto-participant sotto-simulate; do
  "$prefix/bin/$program" --version
done
init() { "$prefix/bin/sotto-participant" model init --job "$source/configs/quickstart/job.json" --out "$prefix/model"; }
init
test -s "$prefix/model/model.safetensors"
# Without the library a command that needs it ends with one line that names the path, and the others still run.
rm -r "$prefix/lib/libsotto-learning.so" "$prefix/model"
if init 2>"$prefix/error"; then
  echo "the programs do not use the installed library" >&2
  exit 1
fi
cat "$prefix/error"
grep -q "^sotto-participant: .*$prefix/lib/libsotto-learning.so" "$prefix/error"
test "$(wc -l <"$prefix/error")" -eq 1
"$prefix/bin/sotto-participant" --help >/dev/null
