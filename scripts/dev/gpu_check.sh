#!/usr/bin/env bash
# Checks learning on a machine with a GPU in one run: builds core, learning, their tests and the training benchmark
# against the torch that is there, runs the tests of learning on the CPU and on the device, compares the two, measures,
# and writes one JSON file (docs/gpu_check.md). Without a device the parts for it are reported as not run.
#
# Usage: scripts/dev/gpu_check.sh --pack [FOLDER]
#        scripts/dev/gpu_check.sh [--out FILE] [--seconds N] [--torch-root FOLDER] [--packages FOLDER] [--build FOLDER] [--jobs N]
#   --pack        downloads the Debian 12 packages of everything but torch, the compiler, CMake and Python that the build
#                 needs (default: build/gpu-packages), for a machine on which nothing can be installed
#   --out         the JSON file (default: gpu-check.json in the build folder)
#   --seconds     the time for everything (default: 480); what no longer fits is reported as not run
#   --torch-root  the libtorch to use; else SOTTO_TORCH_ROOT, CMAKE_PREFIX_PATH, the torch of python3, the system's
#   --packages    a folder that --pack made (default: build/gpu-packages if it is there); its packages are unpacked in the
#                 build folder and used from there, never installed
#   --build       the build folder (default: build/gpu-check)
#   --jobs        how many processes at once (default: the number of cores, at most one for each 1.5 GB of memory)
# The exit status is 0 if nothing that ran failed.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

case ${1:-} in
  -h | --help) usage "$0" && exit 0 ;;
esac
exec python3 "$SOTTO_ROOT/scripts/dev/gpu_check.py" "$@"
