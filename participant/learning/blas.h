// The linear algebra library of torch, which changes the speed of training by up to a factor of
// ten.
#pragma once

#include <cstdint>

#include "participant/training/model_provider.h"

namespace sotto::learning {

training::BlasDescription blas_description();

/// Sets the number of threads of torch and of OpenBLAS, for the whole process.
void use_threads(std::uint32_t threads);

}  // namespace sotto::learning
