#include "coordinator/driver/noise_account.h"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/temporary_directory.h"

namespace sotto::coordinator {
namespace {

constexpr double kDelta = 1e-5;

privacy::NoisyRounds noise() {
  return {.mechanism = privacy::NoiseMechanism::kSkellam,
          .variance = 400 * privacy::kVarianceUnit,
          .unknown_noises = 9,
          .squared_sensitivity = 360,
          .dimension = 1024,
          .rounds = 1};
}

double epsilon_of(std::uint64_t rounds) {
  privacy::NoisyRounds all = noise();
  all.rounds = rounds;
  privacy::RdpAccountant accountant;
  EXPECT_TRUE(accountant.add(all).ok());
  return accountant.epsilon(kDelta);
}

NoiseAccount open(const std::filesystem::path& file) {
  auto opened = NoiseAccount::open(file);
  SOTTO_CHECK(opened.ok(), opened.error().message);
  return std::move(opened).value();
}

TEST(NoiseAccount, SaysWhatTheAccountantSaysAlsoAfterARestart) {
  const TemporaryDirectory directory;
  {
    NoiseAccount account = open(directory / "noise.log");
    EXPECT_EQ(account.epsilon(kDelta), 0);
    for (std::uint64_t round = 1; round <= 3; ++round)
      ASSERT_TRUE(account.charge(RoundNumber::of(round, 0), noise()).ok());
    EXPECT_NEAR(account.epsilon(kDelta), epsilon_of(3), 1e-12);
  }
  NoiseAccount again = open(directory / "noise.log");
  EXPECT_NEAR(again.epsilon(kDelta), epsilon_of(3), 1e-12);
  ASSERT_TRUE(again.charge(RoundNumber::of(4, 0), noise()).ok());
  EXPECT_NEAR(again.epsilon(kDelta), epsilon_of(4), 1e-12);
}

TEST(NoiseAccount, CountsEveryAttemptThatUpdatesCouldLeaveIn) {
  const TemporaryDirectory directory;
  NoiseAccount account = open(directory / "noise.log");
  ASSERT_TRUE(account.charge(RoundNumber::of(1, 0), noise()).ok());
  ASSERT_TRUE(account.charge(RoundNumber::of(1, 1), noise()).ok());
  EXPECT_NEAR(account.epsilon(kDelta), epsilon_of(2), 1e-12);
}

TEST(NoiseAccount, CountsAttemptsWithoutNoiseInsideTheSumAlsoAfterARestart) {
  const TemporaryDirectory directory;
  {
    NoiseAccount account = open(directory / "noise.log");
    ASSERT_TRUE(account.charge(RoundNumber::of(1, 0), std::nullopt).ok());
    ASSERT_TRUE(account.charge(RoundNumber::of(1, 0), std::nullopt).ok());
    ASSERT_TRUE(account.charge(RoundNumber::of(1, 1), std::nullopt).ok());
  }
  const NoiseAccount again = open(directory / "noise.log");
  EXPECT_EQ(again.attempts(), 2U);
  EXPECT_EQ(again.epsilon(kDelta), 0);
}

TEST(NoiseAccount, AnAttemptThatGoesOnAfterACrashIsChargedOnce) {
  const TemporaryDirectory directory;
  for (int process = 0; process < 2; ++process) {
    NoiseAccount account = open(directory / "noise.log");
    ASSERT_TRUE(account.charge(RoundNumber::of(1, 0), noise()).ok());
    ASSERT_TRUE(account.charge(RoundNumber::of(1, 0), noise()).ok());
    EXPECT_NEAR(account.epsilon(kDelta), epsilon_of(1), 1e-12);
  }
}

TEST(NoiseAccount, RefusesNoiseThatItCannotAccountFor) {
  const TemporaryDirectory directory;
  NoiseAccount account = open(directory / "noise.log");
  privacy::NoisyRounds none = noise();
  none.unknown_noises = 0;
  EXPECT_FALSE(account.charge(RoundNumber::of(1, 0), none).ok());
  EXPECT_EQ(account.epsilon(kDelta), 0);
}

TEST(NoiseAccount, RefusesADamagedFile) {
  const TemporaryDirectory directory;
  {
    NoiseAccount account = open(directory / "noise.log");
    for (std::uint64_t round = 1; round <= 2; ++round)
      ASSERT_TRUE(account.charge(RoundNumber::of(round, 0), noise()).ok());
  }
  std::fstream file(directory / "noise.log", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(60);
  file.put('\x7f');
  file.close();
  EXPECT_FALSE(NoiseAccount::open(directory / "noise.log").ok());
}

}  // namespace
}  // namespace sotto::coordinator
