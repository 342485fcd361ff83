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

  /// Squared L2 norms, double [P,B]: of each example's gradient of each of `trainable`, which the
  /// backward pass reached all; exact within 6e-6 relative, cross terms of parameters used more
  /// than once included.
  at::Tensor squared_norms(const std::vector<Parameter>& trainable);

  /// gradient += sum over examples of factors[p,i] * g_i for each of `trainable`, and forgets what
  /// was recorded. `factors` [P,B]. Runs the second backward pass where there are two.
  void accumulate(const std::vector<Parameter>& trainable, const at::Tensor& factors);

 private:
  struct Use {
    enum class Kind { kLinear, kLookup, kRows } kind;
    at::Tensor a;  // linear: input [B,T,in]; lookup: ids [B,T]; rows: nothing
    at::Tensor b;  // output gradient [B,T,out]; rows: [B, count]
  };

  using Uses = std::vector<Use>;

  void record(const Parameter& parameter, Use use);
  static at::Tensor squared_norm(Uses& uses);
  static at::Tensor own_term(const Use& use);
  static void make_rows_where_small(Use& use);
  static at::Tensor cross_term(const Use& first, const Use& second);
  static void add_scaled(const Use& use, const at::Tensor& factors, at::Tensor gradient);

  Passes passes_;
  std::unordered_map<const Parameter*, Uses> uses_;
  std::unordered_map<const Parameter*, at::Tensor> norms_;    // of two passes: what was not kept
  std::unordered_map<const Parameter*, at::Tensor> factors_;  // during the second pass [B]
  at::Tensor loss_;                                           // between two passes
};

}  // namespace sotto::learning
