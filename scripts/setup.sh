#!/usr/bin/env bash
# Installs what Sotto needs to build and run on Debian 12, through apt. Safe to run again: it does
# nothing when everything is there. Without root it prints the one line an administrator must run.
#
# Usage: scripts/setup.sh [--test] [--browser] [--lint] [--fuzz] [--list] [--quiet]
#   --test      adds what only the tests need (GoogleTest, iproute2 for network namespaces, valgrind for the constant-time test, openssl to
#               make a certificate, ZeroMQ and cryptography for Python for a participant that is not Sotto's)
#   --browser   adds what the browser tests need (Chromium and its driver, Selenium; 170 MB)
#   --lint      adds what scripts/check.sh lint needs (clang-tidy, clang-format, shellcheck)
#   --fuzz      adds what scripts/fuzz.sh needs (Clang 14 with its sanitizers)
#   --list      prints the packages, one a line, and installs nothing
#   --quiet     says nothing when there is nothing to do
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

packages=(
  # tools
  g++ cmake ninja-build ccache mold pkg-config git python3
  # learning: OpenBLAS is what makes a training step on a CPU 20 times faster than the reference BLAS
  libtorch-dev libopenblas0-pthread libicu-dev
  # network and cryptography
  libzmq3-dev libboost1.81-dev libsodium-dev libssl-dev
  # masking of personal data: regular expressions in linear time
  libre2-dev
  # privacy accounting: the Fourier transform of privacy losses
  libkissfft-dev
  # records, configuration, command lines, logs, charts of the report
  libsqlite3-dev nlohmann-json3-dev libcli11-dev libfmt-dev libjs-chart.js
)
test_packages=(libgtest-dev iproute2 valgrind openssl python3-zmq python3-nacl python3-cryptography)
browser_packages=(chromium chromium-driver python3-selenium)
lint_packages=(clang-tidy clang-format shellcheck)
fuzz_packages=(clang-14 libclang-rt-14-dev)

list=no quiet=no
while [[ $# -gt 0 ]]; do
  case $1 in
    --test) packages+=("${test_packages[@]}") ;;
    --browser) packages+=("${browser_packages[@]}") ;;
    --lint) packages+=("${lint_packages[@]}") ;;
    --fuzz) packages+=("${fuzz_packages[@]}") ;;
    --list) list=yes ;;
    --quiet) quiet=yes ;;
    -h | --help) usage "$0" && exit 0 ;;
    *) die "unknown option $1 (see --help)" ;;
  esac
  shift
done

command -v apt-get >/dev/null ||
  die "this system has no apt; the Debian 12 packages to find equivalents of are: ${packages[*]}"
# The fast AES back end is x86-64 only; elsewhere OpenSSL makes the same bytes.
[[ $(dpkg --print-architecture) != amd64 ]] || packages+=(libipsec-mb-dev)

if [[ $list == yes ]]; then
  printf '%s\n' "${packages[@]}"
  exit 0
fi

missing_packages() {
  local installed package
  installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null |
    sed -n 's/ installed$//p' || true)
  for package in "${packages[@]}"; do
    grep -qxF -- "$package" <<<"$installed" || printf '%s\n' "$package"
  done
}

install_packages() {
  say "installing ${#missing[@]} packages with apt, a few minutes at most: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  local apt=(apt-get -qq -o Dpkg::Use-Pty=0 -o Acquire::Retries=3)
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  if ! { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "${missing[@]}"; } \
    </dev/null >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    die "apt could not install the packages (its last lines are above)"
  fi
}

# Debian's libtorch calls whatever libblas.so.3 points to. Returns 1 where that is not OpenBLAS.
blas_is_openblas() {
  local library
  for library in /usr/lib/*-linux-gnu*/libblas.so.3; do
    [[ -e $library ]] || continue
    [[ $(readlink -f "$library") == */openblas-pthread/* ]] || return 1
  done
}

choose_openblas() {
  local directory triplet name
  for directory in /usr/lib/*/openblas-pthread; do
    triplet=$(basename "$(dirname "$directory")")
    for name in libblas.so.3 liblapack.so.3; do
      [[ ! -e $directory/$name ]] ||
        update-alternatives --set "$name-$triplet" "$directory/$name" >&2
    done
  done
}

mapfile -t missing < <(missing_packages)
if [[ ${#missing[@]} -gt 0 ]]; then
  if [[ $EUID -ne 0 ]]; then
    warn "${#missing[@]} packages are missing and installing them needs root. An administrator must run:"
    printf 'sudo apt-get update && sudo apt-get install -y --no-install-recommends %s\n' "${missing[*]}"
    exit 1
  fi
  install_packages
elif [[ $quiet == no ]]; then
  say "all ${#packages[@]} packages are installed"
fi

if ! blas_is_openblas; then
  if [[ $EUID -eq 0 ]]; then
    say "making OpenBLAS (pthread) the BLAS of this system"
    choose_openblas
    blas_is_openblas || warn "libblas.so.3 is still not OpenBLAS: training will be slow"
  else
    warn "libblas.so.3 is not OpenBLAS (pthread), so training will be slow. An administrator should run:"
    for directory in /usr/lib/*/openblas-pthread; do
      triplet=$(basename "$(dirname "$directory")")
      printf 'sudo update-alternatives --set libblas.so.3-%s %s/libblas.so.3\n' "$triplet" "$directory"
    done
  fi
fi
