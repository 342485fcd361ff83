// Complaints in a round at the coordinator (docs/secure-aggregation.md, "Bad shares"): no false one
// takes an honest member out of a sum.
#include "tests/coordinator/protocol/round_play.h"

namespace sotto::coordinator {
namespace {

using secagg::Conflict;
using secagg::ConflictEnd;

constexpr std::uint32_t kLiar = 1, kVictim = 4;

/// In how many of `rounds` sums each member was; a round after the other, with the memory that the
/// coordinator keeps of pairs.
std::vector<int> sums_of(std::uint32_t n, std::uint32_t C, int rounds,
                         const std::function<void(Play&, int)>& lies) {
  std::vector<int> sums(n, 0);
  Play::History history;
  for (int round = 0; round < rounds; ++round) {
    Play play(n, C, 20, history);
    lies(play, round);
    play.start();
    for (int waits = 0; waits < 40 && !play.outcome; ++waits)
      play.wait(kPhase);
    if (!play.outcome || play.outcome->status != RoundStatus::kDone) {
      ADD_FAILURE() << "round " << round << " gave no sum";
      continue;
    }
    for (MemberId id : play.outcome->survivors)
      ++sums[play.index(id)];
    for (const Conflict& conflict : play.conflicts) {
      const auto pair = secagg::pair_of(conflict.holder, conflict.dealer);
      if (conflict.end == ConflictEnd::kHolderLeft) history[pair] = conflict.holder;
      if (conflict.end == ConflictEnd::kDealerLeft) history[pair] = conflict.dealer;
    }
  }
  return sums;
}

TEST(Censor, AFalseComplaintInEachRoundKeepsNobodyOut) {
  const auto sums =
      sums_of(8, 1, 12, [](Play& play, int /*round*/) { play.complains[kLiar] = {kVictim}; });
  EXPECT_EQ(sums[kVictim], 12);
  EXPECT_EQ(sums[kLiar], 12);
}

TEST(Censor, NorDoAsManyLiarsAsMayCollude) {
  const auto sums = sums_of(10, 3, 12, [](Play& play, int /*round*/) {
    for (std::uint32_t liar : {1U, 2U, 3U})
      play.complains[liar] = {4, 5, 6};
  });
  EXPECT_EQ(sums, std::vector<int>(10, 12));
}

/// Each member of `some` has exchanged a key with `other`, so both deal with one.
void share_keys(Play& play, const secagg::IndexSet& some, std::uint32_t other) {
  for (std::uint32_t i : some) {
    play.with_key[i].push_back(other);
    play.with_key[other].push_back(i);
  }
}

TEST(Censor, WhoSaysThatAKeyDiffersWhereThereIsNoneIsOutItself) {
  const auto sums =
      sums_of(8, 1, 6, [](Play& play, int /*round*/) { play.other_keys[kLiar] = {kVictim}; });
  EXPECT_EQ(sums[kVictim], 6);
  EXPECT_EQ(sums[kLiar], 0);
}

TEST(Censor, WhoUsesAKeyThatTheOtherDoesNotHaveIsOutItself) {
  const auto sums = sums_of(8, 1, 6, [](Play& play, int /*round*/) {
    play.with_key[kLiar] = {kVictim};
    play.other_keys[kVictim] = {kLiar};  // it is honest, and says what is so
  });
  EXPECT_EQ(sums[kVictim], 6);
  EXPECT_EQ(sums[kLiar], 0);
}

TEST(Censor, AfterAnExchangeOfKeysTheTwoTakeTurns) {
  const auto sums = sums_of(8, 1, 12, [](Play& play, int /*round*/) {
    share_keys(play, {kLiar}, kVictim);
    play.other_keys[kLiar] = {kVictim};
  });
  EXPECT_EQ(sums[kVictim], 6);
  EXPECT_EQ(sums[kLiar], 6);
}

TEST(Censor, LiarsThatTakeTurnsAboutKeysKeepNobodyOutForEver) {
  const auto sums = sums_of(10, 3, 24, [](Play& play, int round) {
    share_keys(play, {1, 2, 3}, 4);
    play.other_keys[1 + static_cast<std::uint32_t>(round) % 3] = {4};
  });
  EXPECT_GE(sums[4], 11);
  const auto all_at_once = sums_of(10, 3, 24, [](Play& play, int /*round*/) {
    share_keys(play, {1, 2, 3}, 4);
    for (std::uint32_t liar : {1U, 2U, 3U})
      play.other_keys[liar] = {4};
  });
  EXPECT_GE(all_at_once[4], 12);
}

TEST(Settle, IsAPhaseOfRoundsWithAComplaintAlone) {
  Play quiet(5, 1);
  quiet.start();
  EXPECT_TRUE(quiet.done_with({0, 1, 2, 3, 4}));
  EXPECT_TRUE(std::ranges::none_of(
      quiet.events, [](const RoundEvent& event) { return event.phase == Phase::kSettle; }));

  Play play(5, 1);
  play.complains[1] = {2};
  play.start();
  EXPECT_TRUE(play.done_with({0, 1, 2, 3, 4}));
  EXPECT_EQ(play.conflicts,
            (std::vector<Conflict>{{play.id(1), play.id(2), ConflictEnd::kOpened}}));
  EXPECT_FALSE(play.saw(RoundEvent::Kind::kDropout, 2));
  EXPECT_TRUE(play.evidence.empty());
  for (std::uint32_t i = 0; i < 5; ++i)
    EXPECT_EQ(play.count("Complaints", i), i == 2 ? 1U : 0U);
}

TEST(Settle, AnOpenedShareIsHandedToItsHolderAndToNobodyElse) {
  Play play(5, 1);
  play.complains[1] = {2};
  play.start();
  for (const wire::Envelope& envelope : play.sent)
    if (const auto* m4u = std::get_if<wire::Fix>(&envelope.message)) {
      ASSERT_EQ(m4u->opened.size(), envelope.peer == play.id(1) ? 1U : 0U);
      if (m4u->opened.empty()) continue;
      EXPECT_EQ(m4u->opened[0].member, play.id(2));
      EXPECT_TRUE(
          std::ranges::equal(m4u->opened[0].b, play.members.members[2].b_shares[1].expose()));
      EXPECT_TRUE(
          std::ranges::equal(m4u->opened[0].r, play.members.members[2].r_shares[1].expose()));
    }
}

TEST(Settle, ADealerThatOpensAnotherShareThanItCommittedToIsAnOffender) {
  Play play(5, 1);
  play.complains[1] = {2};
  play.opens_wrongly = {2};
  play.start();
  EXPECT_TRUE(play.done_with({0, 1, 3, 4}));
  EXPECT_EQ(play.conflicts, (std::vector<Conflict>{{play.id(1), play.id(2), ConflictEnd::kWrong}}));
  ASSERT_EQ(play.evidence.size(), 1U);
  EXPECT_EQ(play.evidence[0].kind, secagg::EvidenceKind::kWrongOpening);
  const secagg::EvidenceRoster roster{.roster_hash = play.members.header.roster_hash,
                                      .coordinator = play.members.coordinator.verify_key(),
                                      .members = play.members.roster};
  const auto finding = secagg::check_evidence(play.evidence[0], roster);
  ASSERT_TRUE(finding.ok()) << finding.error().message;
  EXPECT_EQ(finding->offender, play.id(2));
}

TEST(Settle, ADealerThatOpensNothingIsOutAtTheDeadlineAndItsHolderIsNot) {
  Play play(5, 1);
  play.complains[1] = {2};
  play.mute(2, "Opening");
  play.start();
  ASSERT_EQ(play.machine.progress().phase, Phase::kSettle);
  play.wait(kPhase - Duration(1));
  EXPECT_FALSE(play.outcome);
  play.wait(Duration(1));
  EXPECT_TRUE(play.done_with({0, 1, 3, 4}));
  EXPECT_EQ(play.conflicts,
            (std::vector<Conflict>{{play.id(1), play.id(2), ConflictEnd::kUnopened}}));
}

TEST(Settle, AReconnectedDealerIsAskedAgain) {
  Play play(5, 1);
  play.complains[1] = {2};
  play.mute(2, "Opening");
  play.start();
  play.muted.clear();
  play.absorb(play.machine.member_connected(play.id(2), play.now));
  EXPECT_EQ(play.count("Complaints", 2), 2U);
  EXPECT_TRUE(play.done_with({0, 1, 2, 3, 4}));
}

TEST(Settle, MoreComplaintsThanCanBeLiesTakeTheDealerOutUnasked) {
  Play play(5, 1);
  play.complains[0] = {2};
  play.complains[1] = {2};
  play.start();
  EXPECT_EQ(play.count("Complaints", 2), 0U) << "so many shares of an honest member never open";
  EXPECT_TRUE(play.done_with({0, 1, 3, 4}));
  EXPECT_EQ(play.conflicts.size(), 2U);
  EXPECT_EQ(play.conflicts[0].end, ConflictEnd::kTooMany);
}

TEST(Settle, AComplaintThatComesLateIsNone) {
  Play play(6, 1);
  play.complains[1] = {2};
  play.mute(2, "Opening");
  play.mute(5, "ShareCheck");
  play.start();
  play.wait(kPhase);
  ASSERT_EQ(play.machine.progress().phase, Phase::kSettle);
  play.say(5, play.members.check(5, play.members.all(), {3}));
  EXPECT_EQ(play.events.back().kind, RoundEvent::Kind::kIgnored);
  play.wait(kPhase);
  EXPECT_TRUE(play.done_with({0, 1, 3, 4}));
}

TEST(Settle, AMemberThatIsOutForAnotherReasonIsNotCalledSilent) {
  const auto reasons = [](Play& play, std::uint32_t i) {
    std::vector<std::string> out;
    for (const RoundEvent& event : play.events)
      if (event.member == play.id(i) &&
          (event.kind == RoundEvent::Kind::kDropout || event.kind == RoundEvent::Kind::kSilent))
        out.push_back(event.detail);
    return out;
  };
  Play wrong(5, 1);
  wrong.complains[1] = {2};
  wrong.opens_wrongly = {2};
  wrong.start();
  EXPECT_EQ(reasons(wrong, 2),
            std::vector<std::string>{"the share that it opened is not what it committed to"});
  Play keys(5, 1);
  keys.with_key = {{1, {2}}, {2, {1}}};
  keys.other_keys[1] = {2};
  keys.other_keys[2] = {1};
  keys.start();
  EXPECT_EQ(reasons(keys, 2),
            std::vector<std::string>{"its pre-shared key and that of another member differ"});
  Play silent(5, 1);
  silent.complains[1] = {2};
  silent.mute(2, "Opening");
  silent.start();
  silent.wait(kPhase);
  EXPECT_EQ(reasons(silent, 2), std::vector<std::string>{"silent"});
}

TEST(Settle, ARoundGoesOnFromTheMiddleOfIt) {
  Play before(5, 1);
  before.complains[1] = {2};
  before.complains[3] = {4};
  before.mute(4, "Opening");
  before.start();
  ASSERT_EQ(before.machine.progress().phase, Phase::kSettle);
  for (std::size_t kept = 0; kept <= before.facts.size(); ++kept) {
    Play after(5, 1);
    after.complains = before.complains;
    const std::vector<RoundFact> facts(before.facts.begin(),
                                       before.facts.begin() + static_cast<std::ptrdiff_t>(kept));
    auto resumed = after.machine.resume(facts, after.now);
    ASSERT_TRUE(resumed.ok()) << resumed.error().message;
    after.absorb(std::move(resumed).value());
    for (std::uint32_t i = 0; i < 5; ++i)
      after.absorb(after.machine.member_connected(after.id(i), after.now));
    EXPECT_TRUE(after.done_with({0, 1, 2, 3, 4})) << kept << " facts";
  }
}

}  // namespace
}  // namespace sotto::coordinator
