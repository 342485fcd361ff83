// DP-SGD in one backward pass. The dp_* layers write on a tape what the ordinary backward pass
// already holds of each trainable parameter (its input and its output's gradient); from that come
// the norm of every example's gradient (ghost norms) and the clipped sum (book-keeping), with no
// per-example gradient of a large matrix ever made. docs/training.md. One thread.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include <ATen/core/Tensor.h>

namespace sotto::learning {

/// A model's parameter: a leaf that requires a gradient, and where its gradient is summed.
struct Parameter {
  std::string name;
  at::Tensor value;
  at::Tensor gradient;  // the same shape; what `value.grad()` is too
  bool shared = false;  // it may be used in more than one place
};

/// Squared L2 norms of each example's gradient of each parameter, double [P,B].
struct SquaredNorms {
  at::Tensor estimate;  // as computed: its error is relative to what was summed, not to the sum
  /// At least the true squared norm, and at least kLeastShare^2 of the square of the reach: the sum
  /// of the norms of the terms that the gradient is summed from. Not finite where the gradient may
  /// not be finite.
  at::Tensor bound;
};

/// What the tape takes a gradient's norm for at least, in units of the gradient's reach. Terms that
/// are this much larger than their sum would leave their own rounding errors in the clipped sum.
inline constexpr double kLeastShare = 1.0 / 64;

/// B examples, T positions. Records during the backward pass of the sum of per-example losses.
/// Products in bfloat16 may come in: norms and sums are of these very numbers, in float32.
class GradTape {
 public:
  enum class Passes {
    kOne,  // what the backward pass gives is kept until the factors are known
    /// Norms are taken as it goes and nothing else is kept (but of shared parameters); a second one
    /// makes the sum, to the bit the same. For models whose layers are recomputed.
    kTwo
  };

  explicit GradTape(Passes passes = Passes::kOne) : passes_(passes) {}

  [[nodiscard]] Passes passes() const { return passes_; }

  /// The backward pass of the sum of per-example losses.
  void backward(const at::Tensor& loss);

  /// y = x w^T: `input` [B,T,in] or [B,in], `output_gradient` [B,T,out] or [B,out].
  void linear(const Parameter& weight, const at::Tensor& input, const at::Tensor& output_gradient);
  /// y = w[ids]: `ids` int64 [B,T], `output_gradient` [B,T,width].
  void lookup(const Parameter& weight, const at::Tensor& ids, const at::Tensor& output_gradient);
  /// The gradient itself, for small parameters: `gradients` [B, count of the parameter].
  void rows(const Parameter& parameter, const at::Tensor& gradients);

  /// The names of those of `trainable` that the backward pass did not reach: training must not go
  /// on.
  [[nodiscard]] std::vector<std::string> unused(const std::vector<Parameter>& trainable) const;

  /// Of each of `trainable`, which the backward pass reached all; cross terms of parameters used
  /// more than once are included.
  ///
  /// The squared norm of a linear layer's gradient is a sum over pairs of positions, computed in
  /// float32 with rounding unit u = 2^-24. Its error is at most k S^2, where S is the sum over the
  /// positions t of |a_t||b_t| (input and output gradient), and k = u (gram_additions(in) +
  /// gram_additions(out) + kDotAdditions), about 2e-5: a bound in whatever order the BLAS adds up.
  /// Where the positions cancel, the sum is small against S and this error is all that the estimate
  /// holds. The bound is max(estimate, 0) + (sqrt(k) S + what underflow hides)^2, where a parameter
  /// that is used more than once has the sum of the terms of its uses. Lookups have the same form
  /// with the norms of the rows of equal ids; of gradients that are made whole only the sum of
  /// squares is rounded.
  SquaredNorms squared_norms(const std::vector<Parameter>& trainable);

  /// gradient += sum over examples of factors[p,i] * g_i for each of `trainable`, and forgets what
  /// was recorded. `factors` [P,B]. An example that has a factor of zero contributes nothing at
  /// all, whatever was recorded of it, not finite numbers too. Runs the second backward pass where
  /// there are two. After an exception the gradient may hold a part of the sum.
  void accumulate(const std::vector<Parameter>& trainable, const at::Tensor& factors);

 private:
  struct Use {
    enum class Kind { kLinear, kLookup, kRows } kind;
    at::Tensor a;  // linear: input [B,T,in]; lookup: ids [B,T]; rows: nothing
    at::Tensor b;  // output gradient [B,T,out]; rows: [B, count]
  };

  using Uses = std::vector<Use>;

  /// Of one use, or of all uses of a parameter; double [B].
  struct Norm {
    at::Tensor square, reach;
    at::Tensor error;  // its square bounds what rounding adds to the square
  };

  void record(const Parameter& parameter, Use use);
  static Norm norm_of(Uses& uses);
  static Norm own_term(const Use& use);
  static void make_rows_where_small(Use& use);
  static at::Tensor cross_term(const Use& first, const Use& second);
  static void add_scaled(const Use& use, const at::Tensor& factors, at::Tensor gradient);
  [[nodiscard]] Use without_left_out(Use use) const;

  Passes passes_;
  std::unordered_map<const Parameter*, Uses> uses_;
  std::unordered_map<const Parameter*, Norm> norms_;          // of two passes: what was not kept
  std::unordered_map<const Parameter*, at::Tensor> factors_;  // during the second pass [B]
  at::Tensor left_out_;  // bool [B] while sums are made, where an example contributes nothing
  at::Tensor loss_;      // between two passes
};

}  // namespace sotto::learning
