// Runs in which every member makes every model by itself (docs/secure-aggregation.md, 2.8).
#include <gtest/gtest.h>

#include "tests/federation/federation.h"

namespace sotto::simulation {
namespace {

constexpr std::uint64_t kRounds = 4;

FederationConfig with_lineage(std::vector<std::string> overrides = {}) {
  overrides.insert(overrides.begin(), {"rounds.num_server_rounds=" + std::to_string(kRounds),
                                       "secure_aggregation.model_lineage=true"});
  return {.seed = 31, .members = 5, .job = small_job(overrides)};
}

void expect_done(Federation& federation) {
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_EQ(federation.exit_code(), 0) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  EXPECT_EQ(federation.done_rounds(), kRounds + 1) << federation.report();
}

/// The header names the hash of the coordinator's model, which members trained on.
void expect_trained_on_the_coordinators(Federation& federation, MemberId member) {
  EXPECT_EQ(federation.trained_on(member, kRounds),
            federation.checker().header(RoundNumber::of(kRounds, 0))->model_hash);
  EXPECT_NE(federation.trained_on(member, kRounds), federation.initial_model().hash());
}

std::uint64_t bytes_of_models(Federation& federation) {
  std::uint64_t bytes = 0;
  federation.interception.to_member = [&bytes](MemberId, RoundNumber, wire::Message message) {
    if (const auto* data = std::get_if<wire::BlobData>(&message)) bytes += data->data.size();
    return Messages{std::move(message)};
  };
  expect_done(federation);
  return bytes;
}

TEST(Lineage, GivesTheModelThatDownloadsGive) {
  FederationConfig config = with_lineage();
  config.values = 200;
  Federation making(config);
  config.job = small_job({"rounds.num_server_rounds=" + std::to_string(kRounds)});
  Federation downloading(config);
  EXPECT_LT(bytes_of_models(making), bytes_of_models(downloading)) << "sums are fetched instead";
  for (std::uint32_t id = 1; id <= 5; ++id) {
    expect_trained_on_the_coordinators(making, MemberId{id});
    expect_trained_on_the_coordinators(downloading, MemberId{id});
  }
  EXPECT_LT(largest_difference(making.model(), downloading.model()), kRounds * kRoundingStep);
}

TEST(Lineage, AMemberThatStartsAgainWalksTheWholeWay) {
  const MemberId victim{2};
  FederationConfig config = with_lineage();
  config.faults = {
      {.member = victim, .round = 1, .moment = Moment::kShares, .kind = Fault::Kind::kCrash}};
  Federation federation(config);
  expect_done(federation);
  EXPECT_EQ(federation.checker().survivors(RoundNumber::of(2, 0)).size(), 4U) << "it was not away";
  expect_trained_on_the_coordinators(federation, victim);
}

TEST(Lineage, OneThatMissedRoundsCatchesUp) {
  const MemberId late{3};
  FederationConfig config = with_lineage({"rounds.num_server_rounds=8"});
  config.faults = {{.member = late, .round = 0, .moment = Moment::kAdvertise},
                   {.member = late, .round = 1, .moment = Moment::kAdvertise}};
  Federation federation(config);
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  for (const std::uint64_t round : {1U, 2U})
    EXPECT_FALSE(federation.checker().survivors(RoundNumber::of(round, 0)).contains(late));
  EXPECT_EQ(federation.trained_on(late, 8),
            federation.checker().header(RoundNumber::of(8, 0))->model_hash);
}

TEST(Lineage, HoldsOverBrokenLinksAndAKilledCoordinator) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    FederationConfig config = with_lineage({"rounds.attempts_per_round=20"});
    config.seed = seed;
    config.links.break_on_delivery = 0.005;
    config.coordinator_kills_per_event = 0.005;
    Federation federation(config);
    ASSERT_TRUE(federation.run()) << federation.report();
    EXPECT_TRUE(federation.failures().empty()) << federation.report();
    EXPECT_EQ(federation.exit_code(), 0) << federation.report();
  }
}

TEST(Lineage, GoesWithNoiseInsideTheSums) {
  Federation federation(
      with_lineage({"distributed_privacy.enabled=true", "distributed_privacy.noise_multiplier=1",
                    "secure_aggregation.expected_dropout_percent=20"}));
  expect_done(federation);
  for (std::uint32_t id = 1; id <= 5; ++id)
    expect_trained_on_the_coordinators(federation, MemberId{id});
}

}  // namespace
}  // namespace sotto::simulation
