// Evidence has consequences, and a lost sum is localised (docs/secure-aggregation.md, 2.7): whole
// runs with a member that spoils sums, or contradicts itself.
#include <bit>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/secagg/shared/transcript.h"
#include "tests/federation/federation.h"

namespace sotto::simulation {
namespace {

constexpr std::uint32_t kRounds = 6;

config::JobConfig job_of(std::uint32_t rounds = kRounds) {
  return small_job(
      {"rounds.num_server_rounds=" + std::to_string(rounds), "rounds.attempts_per_round=2"});
}

/// `spoilers` upload something else than they should.
FederationConfig of(std::uint32_t members, std::set<MemberId> spoilers = {}) {
  return {.members = members, .job = job_of(), .spoilers = std::move(spoilers)};
}

std::vector<nlohmann::json> lines_of(const std::filesystem::path& file) {
  std::vector<nlohmann::json> out;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);)
    out.push_back(nlohmann::json::parse(line));
  return out;
}

struct SpoiledRun : ::testing::TestWithParam<std::uint32_t> {};

TEST_P(SpoiledRun, GoesOnToItsEndAndTheSpoilerIsSuspended) {
  const std::uint32_t n = GetParam();
  const MemberId spoiler{n / 2 + 1};
  Federation federation(of(n, {spoiler}));
  ASSERT_TRUE(federation.run());
  ASSERT_EQ(*federation.exit_code(), 0);
  EXPECT_EQ(federation.status_of(spoiler).state, coordinator::MemberState::kSuspended);
  EXPECT_EQ(federation.lines_with("is suspended"), 1U);
  EXPECT_TRUE(std::filesystem::exists(federation.folder() / "model"));
  const std::size_t lost = federation.lines_with("has no sum");
  EXPECT_LE(lost, n == 4 ? 4U : static_cast<std::size_t>(std::bit_width(n - 1)));
  EXPECT_GT(lost, 0U);
  std::size_t done = 0;
  for (const auto& line : lines_of(federation.folder() / "metrics.jsonl"))
    done += line["status"] == "done" ? 1U : 0U;
  EXPECT_EQ(done, kRounds + 1);
  for (std::uint32_t id = 1; id <= n; ++id)
    EXPECT_LE(federation.charges(MemberId{id}).size(), kRounds + 1 + lost)
        << "each attempt is charged, and no more than that";
}

INSTANTIATE_TEST_SUITE_P(Members, SpoiledRun, ::testing::Values(4U, 5U, 10U));

TEST(SpoiledRuns, SurviveKillsOfTheCoordinatorAtAnyTime) {
  for (const double every : {211.0, 337.0}) {
    FederationConfig config = of(5, {MemberId{2}});
    config.coordinator_kills_per_event = 1.0 / every;
    Federation federation(config);
    ASSERT_TRUE(federation.run()) << every;
    ASSERT_EQ(*federation.exit_code(), 0);
    EXPECT_EQ(federation.status_of(MemberId{2}).state, coordinator::MemberState::kSuspended);
    for (std::uint32_t id : {1U, 3U, 4U, 5U})
      EXPECT_EQ(federation.status_of(MemberId{id}).state, coordinator::MemberState::kAccepted);
  }
}

TEST(SpoiledRuns, WhereNobodyCanBeLeftOutTheRunEndsAfterItsAttemptsAndSaysWhy) {
  Federation federation(of(3, {MemberId{2}}));
  ASSERT_TRUE(federation.run());
  EXPECT_EQ(*federation.exit_code(), static_cast<int>(coordinator::RunEnd::kFailed));
  EXPECT_EQ(federation.lines_with("has no sum"), 2U) << "attempts_per_round";
}

/// Training was over, and the model is written.
TEST(SpoiledRuns, ASpoiledClosingEvaluationLosesNoModel) {
  Federation federation({.members = 3, .job = job_of(1), .spoils_evaluation = MemberId{3}});
  ASSERT_TRUE(federation.run());
  EXPECT_EQ(*federation.exit_code(), 0);
  EXPECT_TRUE(std::filesystem::exists(federation.folder() / "model"));
  EXPECT_NE(federation.status().detail.find("there is no closing evaluation"), std::string::npos)
      << federation.status().detail;
}

/// It sends a second M1 in each attempt that it is offered.
Lie second_advertise(const Federation& federation, MemberId liar) {
  return [&federation, liar](MemberId from, RoundNumber, const crypto::SigningKey& key,
                             wire::Message message) {
    std::vector<wire::Message> out{message};
    const auto* m1 = std::get_if<wire::Advertise>(&message);
    if (from != liar || m1 == nullptr) return out;
    wire::Advertise other = *m1;
    ++other.cm_b[0];
    secagg::sign_advertise(key, federation.newest_h(), other);
    out.emplace_back(other);
    return out;
  };
}

struct OffendingMember : ::testing::Test {
  static constexpr MemberId kLiar{4};

  static void expect_offender_once(const Federation& federation) {
    EXPECT_EQ(federation.offers(kLiar), 1U) << "it is in no further round";
    EXPECT_EQ(federation.status_of(kLiar).state, coordinator::MemberState::kOffender);
    EXPECT_NE(federation.status_of(kLiar).reason.find("Advertise"), std::string::npos);
    EXPECT_EQ(federation.lines_with("evidence against"), 1U);
    EXPECT_EQ(federation.lines_with("site-4 takes part in no further round of this run"), 1U);
    const auto files = std::filesystem::directory_iterator(federation.folder() / "evidence");
    EXPECT_EQ(std::distance(begin(files), end(files)), 1);
  }
};

TEST_F(OffendingMember, IsInvitedIntoNoFurtherRound) {
  Federation federation(of(5));
  federation.lie = second_advertise(federation, kLiar);
  ASSERT_TRUE(federation.run());
  EXPECT_EQ(*federation.exit_code(), 0);
  expect_offender_once(federation);
  EXPECT_EQ(federation.status_of(kLiar).violations, 2U) << "the rejected message and the breach";
  const auto status = nlohmann::json::parse(coordinator::to_json(federation.status()));
  EXPECT_EQ(status["members"][3]["state"], "convicted");
  EXPECT_EQ(status["members"][0]["state"], "accepted");
  const auto kept = federation.seen().all<coordinator::EvidenceKept>();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_TRUE(kept[0].proves);
  const auto excluded = federation.seen().all<coordinator::MemberExcluded>();
  ASSERT_EQ(excluded.size(), 1U);
  EXPECT_EQ(excluded[0].member, kLiar);
  EXPECT_EQ(excluded[0].state, coordinator::MemberState::kOffender);
}

TEST_F(OffendingMember, StaysOutOverRestarts) {
  FederationConfig config = of(5);
  config.coordinator_kills_per_event = 1.0 / 307;
  Federation federation(config);
  federation.lie = second_advertise(federation, kLiar);
  ASSERT_TRUE(federation.run());
  EXPECT_EQ(*federation.exit_code(), 0);
  EXPECT_EQ(federation.status_of(kLiar).state, coordinator::MemberState::kOffender);
  EXPECT_EQ(federation.lines_with("evidence against"), 1U);
}

TEST(OffendingMembers, AreNamedWhenTooFewAreLeft) {
  Federation federation(of(3));
  federation.lie = second_advertise(federation, MemberId{2});
  ASSERT_TRUE(federation.run());
  EXPECT_EQ(*federation.exit_code(), static_cast<int>(coordinator::RunEnd::kFailed));
  EXPECT_EQ(
      federation.lines_with("too few members accept the job (3 are needed): site-2: convicted: "
                            "Advertise"),
      1U);
}

}  // namespace
}  // namespace sotto::simulation
