// The coordinator asks in a round's header for the largest least sum that a member of the cohort
// declared, leaves out whose demand the round cannot meet, and plans the same after a restart.
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/config/parse.h"
#include "common/crypto/hash.h"
#include "common/secagg/shared/transcript.h"
#include "common/wire/codec.h"
#include "coordinator/driver/coordinator.h"
#include "tests/coordinator/driver/seen_events.h"
#include "tests/temporary_directory.h"

namespace sotto::coordinator {
namespace {

constexpr std::uint32_t kMembers = 5;

/// Keeps the newest round header that each member was offered.
class OfferingHost final : public Host {
 public:
  [[nodiscard]] TimePoint now() const override { return TimePoint(Duration(1000)); }

  bool send(MemberId peer, Bytes frame) override {
    const auto decoded = wire::decode(frame);
    if (const auto* job = std::get_if<wire::JobOffer>(&decoded->message)) offered_job = *job;
    if (const auto* offer = std::get_if<wire::Offer>(&decoded->message))
      headers[peer] = offer->header;
    return true;
  }

  void wake_at(TimePoint) override {}

  void compute(std::function<void()>, std::function<void()>) override {}

  void finish(int) override { finished = true; }

  wire::JobOffer offered_job;
  std::map<MemberId, wire::RoundHeader> headers;
  bool finished = false;
};

class LeastSumPlan : public ::testing::Test {
 protected:
  LeastSumPlan() {
    roster.coordinator_signing_key = signing.verify_key();
    for (std::uint32_t i = 1; i <= kMembers; ++i)
      roster.members.push_back({.id = MemberId{i},
                                .signing_key = member_key.verify_key(),
                                .transport_key = {static_cast<std::uint8_t>(i)},
                                .name = "site-" + std::to_string(i)});
    events.add(seen);
    start();
  }

  void start() {
    app.reset();  // it holds the folder
    host = {};
    app.emplace(CoordinatorOptions{.roster = roster,
                                   .job = config::load_job(std::filesystem::path(SOTTO_SOURCE_DIR) /
                                                           "configs/quickstart/job.json"),
                                   .folder = folder / "run",
                                   .initial_model = {.layout = {{"w", {2}}}, .values = {1, 2}}},
                host, signing, random, events);
    app->start();
  }

  /// All members accept the job; the last one to answer begins the round.
  void accept(const std::map<std::uint32_t, std::uint32_t>& least_sums) {
    for (std::uint32_t i = 1; i <= kMembers; ++i)
      app->on_frame(MemberId{i},
                    wire::encode(MemberId{i}, {}, wire::Hello{.roster_hash = roster.hash()}));
    for (std::uint32_t i = 1; i <= kMembers; ++i) {
      const auto demand = least_sums.find(i);
      wire::JobReply reply{.run = host.offered_job.run,
                           .job_hash = crypto::hash("SOTTO job", {view_of(host.offered_job.job)}),
                           .id = MemberId{i},
                           .answer = wire::JobAnswer::kAccept,
                           .least_sum = demand == least_sums.end() ? 3 : demand->second};
      secagg::sign_job_reply(member_key, reply);
      app->on_frame(MemberId{i}, wire::encode(MemberId{i}, {}, reply));
    }
  }

  TemporaryDirectory folder;
  crypto::StreamRandom random{7};
  crypto::SigningKey signing = crypto::SigningKey::generate(random);
  crypto::SigningKey member_key = crypto::SigningKey::generate(random);  // of all
  config::Roster roster;
  OfferingHost host;
  SeenEvents seen;
  RunEvents events{[] { return std::uint64_t{0}; }};
  std::optional<Coordinator> app;
};

TEST_F(LeastSumPlan, TheHeaderAsksForWhatTheJobAsksFor) {
  accept({});
  ASSERT_EQ(host.headers.size(), 5U) << seen.text();
  EXPECT_EQ(host.headers.at(MemberId{1}).s_min, 4U);
}

TEST_F(LeastSumPlan, TheLargestDemandOfTheCohortIsInEverybodysHeader) {
  accept({{2, 5}});
  ASSERT_EQ(host.headers.size(), 5U) << seen.text();
  for (const auto& [id, header] : host.headers) {
    EXPECT_EQ(header.s_min, 5U);
    EXPECT_EQ(header.n, 5U);
  }
}

TEST_F(LeastSumPlan, WhoDemandsMoreThanTheRoundHasIsLeftOutAndNamed) {
  accept({{2, 9}});
  ASSERT_EQ(host.headers.size(), 4U) << seen.text();
  EXPECT_FALSE(host.headers.contains(MemberId{2}));
  EXPECT_EQ(host.headers.at(MemberId{1}).s_min, 3U);
  EXPECT_NE(seen.text().find("site-2 takes part only in sums of at least 9 (policy.min_cohort)"),
            std::string::npos)
      << seen.text();
}

TEST_F(LeastSumPlan, ARunInWhichTooFewAreLeftEndsWithTheirDemands) {
  accept({{2, 9}, {3, 6}});
  EXPECT_TRUE(host.headers.empty());
  EXPECT_TRUE(host.finished);
  EXPECT_NE(seen.text().find("site-3 takes part only in sums of at least 6"), std::string::npos)
      << seen.text();
}

TEST_F(LeastSumPlan, ARestartPlansTheSameRound) {
  accept({{2, 5}});
  const auto before = host.headers;
  ASSERT_EQ(before.size(), 5U);
  start();
  EXPECT_NE(seen.text().find("continues in phase"), std::string::npos) << seen.text();
  accept({});  // what they declare now is for the next attempt
  EXPECT_EQ(host.headers, before);
}

}  // namespace
}  // namespace sotto::coordinator
