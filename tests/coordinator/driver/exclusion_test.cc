// Evidence has consequences, and a lost sum is localised (docs/secure-aggregation.md, 2.7): whole
// runs with a member that spoils sums, or contradicts itself.
#include <bit>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/config/parse.h"
#include "common/secagg/shared/transcript.h"
#include "tests/coordinator/driver/federation_in_memory.h"

namespace sotto::coordinator {
namespace {

constexpr std::uint32_t kRounds = 6;

config::JobConfig job_of(std::uint32_t rounds = kRounds) {
  config::JobConfig job =
      config::load_job(std::filesystem::path(SOTTO_SOURCE_DIR) / "configs/quickstart/job.json");
  job.rounds = {.num_server_rounds = rounds,
                .min_available_participants = 3,
                .phase_timeout_s = 5,
                .training_timeout_s = 20,
                .attempts_per_round = 2};
  job.differential_privacy.enabled = false;
  job.secure_aggregation.max_colluders = 1;
  return job;
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
  FederationInMemory federation(n, job_of(), {spoiler});
  ASSERT_TRUE(federation.run());
  ASSERT_EQ(*federation.exit_code(), 0);
  EXPECT_EQ(federation.status_of(spoiler).state, MemberState::kSuspended);
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
    EXPECT_LE(federation.charges(MemberId{id}), kRounds + 1 + lost)
        << "each attempt is charged, and no more than that";
}

INSTANTIATE_TEST_SUITE_P(Members, SpoiledRun, ::testing::Values(4U, 5U, 10U));

TEST(SpoiledRuns, SurviveKillsOfTheCoordinatorAtAnyTime) {
  for (const std::uint64_t every : {211U, 337U}) {
    FederationInMemory federation(5, job_of(), {MemberId{2}});
    federation.killed_every = every;
    ASSERT_TRUE(federation.run()) << every;
    ASSERT_EQ(*federation.exit_code(), 0);
    EXPECT_EQ(federation.status_of(MemberId{2}).state, MemberState::kSuspended);
    for (std::uint32_t id : {1U, 3U, 4U, 5U})
      EXPECT_EQ(federation.status_of(MemberId{id}).state, MemberState::kAccepted);
  }
}

TEST(SpoiledRuns, WhereNobodyCanBeLeftOutTheRunEndsAfterItsAttemptsAndSaysWhy) {
  FederationInMemory federation(3, job_of(), {MemberId{2}});
  ASSERT_TRUE(federation.run());
  EXPECT_EQ(*federation.exit_code(), static_cast<int>(RunEnd::kFailed));
  EXPECT_EQ(federation.lines_with("has no sum"), 2U) << "attempts_per_round";
}

/// Training was over, and the model is written.
TEST(SpoiledRuns, ASpoiledClosingEvaluationLosesNoModel) {
  config::JobConfig job = job_of(1);
  FederationInMemory federation(3, job, {});
  federation.spoils_closing_evaluation(MemberId{3});
  ASSERT_TRUE(federation.run());
  EXPECT_EQ(*federation.exit_code(), 0);
  EXPECT_TRUE(std::filesystem::exists(federation.folder() / "model"));
  EXPECT_NE(federation.status().detail.find("there is no closing evaluation"), std::string::npos)
      << federation.status().detail;
}

/// It says a second M1 in each attempt that it is offered.
std::vector<wire::Message> second_advertise(const crypto::SigningKey& key, const Bytes32& h,
                                            const wire::Message& message) {
  const auto* m1 = std::get_if<wire::Advertise>(&message);
  if (m1 == nullptr) return {};
  wire::Advertise other = *m1;
  ++other.cm_b[0];
  secagg::sign_advertise(key, h, other);
  return {other};
}

struct ConvictedMember : ::testing::Test {
  static constexpr MemberId kGuilty{4};
  FederationInMemory federation{5, job_of()};

  void SetUp() override {
    federation.also_says = [this](MemberId member, const crypto::SigningKey& key,
                                  const wire::Message& message) {
      return member == kGuilty ? second_advertise(key, federation.newest_h(), message)
                               : std::vector<wire::Message>{};
    };
  }

  void expect_convicted_once() {
    EXPECT_EQ(federation.offers(kGuilty), 1U) << "it is in no further round";
    EXPECT_EQ(federation.status_of(kGuilty).state, MemberState::kConvicted);
    EXPECT_NE(federation.status_of(kGuilty).reason.find("Advertise"), std::string::npos);
    EXPECT_EQ(federation.lines_with("evidence against"), 1U);
    EXPECT_EQ(federation.lines_with("site-4 is in no further round of this run"), 1U);
    const auto files = std::filesystem::directory_iterator(federation.folder() / "evidence");
    EXPECT_EQ(std::distance(begin(files), end(files)), 1);
  }
};

TEST_F(ConvictedMember, IsInvitedIntoNoFurtherRound) {
  ASSERT_TRUE(federation.run());
  EXPECT_EQ(*federation.exit_code(), 0);
  expect_convicted_once();
  EXPECT_EQ(federation.status_of(kGuilty).misdeeds, 2U) << "the rejected message and the breach";
  const auto status = nlohmann::json::parse(to_json(federation.status()));
  EXPECT_EQ(status["members"][3]["state"], "convicted");
  EXPECT_EQ(status["members"][0]["state"], "accepted");
  const auto kept = federation.seen().all<EvidenceKept>();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_TRUE(kept[0].proves);
  const auto excluded = federation.seen().all<MemberExcluded>();
  ASSERT_EQ(excluded.size(), 1U);
  EXPECT_EQ(excluded[0].member, kGuilty);
  EXPECT_EQ(excluded[0].state, MemberState::kConvicted);
}

TEST_F(ConvictedMember, StaysOutOverRestarts) {
  federation.killed_every = 307;
  ASSERT_TRUE(federation.run());
  EXPECT_EQ(*federation.exit_code(), 0);
  EXPECT_EQ(federation.status_of(kGuilty).state, MemberState::kConvicted);
  EXPECT_EQ(federation.lines_with("evidence against"), 1U);
}

TEST(ConvictedMembers, AreNamedWhenTooFewAreLeft) {
  FederationInMemory federation(3, job_of());
  federation.also_says = [&](MemberId member, const crypto::SigningKey& key,
                             const wire::Message& message) {
    return member == MemberId{2} ? second_advertise(key, federation.newest_h(), message)
                                 : std::vector<wire::Message>{};
  };
  ASSERT_TRUE(federation.run());
  EXPECT_EQ(*federation.exit_code(), static_cast<int>(RunEnd::kFailed));
  EXPECT_EQ(federation.lines_with("too few members accept the job (3 needed): site-2: convicted: "
                                  "Advertise"),
            1U);
}

}  // namespace
}  // namespace sotto::coordinator
