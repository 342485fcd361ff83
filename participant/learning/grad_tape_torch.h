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
};

/// B examples, T positions. Records during one backward pass of the sum of per-example losses.
class GradTape {
 public:
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
  /// was recorded. `factors` [P,B].
  void accumulate(const std::vector<Parameter>& trainable, const at::Tensor& factors);

 private:
  struct Use {
    enum class Kind { kLinear, kLookup, kRows } kind;
    at::Tensor a;  // linear: input [B,T,in]; lookup: ids [B,T]; rows: nothing
    at::Tensor b;  // output gradient [B,T,out]; rows: [B, count]
  };

  using Uses = std::vector<Use>;

  void record(const Parameter& parameter, Use use);
  static at::Tensor squared_norm(const Parameter& parameter, Uses& uses);
  static at::Tensor own_term(const Parameter& parameter, Use& use, bool only_use);
  static at::Tensor cross_term(const Use& first, const Use& second);
  static void add_scaled(const Use& use, const at::Tensor& factors, at::Tensor gradient);

  std::unordered_map<const Parameter*, Uses> uses_;
};

}  // namespace sotto::learning
