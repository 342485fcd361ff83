// How a data set's budget is kept (common/privacy/ledger/budget_rule.h, spending.h): a filter for
// jobs that are chosen after earlier results, one job's alone, and what one job may cost.
#include <algorithm>
#include <cmath>
#include <csignal>
#include <limits>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/privacy/accounting/calibration.h"
#include "common/privacy/accounting/example_accountant.h"
#include "common/privacy/ledger/ledger.h"
#include "tests/temporary_directory.h"

namespace sotto::privacy {
namespace {

constexpr double kDelta = 1e-5;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr const char* kDataset = "hospital/2026";
constexpr Bytes32 kFirstJob{1}, kSecondJob{2};

DpSgdSteps gaussian(double rate, double noise) {
  return {.sampling_rate = rate, .noise_multiplier = noise, .steps = 1};
}

Charge charge_for(const Bytes32& job, const DpSgdSteps& steps, RoundNumber round = {1U << 16}) {
  return {.dataset_id = kDataset, .run = job, .round = round, .job_hash = job, .steps = steps};
}

/// A round of a job of two rounds that were calibrated to epsilon 8 by privacy loss distribution.
Charge of_two_rounds(const Bytes32& job, std::uint64_t round, std::uint16_t attempt = 0) {
  constexpr std::uint64_t kSteps = 100;
  static const double noise =
      calibrate_noise_multiplier(
          {.epsilon = 8, .delta = kDelta, .sampling_rate = 0.05, .steps = 2 * kSteps},
          accountants::pld)
          .value();
  Charge charge =
      charge_for(job, {.sampling_rate = 0.05, .noise_multiplier = noise, .steps = kSteps},
                 RoundNumber::of(round, attempt));
  charge.planned = 2;
  return charge;
}

Budget lifetime(double epsilon) {
  return {.max_epsilon = epsilon, .delta = kDelta};
}

Budget per_job(double epsilon, double lost = kInfinity) {
  return {.max_epsilon = 1000,
          .delta = kDelta,
          .job = {.max_epsilon = epsilon, .max_lost_epsilon = lost, .delta = kDelta}};
}

class LedgerBudget : public testing::Test {
 protected:
  [[nodiscard]] PrivacyLedger open() const { return PrivacyLedger::open(file_).value(); }

  /// Empty where it was charged. The file is opened for each charge, as after a restart.
  [[nodiscard]] std::string charged(const Charge& charge, const Budget& budget) const {
    const auto released = open().charge_and_release(charge, budget, 1);
    return released.ok() ? std::string() : released.error().message;
  }

  /// The limits that a charge would break; it is what charging it says, too.
  [[nodiscard]] std::vector<Limit> broken(const Charge& charge, const Budget& budget) const {
    std::vector<Limit> out;
    const std::vector<Refusal> refusals = open().refusals(charge, budget).value();
    for (const Refusal& refusal : refusals)
      out.push_back(refusal.limit);
    return out;
  }

  [[nodiscard]] double spent() const { return open().spent(kDataset, kDelta).value(); }

  const TemporaryDirectory directory_;
  const std::filesystem::path file_ = directory_ / "ledger.sqlite";
};

// ---- An adversary that chooses the second mechanism after the first one's output.

double normal_below(double x) {
  return 0.5 * std::erfc(-x / std::sqrt(2.0));
}

/// Delta at `epsilon` of (1 - q) N(0, z) + q N(1, z) against N(0, z).
double delta_of(const DpSgdSteps& steps, double epsilon) {
  const double q = steps.sampling_rate, z = steps.noise_multiplier, e = std::exp(epsilon);
  if (e <= 1 - q) return 1 - e;
  const double t = z * z * std::log((e - (1 - q)) / q) + 0.5;
  return std::max(0.0, (1 - q) * (1 - normal_below(t / z)) + q * (1 - normal_below((t - 1) / z)) -
                           e * (1 - normal_below(t / z)));
}

/// Of a Gaussian of noise z, and then whichever of `options` its output makes the worst.
double adaptive_delta(double z, const std::vector<DpSgdSteps>& options, double epsilon) {
  constexpr int kPoints = 4000;
  constexpr double kEnd = 12, kWidth = 2 * kEnd / kPoints;
  const double mu = 1 / z;
  double out = 0;
  for (int i = 0; i <= kPoints; ++i) {
    const double x = -kEnd + i * kWidth, loss = mu * mu / 2 + mu * x;
    double worst = std::max(0.0, 1 - std::exp(epsilon - loss));  // to stop
    for (const DpSgdSteps& option : options)
      worst = std::max(worst, delta_of(option, epsilon - loss));
    out += std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0)) * kWidth * worst;
  }
  return out;
}

/// With the least noise that `allowed` accepts, for a number of sampling rates.
template <class Allowed>
std::vector<DpSgdSteps> worst_options(const Allowed& allowed) {
  std::vector<DpSgdSteps> out;
  for (const double rate : {1.0, 0.1, 0.01, 1e-3, 1e-4}) {
    double low = 0.1, high = 50;
    for (int i = 0; i < 20; ++i) {
      const double middle = std::sqrt(low * high);
      (allowed(gaussian(rate, middle)) ? high : low) = middle;
    }
    out.push_back(gaussian(rate, high));
  }
  return out;
}

TEST_F(LedgerBudget, NoChoiceAfterAResultExceedsTheBudget) {
  constexpr double kFirst = 2, kEpsilon = 3;
  ASSERT_EQ(charged(charge_for(kFirstJob, gaussian(1, kFirst)), lifetime(kEpsilon)), "");
  const PrivacyLedger ledger = open();
  const auto options = worst_options([&](const DpSgdSteps& second) {
    return ledger.refusals(charge_for(kSecondJob, second), lifetime(kEpsilon))->empty();
  });
  const double reached = adaptive_delta(kFirst, options, kEpsilon);
  EXPECT_LE(reached, kDelta);
  EXPECT_GT(reached, kDelta / 100) << "the filter leaves something";
  // Both of these and the first are within (3, 1e-5) by privacy loss distribution.
  for (const DpSgdSteps& second : {gaussian(1, 1.935), gaussian(1e-4, 0.2537)})
    EXPECT_FALSE(ledger.refusals(charge_for(kSecondJob, second), lifetime(kEpsilon))->empty());
}

/// The adversary of the test above is not blind: against a sum it gets nearly twice delta.
TEST_F(LedgerBudget, ASumOfLossesIsNoFilter) {
  constexpr double kFirst = 2, kEpsilon = 3;
  const auto options = worst_options([&](const DpSgdSteps& second) {
    ExampleAccountant both;
    return both.add(gaussian(1, kFirst)).ok() && both.add(second).ok() &&
           both.within(kEpsilon, kDelta);
  });
  EXPECT_GT(adaptive_delta(kFirst, options, kEpsilon), 1.7 * kDelta);
}

TEST_F(LedgerBudget, AFilterIsForAnyNumberOfJobsAndItsOrderIsFixedWithTheFirstCharge) {
  const DpSgdSteps round{.sampling_rate = 0.01, .noise_multiplier = 1, .steps = 100};
  ASSERT_EQ(charged(charge_for(kFirstJob, round), lifetime(2)), "");
  const auto first = open().rule(kDataset).value();
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(first->one_job.has_value());
  EXPECT_NEAR(spent(), epsilon_of(round, kDelta).value(), 1e-12) << "one job: by its losses";
  RdpAccountant sum;
  ASSERT_TRUE(sum.add(round).ok());
  std::uint8_t jobs = 1;
  while (charged(charge_for(Bytes32{++jobs}, round), lifetime(2)).empty()) {
    ASSERT_LT(jobs, 100);
    ASSERT_TRUE(sum.add(round).ok());
    EXPECT_EQ(open().rule(kDataset).value()->order, first->order);
    EXPECT_NEAR(spent(), filter_epsilon(first->order, rdp_at(sum, first->order), kDelta), 1e-12);
  }
  EXPECT_GT(jobs, 4) << "several jobs fit";
  EXPECT_LE(spent(), 2);
  EXPECT_EQ(broken(charge_for(Bytes32{jobs}, round), lifetime(2)),
            std::vector<Limit>{Limit::kLifetime});
  EXPECT_TRUE(broken(charge_for(Bytes32{jobs}, round), lifetime(4)).empty())
      << "the limit is the policy's of today";
}

TEST_F(LedgerBudget, AJobThatTakesTheWholeBudgetByItsLossesHasItAlone) {
  const Budget exact = lifetime(8);
  ASSERT_EQ(charged(of_two_rounds(kFirstJob, 1), exact), "");
  const auto rule = open().rule(kDataset).value();
  ASSERT_TRUE(rule.has_value());
  EXPECT_EQ(rule->one_job, kFirstJob);
  const auto other = charge_for(kSecondJob, gaussian(1, 1000));
  EXPECT_EQ(broken(other, exact), std::vector<Limit>{Limit::kOtherJob});
  EXPECT_NE(charged(other, exact).find("belongs to the job"), std::string::npos);
  ASSERT_EQ(charged(of_two_rounds(kFirstJob, 2), exact), "") << "all that it planned";
  EXPECT_LE(spent(), 8);
  EXPECT_GT(spent(), 7.99);
  EXPECT_EQ(broken(of_two_rounds(kFirstJob, 2, 1), exact), std::vector<Limit>{Limit::kLifetime});
}

TEST_F(LedgerBudget, AnOwnerWhoRaisesTheBudgetDecidesAnewAndThenTheFilterCountsEverything) {
  ASSERT_EQ(charged(of_two_rounds(kFirstJob, 1), lifetime(8)), "");
  ASSERT_EQ(charged(of_two_rounds(kFirstJob, 2), lifetime(8)), "");
  const double order = open().rule(kDataset).value()->order;
  const Charge other = charge_for(kSecondJob, gaussian(1, 10));
  EXPECT_EQ(broken(other, lifetime(8.01)), std::vector<Limit>{Limit::kOtherJob})
      << "the filter says more than 8.01 of what is there";
  EXPECT_EQ(open().rule(kDataset).value()->one_job, kFirstJob);
  ASSERT_EQ(charged(other, lifetime(12)), "");
  const auto rule = open().rule(kDataset).value();
  EXPECT_FALSE(rule->one_job.has_value());
  EXPECT_EQ(rule->order, order) << "the order stays";
  EXPECT_LE(spent(), 12);
  EXPECT_EQ(broken(of_two_rounds(kFirstJob, 1, 1), lifetime(8)),
            std::vector<Limit>{Limit::kLifetime})
      << "lowering it again forgets nothing";
}

/// Kills its process the moment the ledger lets go of it.
struct KillsOnRelease {
  KillsOnRelease() = default;

  KillsOnRelease(KillsOnRelease&&) noexcept { ::raise(SIGKILL); }

  KillsOnRelease& operator=(KillsOnRelease&&) = default;
};

TEST_F(LedgerBudget, HowItIsKeptIsDurableBeforeTheFirstValueIsReleased) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto ledger = PrivacyLedger::open(file_);
    if (ledger.ok())
      static_cast<void>(
          ledger->charge_and_release(of_two_rounds(kFirstJob, 1), lifetime(8), KillsOnRelease()));
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  const auto rule = open().rule(kDataset).value();
  ASSERT_TRUE(rule.has_value());
  EXPECT_EQ(rule->one_job, kFirstJob);
}

TEST_F(LedgerBudget, WithoutALimitNothingIsDecidedUntilThereIsOne) {
  for (std::uint8_t job = 1; job <= 3; ++job)
    ASSERT_EQ(charged(of_two_rounds(Bytes32{job}, 1), lifetime(kInfinity)), "");
  EXPECT_FALSE(open().rule(kDataset).value().has_value());
  ASSERT_EQ(charged(of_two_rounds(Bytes32{4}, 1), lifetime(100)), "");
  EXPECT_TRUE(open().rule(kDataset).value().has_value());
}

TEST_F(LedgerBudget, AJobWithoutPrivacyEndsTheBudgetOfItsDataForEver) {
  Charge without = charge_for(kFirstJob, gaussian(1, 1));
  without.steps.reset();
  without.without_privacy = true;
  ASSERT_EQ(charged(without, lifetime(kInfinity)), "");
  const Charge next = charge_for(kSecondJob, gaussian(1, 1000));
  EXPECT_EQ(broken(next, lifetime(1e6)), std::vector<Limit>{Limit::kEnded});
  EXPECT_NE(charged(next, lifetime(1e6)).find("without differential privacy"), std::string::npos);
}

// ---- What one job may cost.

/// Five attempts at the first round of a job that was calibrated to epsilon 8 over two rounds
/// spend 12.5 where nobody looks.
TEST_F(LedgerBudget, AJobNeverSpendsMoreThanAJobMayHoweverOftenItsRoundsAreTriedAgain) {
  int released = 0;
  for (std::uint16_t attempt = 0; attempt < 5; ++attempt)
    released += charged(of_two_rounds(kFirstJob, 1, attempt), per_job(8)).empty();
  EXPECT_EQ(released, 2);
  EXPECT_LE(spent(), 8);
  const std::string refused = charged(of_two_rounds(kFirstJob, 1, 5), per_job(8));
  EXPECT_NE(refused.find("max_epsilon_per_job 8"), std::string::npos) << refused;
  EXPECT_EQ(broken(of_two_rounds(kFirstJob, 1, 5), per_job(8)), std::vector<Limit>{Limit::kJob});
  Charge again = of_two_rounds(kFirstJob, 1);
  again.run = {77};
  EXPECT_EQ(broken(again, per_job(8)), std::vector<Limit>{Limit::kJob})
      << "a second run of the same job is the same job";
  EXPECT_TRUE(broken(of_two_rounds(kSecondJob, 1), per_job(8)).empty());
}

TEST_F(LedgerBudget, AttemptsThatWereLostCostNoMoreThanTheyMay) {
  const double one = epsilon_of(*of_two_rounds(kFirstJob, 1).steps, kDelta).value();
  const Budget budget = per_job(100, one * 1.01);
  ASSERT_EQ(charged(of_two_rounds(kFirstJob, 1), budget), "");
  ASSERT_EQ(charged(of_two_rounds(kFirstJob, 1, 1), budget), "") << "one attempt was lost";
  EXPECT_EQ(broken(of_two_rounds(kFirstJob, 1, 2), budget),
            std::vector<Limit>{Limit::kLostAttempts});
  ASSERT_EQ(charged(of_two_rounds(kFirstJob, 2), budget), "") << "the first of its round";
  EXPECT_EQ(broken(of_two_rounds(kFirstJob, 2, 1), budget),
            std::vector<Limit>{Limit::kLostAttempts});
  EXPECT_TRUE(broken(of_two_rounds(kSecondJob, 1), budget).empty()) << "of each job";
}

TEST_F(LedgerBudget, AnUpdateThatIsReleasedAgainIsNoLostAttempt) {
  const double one = epsilon_of(*of_two_rounds(kFirstJob, 1).steps, kDelta).value();
  const Budget budget = per_job(100, one * 1.01);
  Charge charge = of_two_rounds(kFirstJob, 1);
  charge.input = {5};
  for (std::uint16_t attempt = 0; attempt < 4; ++attempt) {
    charge.round = RoundNumber::of(1, attempt);
    ASSERT_EQ(charged(charge, budget), "");
  }
  EXPECT_TRUE(broken(of_two_rounds(kFirstJob, 1, 4), budget).empty());
}

// ---- Before a job is accepted.

TEST_F(LedgerBudget, TheOutlookIsOfWhatTheRunStillPlans) {
  const auto fresh = open().outlook(of_two_rounds(kFirstJob, 1), lifetime(8)).value();
  EXPECT_TRUE(fresh.refusals.empty());
  EXPECT_TRUE(fresh.takes_whole_budget);
  EXPECT_NEAR(fresh.after.epsilon, 8, 1e-3);
  ASSERT_EQ(charged(of_two_rounds(kFirstJob, 1), lifetime(8)), "");
  const auto resumed = open().outlook(of_two_rounds(kFirstJob, 1), lifetime(8)).value();
  EXPECT_TRUE(resumed.refusals.empty()) << "a site that was restarted goes on";
  EXPECT_NEAR(resumed.after.epsilon, fresh.after.epsilon, 1e-9);
  Charge again = of_two_rounds(kFirstJob, 1);
  again.run = {77};
  const auto second = open().outlook(again, per_job(8)).value();
  ASSERT_EQ(second.refusals.size(), 1U);
  EXPECT_EQ(second.refusals[0].limit, Limit::kJob) << "a second run plans everything again";
  const auto lost = open().outlook(again, per_job(1000, 0.1)).value();
  ASSERT_EQ(lost.refusals.size(), 1U);
  EXPECT_EQ(lost.refusals[0].limit, Limit::kLostAttempts);
  const auto roomy = open().outlook(of_two_rounds(kSecondJob, 1), lifetime(1000)).value();
  EXPECT_FALSE(roomy.takes_whole_budget);
}

}  // namespace
}  // namespace sotto::privacy
