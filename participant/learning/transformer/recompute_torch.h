// Activation checkpointing (Chen et al. 2016, arXiv 1604.06174): memory for time.
#pragma once

#include <functional>

#include <ATen/core/Tensor.h>

namespace sotto::learning {

/// body(x), of which x alone is kept: the backward pass runs `body` again, and each further
/// backward pass over a retained graph once more. `body` does the same every time to the bit. The
/// gradients of parameters inside it are summed, or recorded on their tape, as without this.
at::Tensor recomputed(const at::Tensor& x, std::function<at::Tensor(const at::Tensor&)> body);

}  // namespace sotto::learning
