// Sums the gradient of the examples that one step drew in the model's gradient vector: with
// differential privacy each is clipped and weighted, without it their mean is taken. No example can
// stop a step: one whose loss or gradient is not finite, or that cannot be computed or opened,
// contributes zero, and the others contribute what they would without it. Use from one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "participant/learning/dp_sgd/clipping_torch.h"
#include "participant/learning/transformer/batch_torch.h"
#include "participant/learning/transformer/transformer_torch.h"

namespace sotto::learning {

/// The settings for computing a draw. The referenced objects outlive the computation.
struct DrawPlan {
  const Transformer& model;
  const TaskLearning& task;
  std::span<const std::size_t> lengths;  // of all examples that can be drawn
  std::span<const double> weights;       // of their clipped gradients; empty: all are 1
  std::size_t batch_size = 1;            // most examples that are computed at once
  /// Returns the examples of these indices; an Error if one cannot be opened. May throw.
  std::function<Result<Batch>(std::span<const std::uint64_t>)> read;
  std::function<Pass()> new_pass;  // makes the settings for one batch, without a tape
};

/// Observations of one draw. All of them depend on the site's data and stay at the site.
struct DrawOutcome {
  double loss = 0;                   // sum over the examples that contributed
  std::uint64_t computed = 0;        // examples that contributed
  std::uint64_t not_finite = 0;      // examples whose loss or gradient was not finite
  std::uint64_t failed = 0;          // examples that could not be computed or opened
  std::string parameter{};           // the non-finite parameter nearest to the loss; may be empty
  std::string reason{};              // of the first failure, if any
  std::vector<bool> had_gradient{};  // for each parameter, whether it had a gradient
};

/// Adds the sum of clipped gradients to the model's gradient, which must be zero, and includes the
/// examples in the clipping's count. A batch that fails is computed again example by example. An
/// example contributes at most once, and within its weight times the clipping norm, also if a
/// failure leaves a part of a batch's sum behind: the sum is then computed again.
DrawOutcome add_clipped(const DrawPlan& plan, std::span<const std::uint64_t> draw,
                        Clipping& clipping);

/// Adds the gradients divided by the size of the draw. If anything fails or is not finite, the draw
/// is computed again example by example, and the examples that fail are left out of the sum.
DrawOutcome add_plain(const DrawPlan& plan, std::span<const std::uint64_t> draw);

}  // namespace sotto::learning
