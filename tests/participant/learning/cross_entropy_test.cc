#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "participant/learning/transformer/batch_torch.h"
#include "participant/learning/transformer/cross_entropy_torch.h"
#include "tests/participant/learning/peak_memory.h"
#include "tests/participant/learning/test_device.h"

namespace sotto::learning {
namespace {

using at::Tensor;

/// More rows than one chunk has, the last chunk shorter; some without a target.
class CrossEntropies : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  static constexpr std::int64_t kRows = 700, kClasses = 1000;

  void SetUp() override {
    at::manual_seed(5);
    values_ = on_device(at::randn({kRows, kClasses}, GetParam()) * 5);
    targets_ = on_device(at::randint(kClasses, {kRows}));
    targets_.slice(0, 10, 400, 3).fill_(kNoTag);
    weights_ = on_device(at::rand({kRows}, GetParam()));
  }

  /// Logits that something else made.
  [[nodiscard]] Tensor logits(const Tensor& leaf) const { return leaf * 1; }

  [[nodiscard]] Tensor leaf() const { return values_.clone().requires_grad_(true); }

  Tensor values_, targets_, weights_;
};

INSTANTIATE_TEST_SUITE_P(Types, CrossEntropies, ::testing::Values(at::kFloat, at::kDouble));

TEST_P(CrossEntropies, LossesAndGradientsAreThoseOfTorch) {
  const Tensor expected = leaf();
  const Tensor losses =
      at::cross_entropy_loss(logits(expected), targets_, {}, at::Reduction::None, kNoTag);
  (losses * weights_).sum().backward();
  for (const Logits after : {Logits::kKept, Logits::kConsumed}) {
    const Tensor found = leaf();
    const Tensor own = cross_entropies(logits(found), targets_, after);
    EXPECT_TRUE(at::allclose(own, losses, 1e-5, 2e-6));
    (own * weights_).sum().backward();
    EXPECT_TRUE(at::allclose(found.grad(), expected.grad(), 1e-5, 1e-7));
  }
}

TEST_P(CrossEntropies, LogitsThatAreKeptServeOtherUsesAndASecondPass) {
  const Tensor expected = leaf(), found = leaf();
  const auto total = [this](const Tensor& x, const Tensor& losses) {
    return (losses * weights_).sum() + x.square().sum();
  };
  const Tensor theirs = logits(expected), own = logits(found);
  total(theirs, at::cross_entropy_loss(theirs, targets_, {}, at::Reduction::None, kNoTag))
      .backward();
  const Tensor loss = total(own, cross_entropies(own, targets_, Logits::kKept));
  loss.backward({}, /*retain_graph=*/true);
  EXPECT_TRUE(at::equal(own, values_));
  EXPECT_TRUE(at::allclose(found.grad(), expected.grad(), 1e-5, 1e-6));
  loss.backward();
  EXPECT_TRUE(at::allclose(found.grad(), 2 * expected.grad(), 1e-5, 1e-6));
}

// A gradient from what is no longer there would be wrong in silence.
TEST_P(CrossEntropies, ConsumedLogitsCannotBeReadAgain) {
  const Tensor twice = cross_entropies(logits(leaf()), targets_, Logits::kConsumed).sum();
  twice.backward({}, /*retain_graph=*/true);
  EXPECT_THROW(twice.backward(), c10::Error);
  const Tensor x = logits(leaf());
  const Tensor square = x.square().sum();  // keeps x for its own backward pass, which runs later
  EXPECT_THROW((square + cross_entropies(x, targets_, Logits::kConsumed).sum()).backward(),
               c10::Error);
}

TEST_P(CrossEntropies, TakeLittleRoomBesideTheLogits) {
  const Tensor x = logits(leaf());
  const double peak =
      peak_bytes_of([&] { cross_entropies(x, targets_, Logits::kConsumed).sum().backward(); });
  const double of_what_made_them = static_cast<double>(x.numel() * x.element_size());
  EXPECT_LT(peak, 1.6 * of_what_made_them);
}

}  // namespace
}  // namespace sotto::learning
