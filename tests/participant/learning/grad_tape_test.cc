// Every layer kind and every way of sharing a parameter against the loop that DP-SGD is defined by.
#include <functional>
#include <ostream>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "participant/learning/dp_sgd/dp_layers_torch.h"
#include "participant/learning/dp_sgd/grad_tape_torch.h"
#include "tests/participant/learning/test_device.h"

namespace sotto::learning {
namespace {

using at::Tensor;

/// Parameters with addresses that stay.
struct Parameters {
  Parameters(const std::vector<std::vector<std::int64_t>>& shapes, at::ScalarType type) {
    all.reserve(shapes.size());
    for (const auto& shape : shapes) {
      Parameter p{"p" + std::to_string(all.size()), on_device(at::randn(shape, type)),
                  on_device(at::zeros(shape, type))};
      p.value.requires_grad_(true);
      p.value.mutable_grad() = p.gradient;
      all.push_back(std::move(p));
    }
  }

  std::vector<Parameter> all;
};

/// Per-example losses [B] of the examples `first` to `last`.
using Losses = std::function<Tensor(std::int64_t first, std::int64_t last, GradTape* tape)>;

constexpr std::int64_t kExamples = 5;

/// min(1, clip / norm) for each of `parameters` alike.
Tensor clip_factors(const Tensor& norms, double clip, std::size_t parameters) {
  return (clip / norms).clamp_max(1).expand({static_cast<std::int64_t>(parameters), -1});
}

void expect_exact(Parameters& parameters, const Losses& losses) {
  std::vector<Tensor> values, expected_sum;
  for (const Parameter& p : parameters.all) {
    values.push_back(p.value);
    expected_sum.push_back(at::zeros_like(p.value, at::kDouble));
  }
  const Tensor norms = on_device(at::zeros({kExamples}, at::kDouble));
  std::vector<std::vector<Tensor>> gradients;
  for (std::int64_t i = 0; i < kExamples; ++i) {
    gradients.push_back(torch::autograd::grad({losses(i, i + 1, nullptr).sum()}, values, {}, {},
                                              false, /*allow_unused=*/false));
    Tensor squares = at::zeros({}, at::kDouble);
    for (const Tensor& g : gradients.back())
      squares = squares + g.to(at::kDouble).square().sum();
    norms[i] = squares.sqrt();
  }
  const double clip = norms.median().item<double>();  // some examples are clipped, some are not
  for (std::int64_t i = 0; i < kExamples; ++i)
    for (std::size_t p = 0; p < values.size(); ++p)
      expected_sum[p] += gradients[static_cast<std::size_t>(i)][p].to(at::kDouble) *
                         std::min(1.0, clip / norms[i].item<double>());

  GradTape tape;
  for (const Parameter& p : parameters.all)
    Tensor(p.gradient).zero_();
  tape.backward(losses(0, kExamples, &tape).sum());
  for (const Parameter& p : parameters.all)
    EXPECT_EQ(p.gradient.abs().sum().item<double>(), 0) << "autograd itself wrote " << p.name;
  EXPECT_TRUE(tape.unused(parameters.all).empty());
  const Tensor found = tape.squared_norms(parameters.all).estimate.sum(0).sqrt();
  EXPECT_LT(((found - norms).abs() / norms).max().item<double>(), 3e-6);
  tape.accumulate(parameters.all, clip_factors(found, clip, parameters.all.size()));
  for (std::size_t p = 0; p < values.size(); ++p) {
    const double scale = expected_sum[p].abs().max().item<double>();
    EXPECT_LT((parameters.all[p].gradient - expected_sum[p]).abs().max().item<double>(),
              1e-5 * scale)
        << "parameter " << p;
  }
}

struct Shape {
  std::int64_t positions;
  at::ScalarType type;

  friend void PrintTo(const Shape& s, std::ostream* out) {
    *out << s.positions << " positions, " << at::toString(s.type);
  }
};

class GradTapeShapes : public ::testing::TestWithParam<Shape> {
 protected:
  void SetUp() override { at::manual_seed(7); }

  static at::Tensor normal(const std::vector<std::int64_t>& shape) {
    return on_device(at::randn(shape, GetParam().type));
  }
};

/// One position (rank one), few against the width (ghost norms), many (per-example gradients); in
/// float32 with the direct kernels, in double with torch's operations.
INSTANTIATE_TEST_SUITE_P(Positions, GradTapeShapes,
                         ::testing::Values(Shape{1, at::kFloat}, Shape{3, at::kFloat},
                                           Shape{60, at::kFloat}, Shape{1, at::kDouble},
                                           Shape{3, at::kDouble}, Shape{60, at::kDouble}));

TEST_P(GradTapeShapes, LinearWithBiasIsExact) {
  const auto positions = GetParam().positions;
  Parameters p({{60, 50}, {60}}, GetParam().type);
  const Tensor x = normal({kExamples, positions, 50}), v = normal({kExamples, positions, 60});
  expect_exact(p, [&](std::int64_t i, std::int64_t j, GradTape* tape) {
    return (dp_linear(x.slice(0, i, j), p.all[0], &p.all[1], tape).tanh() * v.slice(0, i, j))
        .flatten(1)
        .sum(1);
  });
}

TEST_P(GradTapeShapes, Conv1dIsExact) {
  const auto positions = GetParam().positions;
  Parameters p({{50, 60}, {60}}, GetParam().type);
  const Tensor x = normal({kExamples, positions, 50}), v = normal({kExamples, positions, 60});
  expect_exact(p, [&](std::int64_t i, std::int64_t j, GradTape* tape) {
    return (dp_conv1d(x.slice(0, i, j), p.all[0], &p.all[1], tape).tanh() * v.slice(0, i, j))
        .flatten(1)
        .sum(1);
  });
}

// The gradients that come in belong to the other branches too; what the linear got is read again by
// the clipped sum.
TEST_P(GradTapeShapes, GeluAndLinearOnAResidualBranchAreExact) {
  const auto positions = GetParam().positions;
  Parameters p({{24, 8}, {8, 24}, {8}, {24, 8}, {8}}, GetParam().type);
  const Tensor x = normal({kExamples, positions, 8}), v = normal({kExamples, positions, 8});
  for (const Gelu gelu : {Gelu::kExact, Gelu::kTanh})
    expect_exact(p, [&](std::int64_t i, std::int64_t j, GradTape* tape) {
      const Tensor in = x.slice(0, i, j);
      const Tensor wide = dp_linear(in, p.all[0], nullptr, tape);
      const Tensor some = dp_gelu_linear(wide, gelu, p.all[1], &p.all[2], tape);
      const Tensor others = dp_gelu_conv1d(wide, gelu, p.all[3], &p.all[4], tape);
      return ((in + some + others + wide.slice(2, 0, 8)) * v.slice(0, i, j)).flatten(1).sum(1);
    });
}

TEST_P(GradTapeShapes, GeluAndLinearAreTheTwoInARow) {
  Parameters p({{6, 8}, {6}}, GetParam().type);
  const Tensor x = normal({kExamples, GetParam().positions, 8});
  GradTape tape;
  for (GradTape* on : {&tape, static_cast<GradTape*>(nullptr)}) {
    EXPECT_TRUE(at::equal(dp_gelu_linear(x, Gelu::kExact, p.all[0], &p.all[1], on),
                          at::linear(at::gelu(x), p.all[0].value, p.all[1].value)));
    EXPECT_TRUE(at::equal(dp_gelu_linear(x, Gelu::kTanh, p.all[0], &p.all[1], on),
                          at::linear(at::gelu(x, "tanh"), p.all[0].value, p.all[1].value)));
  }
}

TEST_P(GradTapeShapes, RmsNormIsExact) {
  const auto positions = GetParam().positions;
  Parameters p({{8, 8}, {8}}, GetParam().type);  // a linear before it: its input's gradient counts
  const Tensor x = normal({kExamples, positions, 8}), v = normal({kExamples, positions, 8});
  expect_exact(p, [&](std::int64_t i, std::int64_t j, GradTape* tape) {
    const Tensor h = dp_linear(x.slice(0, i, j), p.all[0], nullptr, tape);
    return (dp_rms_norm(h, p.all[1], 1e-5, tape) * v.slice(0, i, j)).flatten(1).sum(1);
  });
}

TEST(GradTape, FrozenParametersStayOffIt) {
  Parameters p({{4, 4}, {4, 4}, {4}, {4}}, at::kFloat);
  for (const std::size_t frozen : {0U, 2U, 3U})
    p.all[frozen].value.requires_grad_(false);
  GradTape tape;
  const Tensor first = dp_linear(on_device(at::randn({2, 3, 4})), p.all[0], nullptr, &tape);
  const Tensor second = dp_linear(first, p.all[1], nullptr, &tape);
  const Tensor third = dp_layer_norm(second, p.all[2], p.all[3], 1e-5, &tape);
  tape.backward(
      (dp_rms_norm(third, p.all[2], 1e-5, &tape) * on_device(at::randn({4}))).square().sum());
  EXPECT_EQ(tape.unused(p.all), (std::vector<std::string>{"p0", "p2", "p3"}));
}

TEST_P(GradTapeShapes, EmbeddingIsExactWhenIdsRepeat) {
  const auto positions = GetParam().positions;
  Parameters p({{6, 8}}, GetParam().type);
  const Tensor ids = on_device(at::randint(6, {kExamples, positions}));
  const Tensor v = normal({kExamples, positions, 8});
  expect_exact(p, [&](std::int64_t i, std::int64_t j, GradTape* tape) {
    return (dp_embedding(ids.slice(0, i, j), p.all[0], tape).tanh() * v.slice(0, i, j))
        .flatten(1)
        .sum(1);
  });
}

TEST_P(GradTapeShapes, LayerNormIsExact) {
  const auto positions = GetParam().positions;
  Parameters p({{8, 8}, {8}, {8}},
               GetParam().type);  // a linear before it, so that its input's gradient counts
  const Tensor x = normal({kExamples, positions, 8}), v = normal({kExamples, positions, 8});
  expect_exact(p, [&](std::int64_t i, std::int64_t j, GradTape* tape) {
    const Tensor h = dp_linear(x.slice(0, i, j), p.all[0], nullptr, tape);
    return (dp_layer_norm(h, p.all[1], p.all[2], 1e-5, tape) * v.slice(0, i, j)).flatten(1).sum(1);
  });
}

TEST_P(GradTapeShapes, LayersWithoutPositionsAreExact) {
  Parameters p({{6, 8}, {6}, {6}, {6}}, GetParam().type);
  const Tensor x = normal({kExamples, 8}), v = normal({kExamples, 6});
  expect_exact(p, [&](std::int64_t i, std::int64_t j, GradTape* tape) {
    const Tensor h = dp_linear(x.slice(0, i, j), p.all[0], &p.all[1], tape);
    return (dp_layer_norm(h, p.all[2], p.all[3], 1e-5, tape) * v.slice(0, i, j)).sum(1);
  });
}

TEST_P(GradTapeShapes, TiedEmbeddingAndHeadIsExact) {
  const auto positions = GetParam().positions;
  Parameters p({{11, 8}, {11}}, GetParam().type);
  const Tensor ids = on_device(at::randint(11, {kExamples, positions}));
  const Tensor targets = on_device(at::randint(11, {kExamples, positions}));
  expect_exact(p, [&](std::int64_t i, std::int64_t j, GradTape* tape) {
    const Tensor h = dp_embedding(ids.slice(0, i, j), p.all[0], tape).tanh();
    const Tensor logits = dp_linear(h, p.all[0], &p.all[1], tape);
    return at::cross_entropy_loss(logits.transpose(1, 2), targets.slice(0, i, j), {},
                                  at::Reduction::None)
        .mean(1);
  });
}

TEST_P(GradTapeShapes, LinearAndLayerNormUsedTwiceAreExact) {
  const auto positions = GetParam().positions;
  Parameters p({{8, 8}, {8}, {8}, {8}}, GetParam().type);
  const Tensor x = normal({kExamples, positions, 8}), v = normal({kExamples, positions, 8});
  expect_exact(p, [&](std::int64_t i, std::int64_t j, GradTape* tape) {
    Tensor h = x.slice(0, i, j);
    for (int again = 0; again < 2; ++again)
      h = dp_layer_norm(h + dp_linear(h, p.all[0], &p.all[1], tape), p.all[2], p.all[3], 1e-5,
                        tape);
    return (h * v.slice(0, i, j)).flatten(1).sum(1);
  });
}

TEST_P(GradTapeShapes, EmbeddingUsedTwiceIsExact) {
  const auto positions = GetParam().positions;
  Parameters p({{5, 8}}, GetParam().type);
  const Tensor first = on_device(at::randint(5, {kExamples, positions}));
  const Tensor second = on_device(at::randint(5, {kExamples, positions + 1}));
  const Tensor v = normal({kExamples, 8});
  expect_exact(p, [&](std::int64_t i, std::int64_t j, GradTape* tape) {
    const Tensor a = dp_embedding(first.slice(0, i, j), p.all[0], tape).mean(1);
    const Tensor b = dp_embedding(second.slice(0, i, j), p.all[0], tape).mean(1);
    return ((a * b).tanh() * v.slice(0, i, j)).sum(1);
  });
}

TEST_P(GradTapeShapes, ResidualBranchesThatShareAGradientAreExact) {
  const auto positions = GetParam().positions;
  Parameters p({{8, 8}, {8, 8}}, GetParam().type);
  const Tensor x = normal({kExamples, positions, 8});
  expect_exact(p, [&](std::int64_t i, std::int64_t j, GradTape* tape) {
    const Tensor h = x.slice(0, i, j);
    const Tensor one = dp_linear(h, p.all[0], nullptr, tape);
    return (one + dp_linear(h, p.all[1], nullptr, tape) + h).square().flatten(1).sum(1);
  });
}

// What bfloat16 factors give is to be as exact as what float32 ones give, in both ways to a norm.
TEST_P(GradTapeShapes, OfFactorsInBfloat16NormsAndSumsAreInFloat32) {
  const auto positions = GetParam().positions;
  Parameters p({{30, 20}, {30}}, at::kFloat);
  const Tensor x = on_device(at::randn({kExamples, positions, 20}).to(at::kBFloat16));
  const Tensor v =
      on_device(at::randn({kExamples, positions, 30}).to(at::kBFloat16));  // y's gradient
  for (const auto passes : {GradTape::Passes::kOne, GradTape::Passes::kTwo}) {
    for (const Parameter& parameter : p.all)
      Tensor(parameter.gradient).zero_();
    GradTape tape(passes);
    tape.backward((dp_linear(x, p.all[0], &p.all[1], &tape) * v).sum());
    const Tensor weights = at::bmm(v.to(at::kDouble).transpose(1, 2), x.to(at::kDouble));
    const Tensor biases = v.to(at::kDouble).sum(1);
    const Tensor norms = tape.squared_norms(p.all).estimate;
    const Tensor expected = at::stack({weights.flatten(1).square().sum(1), biases.square().sum(1)});
    EXPECT_LT(((norms - expected).abs() / expected).max().item<double>(), 6e-6);
    const Tensor factors = on_device(at::rand({kExamples}, at::kDouble));
    tape.accumulate(p.all, factors.expand({2, -1}));
    const std::vector<Tensor> sums{(weights * factors.view({-1, 1, 1})).sum(0),
                                   (biases * factors.view({-1, 1})).sum(0)};
    for (std::size_t i = 0; i < sums.size(); ++i) {
      EXPECT_EQ(p.all[i].gradient.scalar_type(), at::kFloat);
      EXPECT_LT((p.all[i].gradient - sums[i]).abs().max().item<double>(),
                2e-6 * sums[i].abs().max().item<double>());
    }
  }
}

TEST(GradTapeDeathTest, ASharedParameterMustBeMarkedWhereUsesAreNotKept) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a fork cannot use a CUDA device
  Parameters p({{4, 4}}, at::kFloat);
  GradTape tape(GradTape::Passes::kTwo);
  const Tensor once = dp_linear(on_device(at::randn({2, 3, 4})), p.all[0], nullptr, &tape);
  const Tensor loss = dp_linear(once, p.all[0], nullptr, &tape).sum();
  EXPECT_DEATH(tape.backward(loss), "not marked as shared is used twice");
}

TEST(GradTape, NamesATrainableParameterThatTookNoPart) {
  Parameters p({{4, 4}, {4}}, at::kFloat);
  GradTape tape;
  tape.backward(dp_linear(on_device(at::randn({2, 3, 4})), p.all[0], nullptr, &tape).sum());
  EXPECT_EQ(tape.unused(p.all), std::vector<std::string>{"p1"});
}

TEST(GradTape, ForgetsWhatItAccumulated) {
  Parameters p({{4, 4}}, at::kFloat);
  GradTape tape;
  tape.backward(dp_linear(on_device(at::randn({2, 3, 4})), p.all[0], nullptr, &tape).sum());
  tape.accumulate(p.all, clip_factors(tape.squared_norms(p.all).estimate[0].sqrt(), 1.0, 1));
  EXPECT_EQ(tape.unused(p.all), std::vector<std::string>{"p0"});
}

}  // namespace
}  // namespace sotto::learning
