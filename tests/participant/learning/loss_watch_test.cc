#include "participant/learning/loss_watch.h"

#include <cmath>

#include <gtest/gtest.h>

#include "common/crypto/secure_random.h"

namespace sotto::learning {
namespace {

/// A deviate of about one standard deviation.
double noise(crypto::StreamRandom& random) {
  double sum = -6;
  for (int i = 0; i < 12; ++i)
    sum += static_cast<double>(random.below(1000000)) / 1e6;
  return sum;
}

/// The steps at which something was said.
template <class Loss>
std::vector<std::uint64_t> said(std::uint64_t steps, std::uint64_t first, Loss loss) {
  LossWatch watch(steps);
  std::vector<std::uint64_t> out;
  for (std::uint64_t step = first; step < steps; ++step)
    if (watch.add(step, loss(step))) out.push_back(step + 1);
  return out;
}

TEST(LossWatch, SaysFromAQuarterOnAndAtEachEighthThatALossStandsStill) {
  const auto still = [](std::uint64_t) { return 1.5; };
  EXPECT_EQ(said(80, 0, still), (std::vector<std::uint64_t>{20, 30, 40, 50, 60, 70, 80}));
  EXPECT_EQ(said(6, 0, still), (std::vector<std::uint64_t>{6}));
  EXPECT_TRUE(said(5, 0, still).empty()) << "too short to be judged";
}

TEST(LossWatch, NamesBothMediansAndTheirSteps) {
  LossWatch watch(24);
  std::optional<std::string> last;
  for (std::uint64_t step = 0; step < 24; ++step)
    last = watch.add(step, step < 12 ? 0.5 : 0.75);
  EXPECT_EQ(last.value_or(""),
            "the training loss has not fallen: median 0.5 over steps 1 to 3, 0.75 over steps 22 to "
            "24 of 24");
}

TEST(LossWatch, IsQuietWhereTheLossFallsThroughItsOwnNoise) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    crypto::StreamRandom random(seed);
    EXPECT_TRUE(said(120, 0,
                     [&](std::uint64_t step) {
                       return 0.6 + 1.4 * std::exp(-static_cast<double>(step) / 15) +
                              0.1 * noise(random);
                     })
                    .empty())
        << seed;
  }
}

TEST(LossWatch, HearsNearlyEveryRunThatLearnsNothingBehindNoise) {
  int heard = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    crypto::StreamRandom random(seed);
    heard += said(120, 0, [&](std::uint64_t) { return 2 + 0.3 * noise(random); }).empty() ? 0 : 1;
  }
  EXPECT_GE(heard, 180);
}

TEST(LossWatch, AFallWithinItsOwnSpreadIsToldFromHalfOfTheRunOn) {
  const auto up_and_down = [](std::uint64_t step) {
    return step % 2 == 1 ? 1.0 : step < 5 ? 2.0 : 1.9;
  };
  EXPECT_EQ(said(80, 0, up_and_down), (std::vector<std::uint64_t>{40, 50, 60, 70, 80}));
}

TEST(LossWatch, OneWildStepChangesNothing) {
  const auto with_wild = [](double falls) {
    return [falls](std::uint64_t step) {
      return step % 20 == 1 ? 1e6 : 2 - falls * static_cast<double>(step);
    };
  };
  EXPECT_TRUE(said(80, 0, with_wild(0.02)).empty());
  EXPECT_FALSE(said(80, 0, with_wild(0)).empty());
}

TEST(LossWatch, WhoCameLateHearsOfARiseAlone) {
  EXPECT_TRUE(said(80, 30, [](std::uint64_t) { return 0.4; }).empty()) << "it may have converged";
  EXPECT_FALSE(said(80, 30, [](std::uint64_t step) { return step < 50 ? 0.4 : 0.9; }).empty());
}

TEST(LossWatch, AnotherAttemptReplacesWhatItRepeats) {
  LossWatch watch(24);
  for (std::uint64_t step = 0; step < 12; ++step)
    watch.add(step, 1.0);
  for (std::uint64_t step = 0; step < 12; ++step)  // again from the first, and it falls
    EXPECT_FALSE(watch.add(step, 2.0 - 0.1 * static_cast<double>(step))) << step;
}

}  // namespace
}  // namespace sotto::learning
