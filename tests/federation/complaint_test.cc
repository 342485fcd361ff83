// Complaints about shares in whole runs (docs/secure-aggregation.md, "Bad shares"): members that
// lie take nobody out of a sum, and the shares that are opened never amount to a secret.
#include <algorithm>

#include <gtest/gtest.h>

#include "common/job/plan.h"
#include "common/secagg/shared/transcript.h"
#include "common/wire/codec.h"
#include "coordinator/members/conflict_log.h"
#include "tests/federation/federation.h"

namespace sotto::simulation {
namespace {

using secagg::Conflict;
using secagg::ConflictEnd;
using wire::RoundStatus;

constexpr MemberId kLiar{1}, kVictim{2}, kHolder{3};

/// The members of a round by cohort index.
secagg::Cohort cohort_of(const Federation& federation, RoundNumber round) {
  auto members = job::signers(federation.roster());
  if (!federation.shared_randomness()) return secagg::Cohort(std::move(members));
  return secagg::Cohort::on_ring(
      secagg::ring_order(*federation.shared_randomness(), round, std::move(members)));
}

/// The roles in a round: `liar` complains about the good share of `victim` and corrupts the share
/// that it seals for `holder`.
struct Roles {
  MemberId liar{}, victim{}, holder{};
};

using RolesOf = std::function<Roles(RoundNumber)>;

void make_lie(Federation& federation, const RolesOf& roles_of) {
  federation.lie = [&federation, roles_of](MemberId from, RoundNumber round,
                                           const crypto::SigningKey& key, wire::Message message) {
    const auto is_concerned = std::holds_alternative<wire::ShareCheck>(message) ||
                              std::holds_alternative<wire::Shares>(message);
    if (!is_concerned) return Messages{std::move(message)};
    const Roles roles = roles_of(round);
    if (from != roles.liar) return Messages{std::move(message)};
    if (auto* m4a = std::get_if<wire::ShareCheck>(&message)) {
      const secagg::Cohort cohort = cohort_of(federation, round);
      m4a->bad_dealers = wire::to_bitmap(cohort.size(), {*cohort.index_of(roles.victim)});
      secagg::sign_share_check(key, federation.newest_h(), *m4a);
    }
    if (auto* m3 = std::get_if<wire::Shares>(&message))
      for (wire::ShareEntry& entry : m3->entries) {
        if (entry.to != roles.holder) continue;
        entry.ciphertext[7] ^= 1;
        secagg::sign_share_entry(key, federation.newest_h(), m3->id, entry);
      }
    return Messages{std::move(message)};
  };
  // The one that complained falsely has that share.
  federation.interception.to_member = [roles_of](MemberId to, RoundNumber round,
                                                 wire::Message message) {
    if (auto* m4u = std::get_if<wire::Fix>(&message); m4u && to == roles_of(round).liar)
      m4u->opened.clear();
    return Messages{std::move(message)};
  };
}

void make_lie(Federation& federation) {
  make_lie(federation, [](RoundNumber) { return Roles{kLiar, kVictim, kHolder}; });
}

FederationConfig of(std::uint32_t members, std::vector<std::string> overrides = {}) {
  overrides.emplace_back("rounds.num_server_rounds=1");
  return {.members = members, .job = small_job(overrides)};
}

void expect_everybody_in_every_sum(Federation& federation, std::uint32_t members) {
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  EXPECT_EQ(federation.exit_code(), 0) << federation.report();
  for (const RoundNumber round : {RoundNumber::of(1, 0), RoundNumber::of(2, 0)}) {
    // A process that died may have been about to announce the result.
    EXPECT_EQ(federation.checker().status(round).value_or(RoundStatus::kDone), RoundStatus::kDone)
        << federation.report();
    EXPECT_EQ(federation.checker().survivors(round).size(), members) << federation.report();
    EXPECT_EQ(federation.checker().openings(round), 2U);
  }
  for (const coordinator::MemberStatus& member : federation.status().members)
    EXPECT_EQ(member.violations, 0U) << raw(member.id);
}

TEST(Complaints, AFalseOneAndATrueOneLeaveEverybodyInTheSum) {
  Federation federation(of(5));
  make_lie(federation);
  ASSERT_TRUE(federation.run()) << federation.report();
  expect_everybody_in_every_sum(federation, 5);
  const auto conflicts =
      coordinator::ConflictLog::open(federation.folder() / "conflicts.json").value();
  const std::map<Conflict, std::uint64_t> expected{{{kLiar, kVictim, ConflictEnd::kOpened}, 2},
                                                   {{kHolder, kLiar, ConflictEnd::kOpened}, 2}};
  EXPECT_EQ(conflicts.counts(), expected) << "in both rounds";
  EXPECT_TRUE(federation.seen().all<coordinator::EvidenceKept>().empty());
}

TEST(Complaints, OnARingToo) {
  Federation federation(of(24, {"secure_aggregation.full_graph_max=8"}));
  // The ring determines the members whose shares a member holds.
  make_lie(federation, [&federation](RoundNumber round) {
    const secagg::Cohort ring = cohort_of(federation, round);
    return Roles{.liar = ring.at(3).id, .victim = ring.at(4).id, .holder = ring.at(2).id};
  });
  ASSERT_TRUE(federation.run()) << federation.report();
  ASSERT_TRUE(federation.shared_randomness().has_value());
  expect_everybody_in_every_sum(federation, 24);
}

TEST(Complaints, WhoDealsAnotherShareThanItCommitsToIsAnOffenderAndOut) {
  Federation federation(of(5));
  federation.lie = [&](MemberId from, RoundNumber, const crypto::SigningKey& key,
                       wire::Message message) {
    if (auto* m3 = std::get_if<wire::Shares>(&message); m3 && from == kVictim)
      for (wire::ShareEntry& entry : m3->entries)
        if (entry.to == kHolder) {
          entry.cr[7] ^= 1;
          secagg::sign_share_entry(key, federation.newest_h(), m3->id, entry);
        }
    return Messages{std::move(message)};
  };
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  const RoundNumber round = RoundNumber::of(1, 0);
  EXPECT_EQ(federation.checker().status(round), RoundStatus::kDone) << federation.report();
  const std::set<MemberId> survivors{kLiar, kHolder, MemberId{4}, MemberId{5}};
  EXPECT_EQ(federation.checker().survivors(round), survivors);
  const auto conflicts =
      coordinator::ConflictLog::open(federation.folder() / "conflicts.json").value();
  const std::map<Conflict, std::uint64_t> expected{{{kHolder, kVictim, ConflictEnd::kWrong}, 1}};
  EXPECT_EQ(conflicts.counts(), expected);
  EXPECT_EQ(federation.status_of(kVictim).state, coordinator::MemberState::kOffender);
  const auto kept = federation.seen().all<coordinator::EvidenceKept>();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_TRUE(kept[0].proves) << kept[0].finding;
}

TEST(Complaints, ACoordinatorKilledAtAnyMomentGoesOnWithTheSameRound) {
  std::uint64_t frames = 1;
  for (std::uint64_t frame = 0; frame < frames; ++frame) {
    FederationConfig config = of(5);
    if (frame > 0) config.coordinator_killed_at_frame = frame - 1;  // the first run is undisturbed
    Federation federation(config);
    make_lie(federation);
    ASSERT_TRUE(federation.run()) << federation.report();
    SCOPED_TRACE("frame " + std::to_string(frame));
    expect_everybody_in_every_sum(federation, 5);
    EXPECT_EQ(federation.simulation().kills(), frame > 0 ? 1U : 0U);
    if (frame == 0) frames = federation.coordinator_frames() + 1;
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(frames, 60U);
}

TEST(Complaints, LossyAndFlappingLinksNeverGiveAWrongSum) {
  std::uint64_t sums = 0;
  for (std::uint64_t seed = 50; seed < 60; ++seed) {
    FederationConfig config =
        of(7, {"secure_aggregation.max_colluders=2", "rounds.min_available_participants=4",
               "rounds.attempts_per_round=20"});
    config.seed = seed;
    config.links.loss = 0.02;
    config.links.break_on_delivery = 0.01;
    Federation federation(config);
    make_lie(federation);
    ASSERT_TRUE(federation.run()) << federation.report();
    EXPECT_TRUE(federation.failures().empty()) << federation.report();
    sums += federation.checker().sums();
  }
  EXPECT_GT(sums, 10U);
}

}  // namespace
}  // namespace sotto::simulation
