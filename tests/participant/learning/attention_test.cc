#include <array>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "participant/learning/transformer/attention_torch.h"
#include "tests/participant/learning/test_device.h"

namespace sotto::learning {
namespace {

using at::Tensor;

constexpr std::int64_t kHeads = 4, kPerHead = 4;

/// Texts of these lengths, padded to the longest.
struct Texts {
  explicit Texts(std::vector<std::int64_t> of) : lengths(std::move(of)) {
    const auto rows = static_cast<std::int64_t>(lengths.size());
    positions = *std::max_element(lengths.begin(), lengths.end());
    mask = at::zeros({rows, positions});
    for (std::int64_t i = 0; i < rows; ++i)
      mask[i].slice(0, 0, lengths[static_cast<std::size_t>(i)]).fill_(1);
    mask = on_device(mask);
  }

  [[nodiscard]] Tensor draw(std::int64_t heads) const {
    return on_device(at::randn({mask.size(0), positions, heads * kPerHead}) * 2);
  }

  std::vector<std::int64_t> lengths;
  std::int64_t positions = 0;
  Tensor mask;
};

struct Kind {
  std::int64_t key_value_heads;
  bool causal;

  friend void PrintTo(const Kind& k, std::ostream* out) {
    *out << k.key_value_heads << " key heads, " << (k.causal ? "causal" : "both ways");
  }
};

class Attention : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override { at::manual_seed(3); }

  /// Query, key and value.
  [[nodiscard]] static std::vector<Tensor> draw(const Texts& texts) {
    return {texts.draw(kHeads), texts.draw(GetParam().key_value_heads),
            texts.draw(GetParam().key_value_heads)};
  }

  [[nodiscard]] static AttentionInput input(const std::vector<Tensor>& in, const Texts& texts) {
    return {in[0],
            in[1],
            in[2],
            texts.mask.to(in[0].device()),
            texts.lengths,
            kHeads,
            GetParam().key_value_heads,
            GetParam().causal};
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, Attention,
                         ::testing::Values(Kind{4, false}, Kind{4, true}, Kind{2, true},
                                           Kind{1, false}));

struct Outcome {
  Tensor out, query, key, value;  // gradients but for `out`
};

TEST_P(Attention, EqualsTheWrittenOutOneForwardAndBackwardWithPadding) {
  const Texts texts({5, 9, 1, 7});
  const std::vector<Tensor> in = draw(texts);
  const Tensor weights = texts.draw(kHeads);
  const auto run = [&](Tensor (*attend)(const AttentionInput&), at::Device device) {
    std::vector<Tensor> leaves;
    for (const Tensor& t : in)
      leaves.push_back(t.to(device).clone().requires_grad_(true));
    const Tensor seen =  // padded positions are unspecified
        attend(input(leaves, texts)) * texts.mask.to(device).unsqueeze(2);
    (seen * weights.to(device)).sum().backward();
    return Outcome{seen.detach().cpu(), leaves[0].grad().cpu(), leaves[1].grad().cpu(),
                   leaves[2].grad().cpu()};
  };
  const Outcome direct = run(attention, test_device()), oracle = run(composed_attention, at::kCPU);
  EXPECT_TRUE(at::allclose(direct.out, oracle.out, 1e-5, 1e-6));
  EXPECT_TRUE(at::allclose(direct.query, oracle.query, 1e-4, 1e-5));
  EXPECT_TRUE(at::allclose(direct.key, oracle.key, 1e-4, 1e-5));
  EXPECT_TRUE(at::allclose(direct.value, oracle.value, 1e-4, 1e-5));
}

TEST_P(Attention, WhatStandsAtPaddingChangesNothing) {
  Texts texts({2, 3});
  std::vector<Tensor> in = draw(texts);
  const auto first = [&] { return attention(input(in, texts))[0].slice(0, 0, 2).clone(); };
  const Tensor before = first();
  for (const Tensor& t : in)
    t[0].slice(0, 2, 3).fill_(1e3);
  EXPECT_TRUE(at::equal(first(), before));
}

TEST_P(Attention, LaterTokensChangeEarlierOnesUnlessItIsCausal) {
  const Texts texts({6});
  for (auto* attend : {attention, composed_attention}) {
    const std::vector<Tensor> in = draw(texts);
    const auto first = [&] { return attend(input(in, texts)).slice(1, 0, 4).clone(); };
    const Tensor before = first();
    for (const Tensor& t : in)
      t.slice(1, 4).fill_(2);
    EXPECT_EQ(at::equal(first(), before), GetParam().causal);
  }
}

TEST(Rotation, KeepsLengthsAndTurnsByTheDistanceAlone) {
  at::manual_seed(3);
  const std::array<double, 2> frequencies{1.0, 0.1};
  const auto angles = rotary_angles(frequencies, {0, 20}, test_device());
  const Tensor q = on_device(at::randn({1, 1, 4})).expand({1, 20, 4}),
               k = on_device(at::randn({1, 1, 4})).expand({1, 20, 4});
  const Tensor rq = rotate(q, angles)[0], rk = rotate(k, angles)[0];
  EXPECT_TRUE(at::allclose(rq.square().sum(1), q[0].square().sum(1)));
  EXPECT_TRUE(at::allclose(rq[0], q[0][0]));
  const Tensor products = at::matmul(rq, rk.t());  // of positions s and t
  EXPECT_TRUE(at::allclose(products.slice(0, 1).slice(1, 1),
                           products.slice(0, 0, 19).slice(1, 0, 19), 1e-4, 1e-5));
  // By hand: the pair (0, 2) of position 3 turns by 3 radians, (1, 3) by 0.3.
  const Tensor x =
      on_device(at::tensor({1.0F, 1.0F, 0.0F, 0.0F})).view({1, 1, 4}).expand({1, 20, 4});
  const Tensor turned = rotate(x, angles)[0][3];
  EXPECT_NEAR(turned[0].item<float>(), std::cos(3.0), 1e-6);
  EXPECT_NEAR(turned[2].item<float>(), std::sin(3.0), 1e-6);
  EXPECT_NEAR(turned[1].item<float>(), std::cos(0.3), 1e-6);
  EXPECT_NEAR(turned[3].item<float>(), std::sin(0.3), 1e-6);
}

}  // namespace
}  // namespace sotto::learning
