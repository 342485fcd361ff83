// Activation checkpointing (Chen et al. 2016, arXiv 1604.06174), which trades time for memory.
#pragma once

#include <functional>

#include <ATen/core/Tensor.h>

namespace sotto::learning {

/// Returns body(x) and keeps only x. The backward pass runs `body` again, and so does each further
/// backward pass over a retained graph. `body` must give the same result every time to the bit. The
/// gradients of parameters inside it are summed, or recorded on their tape, as without this
/// function.
at::Tensor recomputed(const at::Tensor& x, std::function<at::Tensor(const at::Tensor&)> body);

}  // namespace sotto::learning
