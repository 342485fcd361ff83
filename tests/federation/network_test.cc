// A bad network may change which members are in a sum and how long a round takes, but never the
// value of the sum.
#include <numeric>

#include <gtest/gtest.h>

#include "tests/federation/federation.h"

namespace sotto::simulation {
namespace {

using wire::RoundStatus;

FederationConfig five_members(std::vector<std::string> overrides = {}) {
  return {.seed = 2, .members = 5, .job = small_job(overrides)};
}

double seconds_of(const coordinator::RoundRecord& round) {
  return std::accumulate(round.phase_s.begin(), round.phase_s.end(), 0.0,
                         [](double sum, const auto& phase) { return sum + phase.second; });
}

void expect_all_in_all_sums(Federation& federation) {
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_EQ(federation.exit_code(), 0) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  ASSERT_EQ(federation.rounds().size(), 3U) << federation.report();
  for (const auto& round : federation.rounds())
    EXPECT_EQ(round.survivors, 5U) << federation.report();
  for (const coordinator::MemberStatus& member : federation.status().members)
    EXPECT_EQ(member.violations, 0U) << "a repetition is no breach of the protocol";
}

TEST(Network, AQuietOneLosesNothing) {
  Federation federation(five_members());
  expect_all_in_all_sums(federation);
  EXPECT_NE(federation.model().hash(), federation.initial_model().hash());
  Checker& checker = federation.checker();
  EXPECT_EQ(checker.header(RoundNumber::of(2, 0))->lanes.size(), 3U);
  EXPECT_EQ(checker.header(RoundNumber::of(3, 0))->lanes.size(), 1U)
      << "the closing evaluation has counters only";
}

TEST(Network, DuplicatesAndReorderingChangeNothing) {
  FederationConfig config = five_members();
  Federation quiet(config);
  config.links = {.duplicate = 0.5, .min_delay = Duration(1), .max_delay = Duration(400)};
  Federation rough(config);
  expect_all_in_all_sums(quiet);
  expect_all_in_all_sums(rough);
  EXPECT_LT(largest_difference(quiet.model(), rough.model()), 2 * kRoundingStep);
}

TEST(Network, NarrowLinksMakeRoundsSlowAndChangeNothingElse) {
  FederationConfig config = five_members();
  Federation wide(config);
  config.links.bytes_per_second = 2000;  // a round is some thousand bytes a member
  Federation narrow(config);
  Federation again(config);
  expect_all_in_all_sums(wide);
  expect_all_in_all_sums(narrow);
  expect_all_in_all_sums(again);
  EXPECT_LT(largest_difference(wide.model(), narrow.model()), 2 * kRoundingStep);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_GT(seconds_of(narrow.rounds()[i]), 1.5 * seconds_of(wide.rounds()[i]));
  EXPECT_EQ(narrow.history(), again.history()) << "seeded";
}

TEST(Network, ALinkTooNarrowForTheDeadlinesLosesRoundsAndNeverASum) {
  FederationConfig config = five_members({"rounds.attempts_per_round=3"});
  config.links.bytes_per_second = 100;
  Federation federation(config);
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  EXPECT_EQ(federation.exit_code(), static_cast<int>(coordinator::RunEnd::kFailed));
  EXPECT_EQ(federation.rounds().size(), 3U) << federation.report();
  EXPECT_EQ(federation.done_rounds(), 0U);
}

/// Uploads of some seconds, and less time for them. Members make the model by themselves, so that
/// nothing but the upload is slow.
FederationConfig with_slow_uploads(std::size_t values) {
  FederationConfig config = five_members(
      {"rounds.num_server_rounds=1", "rounds.training_timeout_s=5", "rounds.phase_timeout_s=30",
       "rounds.attempts_per_round=1", "secure_aggregation.model_lineage=true"});
  config.values = values;
  config.links.bytes_per_second = 150000;
  return config;
}

TEST(Network, ASlowUploadThatAdvancesIsWaitedForBeyondItsDeadline) {
  Federation federation(with_slow_uploads(300000));
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  const auto first = federation.rounds().front();
  EXPECT_EQ(first.status, RoundStatus::kDone) << federation.report();
  EXPECT_EQ(first.survivors, 5U);
  EXPECT_GT(first.phase_s.at("Upload"), 5.0);
}

TEST(Network, AnUploadThatOnlyTricklesIsNotWaitedForForEver) {
  Federation federation(with_slow_uploads(900000));
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  EXPECT_TRUE(federation.checker().uploaded(MemberId{1}, RoundNumber::of(1, 0)));
  EXPECT_EQ(federation.done_rounds(), 0U) << federation.report();
}

TEST(Network, LossMakesDropoutsAndNeverAWrongSum) {
  std::uint64_t sums = 0, absent = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    FederationConfig config = five_members({"rounds.attempts_per_round=20"});
    config.seed = seed;
    config.members = 6;
    config.links.loss = 0.01;
    Federation federation(config);
    ASSERT_TRUE(federation.run()) << federation.report();
    EXPECT_TRUE(federation.failures().empty()) << federation.report();
    sums += federation.checker().sums();
    for (const auto& round : federation.rounds())
      if (coordinator::is_done(round)) absent += 6 - round.survivors;
  }
  EXPECT_GE(sums, 50U) << "of 60";
  EXPECT_GT(absent, 0U) << "no message that was lost made a dropout";
}

}  // namespace
}  // namespace sotto::simulation
