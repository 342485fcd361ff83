// For benchmarks that link torch, whose OpenBLAS has selected its kernels before main.
#pragma once

#include <unistd.h>

#include "participant/training/learning_library.h"

namespace sotto::bench {

/// First thing in main: executes the program again with the kernels that sotto-participant runs
/// with. Returns where these are in use already.
inline void restart_with_openblas_kernel(char** argv) {
  if (training::choose_openblas_kernel()) execv("/proc/self/exe", argv);
}

}  // namespace sotto::bench
