#include "participant/learning/transformer/attention_torch.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "participant/learning/transformer/kernels_torch.h"

namespace sotto::learning {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

/// The location of the n x e matrices of one head of one example.
struct Head {
  std::int64_t positions;  // n: the length of the example
  std::int64_t offset;     // of the first element in the [B,T,d] tensors
};

struct HeadPlan {
  std::vector<Head> heads;
  std::int64_t width = 0, per_head = 0, longest = 0;  // d, e, largest n
  float scale = 1;
  bool causal = false;

  /// Returns the number of positions that the one at `row` of `n` attends to.
  [[nodiscard]] std::int64_t seen(std::int64_t row, std::int64_t n) const {
    return causal ? row + 1 : n;
  }
};

/// Returns the plan for tensors of the shape of `like` [B,T,d].
HeadPlan plan_of(const Tensor& like, const std::vector<std::int64_t>& lengths, std::int64_t heads,
                 bool causal) {
  HeadPlan plan;
  const auto positions = like.size(1), width = like.size(2);
  plan.width = width;
  plan.causal = causal;
  plan.per_head = width / heads;
  plan.longest = positions;
  plan.scale = 1 / std::sqrt(static_cast<float>(plan.per_head));
  for (std::size_t i = 0; i < lengths.size(); ++i)
    for (std::int64_t h = 0; lengths[i] > 0 && h < heads; ++h) {
      const auto first = static_cast<std::int64_t>(i) * positions * width + h * plan.per_head;
      plan.heads.push_back({lengths[i], first});
    }
  return plan;
}

/// Runs work(head, scratch) for each head; `scratch` holds `matrices` times n x n floats.
template <class Work>
void for_each_head(const HeadPlan& plan, std::int64_t matrices, Work work) {
  at::parallel_for(0, static_cast<std::int64_t>(plan.heads.size()), 8,
                   [&](std::int64_t begin, std::int64_t end) {
                     const Tensor scratch = at::empty({matrices * plan.longest * plan.longest});
                     for (std::int64_t i = begin; i < end; ++i)
                       work(plan.heads[static_cast<std::size_t>(i)], scratch.data_ptr<float>());
                   });
}

/// Computes the attention weights of a head [n,n] into `weights`: a softmax over the positions that
/// each position attends to.
void weigh(const HeadPlan& plan, const Head& head, const float* query, const float* key,
           float* weights) {
  const auto n = head.positions;
  multiply({Gemm::Form::kABt, n, n, plan.per_head, query + head.offset, plan.width,
            key + head.offset, plan.width, weights, n, plan.scale});
  for (std::int64_t row = 0; row < n; ++row) {
    float* w = weights + row * n;
    const std::int64_t seen = plan.seen(row, n);
    const float largest = *std::max_element(w, w + seen);
    for (std::int64_t j = 0; j < seen; ++j)
      w[j] -= largest;
    std::fill(w + seen, w + n, -std::numeric_limits<float>::infinity());  // exp() makes it 0
  }
  at::from_blob(weights, {n * n}).exp_();
  for (std::int64_t row = 0; row < n; ++row) {
    float* w = weights + row * n;
    const float sum = std::accumulate(w, w + n, 0.0F);
    for (std::int64_t j = 0; j < n; ++j)
      w[j] /= sum;
  }
}

struct Saved {
  const float *query, *key, *value, *gy;
};

struct Gradients {
  float *query, *key, *value;
};

/// Computes the gradients of one head. `w` and `s` are scratch space of n x n floats each.
void head_backward(const HeadPlan& plan, const Head& head, const Saved& in, const Gradients& out,
                   float* w, float* s) {
  const auto n = head.positions, e = plan.per_head, d = plan.width, o = head.offset;
  weigh(plan, head, in.query, in.key, w);
  multiply({Gemm::Form::kAtB, n, e, n, w, n, in.gy + o, d, out.value + o, d});
  multiply({Gemm::Form::kABt, n, n, e, in.gy + o, d, in.value + o, d, s, n});
  for (std::int64_t row = 0; row < n; ++row) {  // softmax: s = w * (s - <w, s>)
    float mean = 0;
    for (std::int64_t j = 0; j < n; ++j)
      mean += w[row * n + j] * s[row * n + j];
    for (std::int64_t j = 0; j < n; ++j)
      s[row * n + j] = w[row * n + j] * (s[row * n + j] - mean);
  }
  multiply({Gemm::Form::kAB, n, e, n, s, n, in.key + o, d, out.query + o, d, plan.scale});
  multiply({Gemm::Form::kAtB, n, e, n, s, n, in.query + o, d, out.key + o, d, plan.scale});
}

/// Attention computed example by example over its own length, so that padding costs nothing. The
/// weights, which grow with the square of the length, are computed again in the backward pass,
/// which takes a few percent of a layer's time.
struct AttentionFunction : Function<AttentionFunction> {
  static Tensor forward(AutogradContext* ctx, const Tensor& query, const Tensor& key,
                        const Tensor& value, const std::vector<std::int64_t>& lengths,
                        std::int64_t heads, bool causal) {
    const HeadPlan plan = plan_of(query, lengths, heads, causal);
    const Tensor out = at::zeros_like(query);
    for_each_head(
        plan, 1,
        [&, q = query.data_ptr<float>(), k = key.data_ptr<float>(), v = value.data_ptr<float>(),
         y = out.data_ptr<float>()](const Head& head, float* weights) {
          const auto n = head.positions, e = plan.per_head, d = plan.width;
          weigh(plan, head, q, k, weights);
          multiply({Gemm::Form::kAB, n, e, n, weights, n, v + head.offset, d, y + head.offset, d});
        });
    ctx->save_for_backward({query, key, value});
    ctx->saved_data["lengths"] = lengths;
    ctx->saved_data["heads"] = heads;
    ctx->saved_data["causal"] = causal;
    return out;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const variable_list saved = ctx->get_saved_variables();
    const Tensor gy = gradients[0].contiguous();
    const HeadPlan plan =
        plan_of(gy, ctx->saved_data["lengths"].toIntVector(), ctx->saved_data["heads"].toInt(),
                ctx->saved_data["causal"].toBool());
    const Tensor query = at::zeros_like(gy), key = at::zeros_like(gy), value = at::zeros_like(gy);
    const Saved in{saved[0].data_ptr<float>(), saved[1].data_ptr<float>(),
                   saved[2].data_ptr<float>(), gy.data_ptr<float>()};
    const Gradients out{query.data_ptr<float>(), key.data_ptr<float>(), value.data_ptr<float>()};
    for_each_head(plan, 2, [&](const Head& head, float* scratch) {
      head_backward(plan, head, in, out, scratch, scratch + head.positions * head.positions);
    });
    return {query, key, value, Tensor(), Tensor(), Tensor()};
  }
};

/// Repeats every key or value head for the query heads that share it: [B,T,k * e] -> [B,T,heads *
/// e].
Tensor shared(const Tensor& x, const AttentionInput& in) {
  if (in.key_value_heads == in.heads) return x;
  const auto batch = x.size(0), positions = x.size(1), sharing = in.heads / in.key_value_heads;
  return x.view({batch, positions, in.key_value_heads, 1, -1})
      .expand({batch, positions, in.key_value_heads, sharing, -1})
      .reshape({batch, positions, -1});
}

}  // namespace

Tensor composed_attention(const AttentionInput& in) {
  const auto batch = in.query.size(0), positions = in.query.size(1), width = in.query.size(2);
  const auto per_head = width / in.heads, seen = in.key.size(1);
  const auto split = [&](const Tensor& x) {
    return x.reshape({batch, x.size(1), in.heads, per_head}).transpose(1, 2);  // [B,H,T,e]
  };
  Tensor hidden = (1 - in.mask).view({batch, 1, 1, seen}) * -1e9;
  if (in.causal)
    hidden =
        hidden + at::ones({positions, seen}, in.mask.options()).triu(1 + seen - positions) * -1e9;
  const Tensor scores = at::matmul(split(in.query), split(shared(in.key, in)).transpose(2, 3)) *
                        (1 / std::sqrt(static_cast<double>(per_head)));
  const Tensor weights = at::softmax(scores + hidden, 3).to(in.value.scalar_type());
  return at::matmul(weights, split(shared(in.value, in)))
      .transpose(1, 2)
      .reshape({batch, positions, width});
}

Tensor attention(const AttentionInput& in) {
  if (!has_direct_kernels(in.query) || in.query.size(1) != in.key.size(1))
    return composed_attention(in);
  return AttentionFunction::apply(in.query.contiguous(), shared(in.key, in).contiguous(),
                                  shared(in.value, in).contiguous(), in.lengths, in.heads,
                                  in.causal);
}

std::pair<Tensor, Tensor> rotary_angles(std::span<const double> frequencies,
                                        PositionRange positions, at::Device device) {
  const auto half = static_cast<std::int64_t>(frequencies.size());
  const Tensor cosine = at::empty({positions.count, half});
  const Tensor sine = at::empty({positions.count, half});
  auto* c = cosine.data_ptr<float>();
  auto* s = sine.data_ptr<float>();
  for (std::int64_t t = positions.first; t < positions.first + positions.count; ++t)
    for (const double frequency : frequencies) {
      const double angle = static_cast<double>(t) * frequency;
      *c++ = static_cast<float>(std::cos(angle));
      *s++ = static_cast<float>(std::sin(angle));
    }
  return {cosine.to(device), sine.to(device)};
}

Tensor rotate(const Tensor& x, const std::pair<Tensor, Tensor>& angles) {
  const auto positions = x.size(1), half = angles.first.size(1);
  const Tensor heads = x.reshape({x.size(0), positions, -1, 2, half});
  const Tensor first = heads.select(3, 0), second = heads.select(3, 1);  // [B,T,H,e/2]
  const Tensor cosine = angles.first.to(x.scalar_type()).unsqueeze(1);
  const Tensor sine = angles.second.to(x.scalar_type()).unsqueeze(1);
  return at::stack({first * cosine - second * sine, second * cosine + first * sine}, 3)
      .view(x.sizes());
}

}  // namespace sotto::learning
