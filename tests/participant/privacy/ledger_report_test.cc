// What `sotto-participant ledger` says (participant/privacy/ledger_report.h), and what the account
// makes of the ledger's refusals (participant/privacy/account.h).
#include "participant/privacy/ledger_report.h"

#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/privacy/accounting/calibration.h"
#include "participant/privacy/account.h"
#include "tests/temporary_directory.h"

namespace sotto::participant {
namespace {

using nlohmann::json;

constexpr double kDelta = 1e-5;
constexpr std::uint64_t kSteps = 100;

config::SiteConfig site_with(double max_epsilon) {
  config::SiteConfig site;
  site.data.dataset_id = "ward-7";
  site.policy.max_epsilon = site.policy.max_epsilon_per_job = max_epsilon;
  site.policy.delta = kDelta;
  return site;
}

/// Two rounds that were calibrated to epsilon 8.
config::JobConfig job_named(const std::string& name, std::uint8_t hash) {
  config::JobConfig job;
  job.name = name;
  job.hash = {hash};
  job.rounds.num_server_rounds = 2;
  job.differential_privacy.target_epsilon = 8;
  job.differential_privacy.target_delta = kDelta;
  return job;
}

privacy::DpSgdSteps steps() {
  static const double noise =
      privacy::calibrate_noise_multiplier(
          {.epsilon = 8, .delta = kDelta, .sampling_rate = 0.05, .steps = 2 * kSteps},
          privacy::accountants::pld)
          .value();
  return {.sampling_rate = 0.05, .noise_multiplier = noise, .steps = kSteps};
}

class LedgerReportTest : public testing::Test {
 protected:
  [[nodiscard]] Status charge(const config::SiteConfig& site, const config::JobConfig& job,
                              RoundNumber round) {
    const SiteAccount account = account_of(site, job, RunId{9}, steps());
    const privacy::Charge charge = training_charge(account, round, {}, std::nullopt);
    const Status said = affordable(ledger_, account, charge);
    const auto released = ledger_.charge_and_release(charge, account.budget, 1);
    EXPECT_EQ(said.ok(), released.ok()) << "training is begun for what can be released alone";
    return said;
  }

  [[nodiscard]] std::string text(const config::SiteConfig& site) const {
    return describe(report_of(ledger_, site).value());
  }

  const TemporaryDirectory directory_;
  privacy::PrivacyLedger ledger_ = privacy::PrivacyLedger::open(directory_ / "ledger").value();
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(LedgerReportTest, NamesJobsAndExplainsInsteadOfSayingInfinity) {
  const config::SiteConfig site = site_with(8);
  ASSERT_TRUE(charge(site, job_named("snips", 1), RoundNumber::of(1, 0)).ok());
  ASSERT_TRUE(charge(site, job_named("snips", 1), RoundNumber::of(1, 1)).ok());
  const std::string said = text(site);
  EXPECT_TRUE(has(said, "of 8.0000 is spent at delta 1e-05")) << said;
  EXPECT_TRUE(has(said, "job 'snips' 0100000000000000, run 0900000000000000")) << said;
  EXPECT_TRUE(has(said, "round 1, attempt 1")) << said;
  EXPECT_TRUE(has(said, "there is no guarantee, because an update went into a sum without noise"));
  EXPECT_TRUE(has(said, "The whole budget belongs to the job 'snips' 0100000000000000,")) << said;
  EXPECT_FALSE(has(said, "inf")) << said;
  const json out = json::parse(to_json(report_of(ledger_, site).value()));
  EXPECT_EQ(out["entries"], 2);
  EXPECT_EQ(out["charges"][1]["job"], "snips");
  EXPECT_EQ(out["charges"][1]["attempt"], 1);
  EXPECT_EQ(out["budget"]["mode"], "one_job");
  EXPECT_TRUE(out["participant_epsilon"].is_null());
}

TEST_F(LedgerReportTest, NamesTheUnitOfTheBudgetAndOfEachCharge) {
  const config::SiteConfig site = site_with(8);
  config::JobConfig persons = job_named("ward", 5);
  persons.differential_privacy.unit = privacy::ProtectedUnit::kPerson;
  persons.differential_privacy.examples_per_person = 12;
  ASSERT_TRUE(charge(site, persons, RoundNumber::of(1, 0)).ok());
  const std::string said = text(site);
  EXPECT_TRUE(has(said, "(add or remove one person)")) << said;
  EXPECT_TRUE(has(said, "for a person with at most 12 examples, epsilon after it")) << said;
  const Status other = charge(site, job_named("snips", 1), RoundNumber::of(1, 0));
  ASSERT_FALSE(other.ok());
  EXPECT_TRUE(has(other.error().message, "kept for another unit")) << other.error().message;
  const json out = json::parse(to_json(report_of(ledger_, site).value()));
  EXPECT_EQ(out["adjacency"], "add or remove one person");
  EXPECT_EQ(out["charges"][0]["unit"], "person");
  EXPECT_EQ(out["charges"][0]["examples_per_person"], 12);
}

TEST_F(LedgerReportTest, MixedUnitsHaveNoEpsilonAndItSaysWhy) {
  config::SiteConfig site = site_with(8);
  site.policy.max_epsilon = site.policy.max_epsilon_per_job =
      std::numeric_limits<double>::infinity();
  config::JobConfig persons = job_named("ward", 5);
  persons.differential_privacy.unit = privacy::ProtectedUnit::kPerson;
  ASSERT_TRUE(charge(site, persons, RoundNumber::of(1, 0)).ok());
  ASSERT_TRUE(charge(site, job_named("snips", 1), RoundNumber::of(1, 1)).ok());
  EXPECT_TRUE(has(text(site), "are mixed")) << text(site);
  EXPECT_FALSE(has(text(site), "inf")) << text(site);
  EXPECT_TRUE(json::parse(to_json(report_of(ledger_, site).value()))["epsilon"].is_null());
}

TEST_F(LedgerReportTest, SaysWhichJobEndedTheBudgetForEver) {
  config::SiteConfig site = site_with(8);
  site.policy.require_differential_privacy = false;
  config::JobConfig job = job_named("careless", 3);
  job.differential_privacy.enabled = false;
  ASSERT_TRUE(charge(site, job, RoundNumber::of(1, 0)).ok());
  EXPECT_TRUE(has(text(site), "permanently: the job 'careless' 0300000000000000 ran without"))
      << text(site);
  EXPECT_FALSE(has(text(site), "inf")) << text(site);
  const Status next = charge(site, job_named("careful", 4), RoundNumber::of(1, 0));
  ASSERT_FALSE(next.ok());
  EXPECT_TRUE(has(next.error().message, "has ended the privacy budget")) << next.error().message;
}

TEST_F(LedgerReportTest, TheReasonForTheOtherSideNamesTheLimitAndNoFigure) {
  config::SiteConfig site = site_with(1000);
  site.policy.max_epsilon_per_job = 8;
  const config::JobConfig job = job_named("snips", 1);
  ASSERT_TRUE(charge(site, job, RoundNumber::of(1, 0)).ok());
  ASSERT_TRUE(charge(site, job, RoundNumber::of(1, 1)).ok());
  const Status third = charge(site, job, RoundNumber::of(1, 2));
  ASSERT_FALSE(third.ok());
  EXPECT_EQ(third.error().message,
            "all runs and attempts of this job together have used the epsilon that this site "
            "allows a job");
  privacy::DpSgdSteps both = steps();
  both.steps *= 2;
  const SiteAccount again = account_of(site, job, RunId{10}, steps());
  const PrivacyCost cost = cost_of(ledger_, again, job, std::nullopt).value();
  EXPECT_TRUE(cost.beyond_job) << "a second run is said before it begins";
  EXPECT_FALSE(cost.beyond_lifetime);
  EXPECT_NEAR(cost.lost_epsilon_after_job, privacy::epsilon_of(both, kDelta).value(), 1e-9)
      << "one attempt that was lost, and round 1 once more";
  site.policy.max_epsilon_per_job = 1000;
  site.policy.max_lost_epsilon_per_job = 0.1;
  const Status lost = charge(site, job, RoundNumber::of(1, 3));
  ASSERT_FALSE(lost.ok());
  EXPECT_TRUE(has(lost.error().message, "for lost attempts")) << lost.error().message;
}

TEST_F(LedgerReportTest, ABudgetThatIsAnotherJobsIsSaidBeforeTheJobIsAccepted) {
  const config::SiteConfig site = site_with(8);
  const config::JobConfig first = job_named("snips", 1), second = job_named("other", 2);
  const PrivacyCost before =
      cost_of(ledger_, account_of(site, first, RunId{9}, steps()), first, std::nullopt).value();
  EXPECT_TRUE(before.takes_whole_budget);
  EXPECT_FALSE(before.beyond_lifetime);
  ASSERT_TRUE(charge(site, first, RoundNumber::of(1, 0)).ok());
  const PrivacyCost resumed =
      cost_of(ledger_, account_of(site, first, RunId{9}, steps()), first, std::nullopt).value();
  EXPECT_FALSE(resumed.beyond_lifetime) << "a site that was restarted goes on";
  const PrivacyCost other =
      cost_of(ledger_, account_of(site, second, RunId{10}, steps()), second, std::nullopt).value();
  EXPECT_TRUE(other.beyond_lifetime);
  EXPECT_TRUE(has(other.lifetime_reason, "another job has the privacy budget"))
      << other.lifetime_reason;
}

}  // namespace
}  // namespace sotto::participant
