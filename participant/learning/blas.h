// The linear algebra library under torch. It decides the speed of training by a factor of ten and
// picks its kernels when it is loaded, before main.
#pragma once

#include <cstdint>

#include "participant/training/model_provider.h"

namespace sotto::learning {

/// First thing in main of a program that trains. OpenBLAS 0.3.21 takes a Zen 5 for a Haswell: on an
/// x86 processor with AVX-512 and no OPENBLAS_CORETYPE set, sets it and executes the program again,
/// once. Returns when there is nothing to do or that fails.
void prepare_blas_or_reexec(int argc, char** argv);

training::BlasDescription blas_description();

/// Threads of torch and of OpenBLAS, for the whole process.
void use_threads(std::uint32_t threads);

}  // namespace sotto::learning
