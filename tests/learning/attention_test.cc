#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "participant/learning/attention_torch.h"

namespace sotto::learning {
namespace {

using at::Tensor;

struct Outcome {
  Tensor out, query, key, value;  // gradients but for `out`
};

Outcome run(Tensor (*attend)(const AttentionInput&), const std::vector<Tensor>& in,
            const Tensor& mask, const std::vector<std::int64_t>& lengths, const Tensor& weights) {
  std::vector<Tensor> leaves;
  for (const Tensor& t : in)
    leaves.push_back(t.clone().requires_grad_(true));
  const Tensor out = attend({leaves[0], leaves[1], leaves[2], mask, lengths, 4});
  const Tensor seen = out * mask.unsqueeze(2);  // padded positions are unspecified
  (seen * weights).sum().backward();
  return {seen.detach(), leaves[0].grad(), leaves[1].grad(), leaves[2].grad()};
}

TEST(Attention, EqualsTheWrittenOutOneForwardAndBackwardWithPadding) {
  at::manual_seed(3);
  const std::vector<std::int64_t> lengths{5, 9, 1, 7};
  const Tensor mask = at::zeros({4, 9});
  for (std::int64_t i = 0; i < 4; ++i)
    mask[i].slice(0, 0, lengths[static_cast<std::size_t>(i)]).fill_(1);
  std::vector<Tensor> in;
  for (int i = 0; i < 3; ++i)
    in.push_back(at::randn({4, 9, 16}) * 2);
  const Tensor weights = at::randn({4, 9, 16});
  const Outcome direct = run(attention, in, mask, lengths, weights);
  const Outcome oracle = run(composed_attention, in, mask, lengths, weights);
  EXPECT_TRUE(at::allclose(direct.out, oracle.out, 1e-5, 1e-6));
  EXPECT_TRUE(at::allclose(direct.query, oracle.query, 1e-4, 1e-5));
  EXPECT_TRUE(at::allclose(direct.key, oracle.key, 1e-4, 1e-5));
  EXPECT_TRUE(at::allclose(direct.value, oracle.value, 1e-4, 1e-5));
}

TEST(Attention, WhatStandsAtPaddingChangesNothing) {
  at::manual_seed(3);
  const std::vector<std::int64_t> lengths{2};
  const Tensor mask = at::tensor({1.0F, 1.0F, 0.0F}).unsqueeze(0);
  std::vector<Tensor> in;
  for (int i = 0; i < 3; ++i)
    in.push_back(at::randn({1, 3, 16}));
  const Tensor before = attention({in[0], in[1], in[2], mask, lengths, 4}).slice(1, 0, 2).clone();
  for (const Tensor& t : in)
    t.slice(1, 2, 3).fill_(1e3);
  EXPECT_TRUE(at::equal(attention({in[0], in[1], in[2], mask, lengths, 4}).slice(1, 0, 2), before));
}

}  // namespace
}  // namespace sotto::learning
