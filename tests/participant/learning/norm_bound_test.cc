// The norm that an example is clipped by is an upper bound, however much of a gradient cancels: of
// every kind of layer, of parameters used twice, in one pass and two. And an example that is left
// out contributes nothing, whatever was recorded of it.
#include <cmath>
#include <functional>
#include <limits>
#include <ostream>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "participant/learning/dp_sgd/clipping_torch.h"
#include "participant/learning/dp_sgd/dp_layers_torch.h"
#include "participant/learning/dp_sgd/grad_tape_torch.h"
#include "tests/participant/learning/test_device.h"

namespace sotto::learning {
namespace {

using at::Tensor;

constexpr std::int64_t kExamples = 24, kPositions = 24, kIn = 48, kOut = 64, kWords = 64;

enum class Kind { kLinear, kBfloat16, kWide, kRankOne, kSmall, kLookup, kTwice, kTied };

struct Case {
  const char* name;
  Kind kind;
  GradTape::Passes passes;

  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};

/// Gradients of B examples whose positions cancel to a part of 1e-7 to 1e-3, at sizes from 1e2 to
/// 1e7.
struct Cancelling {
  explicit Cancelling(Kind kind) {
    at::manual_seed(5);
    const auto positions = kind == Kind::kRankOne ? 1 : kind == Kind::kSmall ? 60 : kPositions;
    const auto out = kind == Kind::kWide ? 2500 : kOut;
    const auto in = kind == Kind::kTied || kind == Kind::kLookup ? kOut : kIn;
    const Tensor gain = at::pow(10, at::linspace(2, 7, kExamples)).view({-1, 1, 1});
    const Tensor rest = at::pow(10, -(at::remainder(at::arange(kExamples), 5) + 3).to(at::kFloat));
    const auto nearly_one = [&](std::int64_t width) {
      return at::randn({kExamples, 1, width}) +
             rest.view({-1, 1, 1}) * at::randn({kExamples, positions, width});
    };
    const Tensor sign =
        (1 - 2 * at::remainder(at::arange(positions), 2)).view({1, -1, 1}).to(at::kFloat);
    input = gain * nearly_one(in);
    gradient = sign * nearly_one(out);
    looked_up = gain * sign * nearly_one(kOut);
    ids = at::randint(kWords, {kExamples, 1}).expand({kExamples, positions}).contiguous();
    for (Tensor* x : {&input, &gradient})
      if (kind == Kind::kBfloat16) *x = x->to(at::kBFloat16);
    for (Tensor* x : {&input, &gradient, &looked_up, &ids})
      *x = on_device(*x);
  }

  Tensor input, gradient, looked_up, ids;
};

class NormBound : public ::testing::TestWithParam<Case> {
 protected:
  NormBound() : data_(GetParam().kind) {
    const auto out = GetParam().kind == Kind::kWide ? 2500 : kOut;
    const std::vector<std::int64_t> shape = uses_lookup() ? std::vector<std::int64_t>{kWords, kOut}
                                                          : std::vector<std::int64_t>{out, kIn};
    Parameter p{"weight", on_device(at::randn(shape)), on_device(at::zeros(shape))};
    p.value.requires_grad_(true);
    p.value.mutable_grad() = p.gradient;
    p.shared = GetParam().kind == Kind::kTied || GetParam().kind == Kind::kTwice;
    parameters_.push_back(std::move(p));
  }

  [[nodiscard]] static bool uses_lookup() {
    return GetParam().kind == Kind::kLookup || GetParam().kind == Kind::kTied;
  }

  /// A sum of which the backward pass gives the layers just these gradients.
  [[nodiscard]] Tensor loss(GradTape& tape, const Cancelling& data) const {
    const Parameter& p = parameters_.front();
    Tensor sum = on_device(at::zeros({}));
    if (uses_lookup()) sum = sum + (dp_embedding(data.ids, p, &tape) * data.looked_up).sum();
    if (GetParam().kind == Kind::kLookup) return sum;
    const Tensor y = dp_linear(data.input, p, nullptr, &tape);
    sum = sum + (y * data.gradient).sum().to(at::kFloat);
    if (GetParam().kind == Kind::kTwice)
      sum = sum + (dp_linear(data.input.flip(1), p, nullptr, &tape) * data.gradient).sum();
    return sum;
  }

  /// The gradients of each example [B, out, in] in double, on the CPU.
  [[nodiscard]] Tensor exact() const {
    const auto wide = [](const Tensor& x) { return x.to(at::kCPU, at::kDouble); };
    const auto product = [&](const Tensor& b, const Tensor& a) {
      return at::bmm(wide(b).transpose(1, 2), wide(a));
    };
    if (!uses_lookup()) {
      const Tensor once = product(data_.gradient, data_.input);
      return GetParam().kind == Kind::kTwice ? once + product(data_.gradient, data_.input.flip(1))
                                             : once;
    }
    const Tensor rows = at::zeros({kExamples, kWords, kOut}, at::kDouble);
    for (std::int64_t i = 0; i < kExamples; ++i)
      Tensor(rows[i]).index_add_(0, data_.ids[i].cpu(), wide(data_.looked_up[i]));
    return GetParam().kind == Kind::kLookup ? rows : rows + product(data_.gradient, data_.input);
  }

  /// The clipped sum, and the squared norms that it was clipped by, on the CPU.
  std::pair<Tensor, SquaredNorms> clipped_sum(const Cancelling& data, config::Clipping rule) {
    Tensor(parameters_.front().gradient).zero_();
    GradTape tape(GetParam().passes);
    Clipping clipping({.clipping_norm = 1, .clipping = rule}, parameters_);
    tape.backward(loss(tape, data));
    const SquaredNorms norms = tape.squared_norms(parameters_);
    tape.accumulate(parameters_, clipping.factors(norms.bound));
    return {parameters_.front().gradient.to(at::kCPU, at::kDouble),
            {norms.estimate.cpu(), norms.bound.cpu()}};
  }

  Cancelling data_;
  std::vector<Parameter> parameters_;
};

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const auto passes : {GradTape::Passes::kOne, GradTape::Passes::kTwo})
    for (const auto& [name, kind] :
         {std::pair("linear", Kind::kLinear), std::pair("bfloat16", Kind::kBfloat16),
          std::pair("wide", Kind::kWide), std::pair("rank_one", Kind::kRankOne),
          std::pair("small", Kind::kSmall), std::pair("lookup", Kind::kLookup),
          std::pair("twice", Kind::kTwice), std::pair("tied", Kind::kTied)})
      out.push_back({name, kind, passes});
  return out;
}

INSTANTIATE_TEST_SUITE_P(All, NormBound, ::testing::ValuesIn(cases()), [](const auto& c) {
  return std::string(c.param.name) +
         (c.param.passes == GradTape::Passes::kOne ? "_one_pass" : "_two_passes");
});

TEST_P(NormBound, IsAtLeastTheNormWhateverCancels) {
  const Tensor squares = exact().flatten(1).square().sum(1);
  const SquaredNorms norms = clipped_sum(data_, config::Clipping::kFlat).second;
  const Kind kind = GetParam().kind;
  // A small gradient is made whole and clipped as it then is, with the rounding of its own sum.
  const Tensor reach =
      (data_.input.norm(2, 2) * data_.gradient.norm(2, 2)).to(at::kCPU, at::kDouble).sum(1);
  const Tensor rounding = reach * (kind == Kind::kSmall ? std::ldexp(60, -24) : 0.0);
  const Tensor bound = norms.bound[0].sqrt();
  EXPECT_LE(((squares.sqrt() - rounding) / bound).max().item<double>(), 1);
  if (kind == Kind::kLinear || kind == Kind::kTwice || kind == Kind::kWide) {
    EXPECT_LT((norms.estimate[0] / squares).min().item<double>(), 0.5)
        << "no estimate was too small, so the bound was not needed";
  }
}

TEST_P(NormBound, NoExampleMovesTheClippedSumByMoreThanTheClippingNorm) {
  for (const config::Clipping rule : {config::Clipping::kFlat, config::Clipping::kAutomatic,
                                      config::Clipping::kPerLayer, config::Clipping::kAdaptive}) {
    const Tensor all = clipped_sum(data_, rule).first;
    for (std::int64_t i = 0; i < kExamples; ++i) {
      Cancelling others = data_;
      for (Tensor* x : {&others.input, &others.gradient, &others.looked_up}) {
        *x = x->clone();
        (*x)[i].zero_();
      }
      const double moved = (all - clipped_sum(others, rule).first).norm().item<double>();
      EXPECT_LE(moved, 1 + 1e-3) << config::word_of(rule) << ", example " << i;
    }
  }
}

TEST_P(NormBound, AnExampleThatIsNotFiniteIsLeftOutAndTheOthersStay) {
  Cancelling broken = data_, without = data_;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (Cancelling* data : {&broken, &without})
    for (Tensor* x : {&data->input, &data->gradient, &data->looked_up}) {
      *x = x->clone();
      (*x)[3].fill_(data == &broken ? std::nanf("") : 0);
      (*x)[7].fill_(data == &broken ? kInfinity : 0);
    }
  const auto [expected, unused] = clipped_sum(without, config::Clipping::kFlat);
  const auto [found, norms] = clipped_sum(broken, config::Clipping::kFlat);
  EXPECT_TRUE(same_values(found, expected));
  EXPECT_GT(found.norm().item<double>(), 0);
  EXPECT_FALSE(norms.bound[0][3].isfinite().item<bool>());
}

// Factors of 1e-23 have squares that float32 cannot hold, and a product that is not small.
TEST(NormBoundOfTinyFactors, KnowsWhatUnderflowHides) {
  at::manual_seed(6);
  for (const std::int64_t positions : {1, 24}) {
    const Tensor zeros = on_device(at::zeros({64, 64}));
    std::vector<Parameter> parameters{{"weight", zeros.clone(), zeros}};
    parameters[0].value.requires_grad_(true);
    const Tensor a = on_device(at::full({2, positions, 64}, 1e-23));
    const Tensor b = on_device(at::full({2, positions, 64}, 5e17));
    GradTape tape;
    tape.linear(parameters[0], a, b);
    const Tensor bound = tape.squared_norms(parameters).bound[0];
    const double norm = 1e-23 * 5e17 * 64 * static_cast<double>(positions);
    EXPECT_GE(bound.sqrt().min().item<double>(), norm);
  }
}

TEST(NormBoundOfOrdinaryGradients, IsHardlyLargerThanTheNorm) {
  at::manual_seed(7);
  const Tensor zeros = on_device(at::zeros({256, 192}));
  std::vector<Parameter> parameters{{"weight", zeros.clone(), zeros}};
  GradTape tape;
  tape.linear(parameters[0], on_device(at::randn({16, 100, 192})),
              on_device(at::randn({16, 100, 256})));
  const SquaredNorms norms = tape.squared_norms(parameters);
  const Tensor ratio = (norms.bound / norms.estimate).sqrt();
  EXPECT_LT(ratio.max().item<double>(), 1 + 1e-3);
  EXPECT_GT(ratio.min().item<double>(), 1);
}

}  // namespace
}  // namespace sotto::learning
