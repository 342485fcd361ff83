# Shared by the scripts in this folder; sourced, never run. Callers have `set -euo pipefail` on.
# shellcheck shell=bash

SOTTO_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export LC_ALL=C.UTF-8
# ccache takes a source with a precompiled header, as that of torch, for a miss without these.
export CCACHE_SLOPPINESS=${CCACHE_SLOPPINESS:-pch_defines,time_macros}
# A first build misses always: without this, ccache would run the preprocessor besides each compile.
export CCACHE_DEPEND=${CCACHE_DEPEND:-1}

if [[ -t 2 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
  BOLD=$'\e[1m' RED=$'\e[31m' YELLOW=$'\e[33m' RESET=$'\e[0m'
else
  BOLD='' RED='' YELLOW='' RESET=''
fi

# Progress and trouble go to stderr, so that stdout stays for results.
say() { printf '%s==>%s %s\n' "$BOLD" "$RESET" "$*" >&2; }
warn() { printf '%swarning:%s %s\n' "$YELLOW" "$RESET" "$*" >&2; }

die() {
  printf '%serror:%s %s\n' "$RED" "$RESET" "$*" >&2
  exit 1
}

# Prints the comment block at the top of a script: its help text.
usage() {
  sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$1"
}

# build_dir PRESET
build_dir() { printf '%s/build/%s\n' "$SOTTO_ROOT" "$1"; }

# ensure_packages [setup.sh options]: a fast no-op where everything is there.
ensure_packages() {
  if command -v apt-get >/dev/null; then
    "$SOTTO_ROOT/scripts/setup.sh" --quiet "$@"
  else
    warn "no apt-get here: assuming that the packages of scripts/setup.sh are installed in another way"
  fi
}

# build_preset PRESET [TARGET...]: sets up, configures and builds; all targets when none is named.
# SOTTO_JOBS limits the parallel compiles.
build_preset() {
  local preset=$1 options=()
  shift
  [[ $preset == release ]] || options+=(--test)
  ensure_packages "${options[@]}"
  local arguments=()
  [[ -z ${SOTTO_JOBS:-} ]] || arguments+=(-j "$SOTTO_JOBS")
  [[ $# -eq 0 ]] || arguments+=(--target "$@")
  say "building preset $preset in build/$preset"
  # cmake reads the presets of the current folder.
  (cd "$SOTTO_ROOT" && cmake --preset "$preset" >&2 &&
    cmake --build --preset "$preset" "${arguments[@]}" >&2)
}
