#include "common/job/public_epsilon.h"

#include <gtest/gtest.h>

#include "common/privacy/ledger/ledger.h"
#include "tests/temporary_directory.h"

namespace sotto::job {
namespace {

constexpr std::uint32_t kRounds = 10;

config::JobConfig job_with(std::uint32_t spare_rounds) {
  config::JobConfig job;
  job.rounds.num_server_rounds = kRounds;
  job.local_training.local_steps = 5;
  job.local_training.expected_batch_size = 32;
  job.differential_privacy.target_epsilon = 2;
  job.differential_privacy.spare_rounds = spare_rounds;
  return job;
}

/// How many attempts a site trains in whose budget is the target of the job.
std::uint64_t attempts_within_the_target(const config::JobConfig& job) {
  const TemporaryDirectory directory;
  auto ledger = privacy::PrivacyLedger::open(directory / "ledger.sqlite").value();
  privacy::DpSgdSteps steps = covered_steps_of(job, 1000).value().value();
  steps.steps = job.local_training.local_steps;
  const privacy::Budget budget{.max_epsilon = job.differential_privacy.target_epsilon,
                               .delta = job.differential_privacy.target_delta};
  for (std::uint64_t attempt = 0;; ++attempt) {
    const privacy::Charge charge{
        .dataset_id = "records",
        .round = RoundNumber::of(1, static_cast<std::uint16_t>(attempt)),
        .steps = steps,
        .planned = job.rounds.num_server_rounds + job.differential_privacy.spare_rounds};
    if (!ledger.charge_and_release(charge, budget, 0).ok()) return attempt;
  }
}

TEST(SpareRounds, ThatManyLostAttemptsDoNotEndThePartOfASiteThatAllowsTheTarget) {
  EXPECT_EQ(attempts_within_the_target(job_with(0)), kRounds) << "the first lost one ends it";
  EXPECT_EQ(attempts_within_the_target(job_with(3)), kRounds + 3);
}

TEST(SpareRounds, CostALittleNoise) {
  const auto noise = [](std::uint32_t spare_rounds) {
    return covered_steps_of(job_with(spare_rounds), 1000).value()->noise_multiplier;
  };
  EXPECT_GT(noise(3), noise(0));
  EXPECT_LT(noise(3), 1.15 * noise(0));
}

TEST(PublicEpsilon, CountsAttemptsAndNotRounds) {
  config::JobConfig job = job_with(0);
  job.local_training.sampling_rate = 0.1;
  const PublicEpsilon epsilon = PublicEpsilon::of(job).value();
  EXPECT_EQ(epsilon.after(0, false), 0.0);
  EXPECT_LE(epsilon.after(kRounds, false), 2.0);
  EXPECT_GT(epsilon.after(kRounds + 1, false), 2.0);
}

TEST(PublicEpsilon, OfSitesThatCalibrateIsTheTargetOnceTrainingIsOver) {
  const PublicEpsilon epsilon = PublicEpsilon::of(job_with(2)).value();
  EXPECT_FALSE(epsilon.after(kRounds, false));
  EXPECT_EQ(epsilon.after(kRounds + 2, true), 2.0);
  EXPECT_FALSE(epsilon.after(kRounds + 3, true)) << "more than the target covers";
}

}  // namespace
}  // namespace sotto::job
