// GradTape implements DP-SGD in one backward pass. The dp_* layers record on a tape what the
// ordinary backward pass already holds for each trainable parameter (its input and its output's
// gradient). From that follow the norm of every example's gradient (ghost norms) and the clipped
// sum (book-keeping), without a per-example gradient of a large matrix. docs/training.md. Use from
// one thread.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include <ATen/core/Tensor.h>

namespace sotto::learning {

/// A model's parameter: a leaf that requires a gradient, and the tensor in which its gradient is
/// summed.
struct Parameter {
  std::string name;
  at::Tensor value;
  at::Tensor gradient;  // of the same shape; also `value.grad()`
  bool shared = false;  // it may be used in more than one place
};

/// Squared L2 norms of each example's gradient of each parameter, double [P,B].
struct SquaredNorms {
  at::Tensor estimate;  // as computed; its error is relative to the terms of the sum, not to the
                        // sum
  /// At least the true squared norm, and at least kLeastShare^2 times the square of the reach,
  /// which is the sum of the norms of the terms of the gradient. Not finite if the gradient may not
  /// be finite.
  at::Tensor bound;
};

/// The least norm that the tape assumes for a gradient, in units of the gradient's reach. Terms
/// that are this much larger than their sum would leave their own rounding errors in the clipped
/// sum.
inline constexpr double kLeastShare = 1.0 / 64;

/// Records during the backward pass of the sum of per-example losses, for B examples and T
/// positions. Products in bfloat16 may be recorded: norms and sums are those of these exact
/// numbers, in float32.
class GradTape {
 public:
  enum class Passes {
    kOne,  // what the backward pass records is kept until the factors are known
    /// The first pass computes the norms and keeps nothing else (except for shared parameters); a
    /// second pass computes the sum, equal to the bit. For models whose layers are recomputed.
    kTwo
  };

  explicit GradTape(Passes passes = Passes::kOne) : passes_(passes) {}

  [[nodiscard]] Passes passes() const { return passes_; }

  /// Runs the backward pass of the sum of per-example losses.
  void backward(const at::Tensor& loss);

  /// y = x w^T: `input` [B,T,in] or [B,in], `output_gradient` [B,T,out] or [B,out].
  void linear(const Parameter& weight, const at::Tensor& input, const at::Tensor& output_gradient);
  /// y = w[ids]: `ids` int64 [B,T], `output_gradient` [B,T,width].
  void lookup(const Parameter& weight, const at::Tensor& ids, const at::Tensor& output_gradient);
  /// The gradient itself, for small parameters: `gradients` [B, size of the parameter].
  void rows(const Parameter& parameter, const at::Tensor& gradients);

  /// Returns the names of those of `trainable` that the backward pass did not reach. If there are
  /// any, training must not continue.
  [[nodiscard]] std::vector<std::string> unused(const std::vector<Parameter>& trainable) const;

  /// Returns the norms for each of `trainable`, all of which the backward pass must have reached.
  /// Cross terms of parameters used more than once are included.
  ///
  /// The squared norm of a linear layer's gradient is a sum over pairs of positions, computed in
  /// float32 with rounding unit u = 2^-24. Its error is at most k S^2, where S is the sum over the
  /// positions t of |a_t||b_t| (input and output gradient), and k = u (gram_additions(in) +
  /// gram_additions(out) + kDotAdditions), about 2e-5. This bound holds in whatever order the BLAS
  /// adds up. Where the positions cancel, the sum is small against S, and the estimate consists of
  /// this error only. The bound is max(estimate, 0) + (sqrt(k) S + what underflow hides)^2. A
  /// parameter that is used more than once has the sum of the terms of its uses. Lookups have the
  /// same form with the norms of the rows of equal ids. For gradients that are computed whole, only
  /// the sum of squares is rounded.
  SquaredNorms squared_norms(const std::vector<Parameter>& trainable);

  /// Computes gradient += sum over examples of factors[p,i] * g_i for each of `trainable`, and
  /// discards what was recorded. `factors` is [P,B]. An example with a factor of zero contributes
  /// nothing at all, also if what was recorded of it is not finite. Runs the second backward pass
  /// if there are two. After an exception the gradient may hold a part of the sum.
  void accumulate(const std::vector<Parameter>& trainable, const at::Tensor& factors);

 private:
  struct Use {
    enum class Kind { kLinear, kLookup, kRows } kind;
    at::Tensor a;  // linear: input [B,T,in]; lookup: ids [B,T]; rows: undefined
    at::Tensor b;  // output gradient [B,T,out]; rows: [B, count]
  };

  using Uses = std::vector<Use>;

  /// The norm of one use, or of all uses of a parameter; double [B].
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
  std::unordered_map<const Parameter*, Norm> norms_;          // with two passes: norms of uses that
                                                              // were not kept
  std::unordered_map<const Parameter*, at::Tensor> factors_;  // during the second pass [B]
  at::Tensor left_out_;  // bool [B] while sums are computed: examples that contribute nothing
  at::Tensor loss_;      // between two passes
};

}  // namespace sotto::learning
