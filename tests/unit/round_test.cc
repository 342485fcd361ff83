// Claims of the coordinator's round (docs/secure-aggregation.md, sections 2.7 and 2.11).
#include "coordinator/round.h"

#include <deque>
#include <functional>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "tests/unit/scripted_members.h"

namespace sotto::coordinator {
namespace {

using secagg::IndexSet;
using testing::ScriptedMembers;
using wire::RoundStatus;

constexpr Duration kPhase{1000};
constexpr Duration kTraining{10000};

/// The round and scripted members that answer it, one message after the other, at a time that
/// stands still until a test moves it.
class Play {
 public:
  explicit Play(std::uint32_t n, std::uint32_t C, std::uint64_t values = 20)
      : members(n, C, values), machine(make_plan(), members.coordinator) {}

  RoundPlan make_plan() {
    RoundPlan plan;
    plan.header = members.header;
    plan.deadline_ms = {1000, 1000, 1000, 10000, 1000, 1000};
    plan.roster = members.roster;
    for (const auto& member : members.roster)
      plan.cohort.push_back(member.id);
    plan.encoding = members.encoding;
    plan.model = Bytes(1000, 9);
    plan.fetch = {.chunk_bytes = 64, .in_flight = 2, .retry_after = Duration(500)};
    return plan;
  }

  MemberId id(std::uint32_t i) const { return members.members[i].id; }

  std::uint32_t index(MemberId member) const { return *members.cohort().index_of(member); }

  /// Member i never sends a message of this name.
  void mute(std::uint32_t i, const std::string& message) { muted.insert({i, message}); }

  void start() { absorb(machine.start(now)); }

  void wait(Duration time) {
    now += time;
    absorb(machine.tick(now));
  }

  void say(std::uint32_t i, wire::Message message) {
    absorb(machine.handle({id(i), members.header.round, std::move(message)}, now));
  }

  /// Carries out an Output: members answer, the sum is computed, until nobody has more to say.
  void absorb(RoundOutput output) {
    take(std::move(output));
    while (!inbox.empty()) {
      const wire::Envelope envelope = inbox.front();
      inbox.pop_front();
      take(machine.handle(envelope, now));
    }
  }

  [[nodiscard]] std::size_t count(const std::string& message, std::uint32_t i) const {
    std::size_t found = 0;
    for (const auto& envelope : sent)
      found += envelope.peer == id(i) && wire::name_of(envelope.message) == message;
    return found;
  }

  [[nodiscard]] bool saw(RoundEvent::Kind kind, std::uint32_t i) const {
    return std::ranges::any_of(events,
                               [&](const auto& e) { return e.kind == kind && e.member == id(i); });
  }

  [[nodiscard]] bool done_with(const IndexSet& s) const {
    if (!outcome || outcome->status != RoundStatus::kDone) return false;
    std::vector<MemberId> expected;
    for (std::uint32_t i : s)
      expected.push_back(id(i));
    return outcome->survivors == expected && outcome->sum->count == s.size() && sum &&
           testing::same_words(*sum, members.plain_sum(s));
  }

  ScriptedMembers members;
  RoundStateMachine machine;
  TimePoint now{Duration(50000)};
  std::set<std::pair<std::uint32_t, std::string>> muted;
  std::deque<wire::Envelope> inbox;
  std::vector<wire::Envelope> sent;
  std::vector<RoundEvent> events;
  std::optional<RoundOutcome> outcome;
  std::optional<codec::RingUpdate> sum;
  std::optional<TimePoint> wake_at;
  std::function<void(wire::Message&)> distort = [](wire::Message&) {};

 private:
  void take(RoundOutput output) {
    wake_at = output.wake_at;
    for (auto& event : output.events)
      events.push_back(std::move(event));
    for (auto& envelope : output.send) {
      sent.push_back(envelope);
      reply(index(envelope.peer), envelope.message);
    }
    if (output.outcome) {
      EXPECT_FALSE(outcome.has_value()) << "one outcome";
      outcome = std::move(output.outcome);
    }
    if (output.sum) {
      sum = std::move(output.sum->job).run(std::move(output.sum->masked_sum), 1);
      codec::RingUpdate copy;
      for (const auto& lane : sum->lanes)
        copy.lanes.push_back(lane.clone());
      take(machine.summed(std::move(copy), now));
    }
  }

  void answer(std::uint32_t i, wire::Message message) {
    if (muted.contains({i, std::string(wire::name_of(message))})) return;
    distort(message);
    inbox.push_back({id(i), members.header.round, std::move(message)});
  }

  void reply(std::uint32_t i, const wire::Message& message) {
    const auto set = [&](const wire::Bitmap& bits) {
      return wire::from_bitmap(members.n(), bits).value();
    };
    if (std::holds_alternative<wire::Offer>(message)) {
      answer(i, members.members[i].m1);
    } else if (const auto* m2 = std::get_if<wire::KeyList>(&message)) {
      answer(i, members.shares(i, set(m2->u1)));
    } else if (const auto* m4 = std::get_if<wire::ShareForward>(&message)) {
      answer(i, members.check(i, set(m4->v)));
    } else if (const auto* m4u = std::get_if<wire::Fix>(&message)) {
      u2_ = set(m4u->u2);
      packed_[i] = members.masked_input(i, u2_);
      answer(i, members.upload_header(i, u2_, packed_[i]));
    } else if (const auto* request = std::get_if<wire::BlobRequest>(&message)) {
      answer(i, wire::answer(*request, packed_[i]).value());
    } else if (const auto* m6 = std::get_if<wire::Survivors>(&message)) {
      s_ = set(m6->s);
      answer(i, members.endorse(i, u2_, s_));
    } else if (std::holds_alternative<wire::UnmaskRequest>(message)) {
      answer(i, members.unmask(i, u2_, s_));
    }
  }

  IndexSet u2_, s_;
  std::map<std::uint32_t, Bytes> packed_;
};

TEST(Round, GoesOnAsSoonAsEverythingHasArrived) {
  Play play(4, 1);
  const TimePoint begin = play.now;
  play.start();
  EXPECT_EQ(play.now, begin) << "no deadline was needed";
  EXPECT_TRUE(play.done_with({0, 1, 2, 3}));
  ASSERT_TRUE(play.outcome->sum.has_value());
  EXPECT_NEAR(play.outcome->sum->mean[5], 0.025, 1e-3);
  EXPECT_EQ(play.outcome->sum->metrics, std::vector<std::uint64_t>{6});
  EXPECT_FALSE(play.wake_at.has_value()) << "a round that is over waits for nothing";
}

TEST(Round, SilentMembersAreLeftOutAtTheDeadlineOfTheirPhase) {
  for (const char* message : {"Advertise", "Shares", "ShareCheck", "UploadHeader", "BlobData"}) {
    Play play(5, 1);
    play.mute(2, message);
    play.start();
    EXPECT_FALSE(play.outcome) << message;
    ASSERT_TRUE(play.wake_at);
    const bool upload = play.machine.progress().phase == Phase::kUpload;
    play.wait((upload ? kTraining : kPhase) - Duration(1));
    EXPECT_FALSE(play.outcome) << message;
    play.wait(Duration(1));
    EXPECT_TRUE(play.done_with({0, 1, 3, 4})) << message;
    EXPECT_TRUE(play.saw(RoundEvent::Kind::kDropout, 2)) << message;
  }
}

TEST(Round, MembersThatNeitherEndorseNorAnswerAreNotWaitedForBeyondQAndT) {
  Play play(5, 1);  // Q = 4, t = 3
  play.mute(0, "Endorse");
  play.mute(1, "UnmaskResponse");
  play.start();
  EXPECT_TRUE(play.done_with({0, 1, 2, 3, 4}));
}

TEST(Round, TooFewMembersBeforeU2CancelTheRound) {
  for (const char* message : {"Advertise", "Shares", "ShareCheck"}) {
    Play play(5, 1);
    play.mute(1, message);
    play.mute(2, message);
    play.start();
    play.wait(kPhase);
    ASSERT_TRUE(play.outcome) << message;
    EXPECT_EQ(play.outcome->status, RoundStatus::kCancelled);
    EXPECT_NE(play.outcome->reason.find("only 3 of 5"), std::string::npos) << play.outcome->reason;
    EXPECT_FALSE(play.outcome->sum);
    EXPECT_EQ(play.count("Fix", 0), 0U);
  }
}

TEST(Round, TooFewUploadsLoseTheRound) {
  Play play(5, 1);
  play.mute(1, "BlobData");
  play.mute(2, "UploadHeader");
  play.start();
  play.wait(kTraining);
  ASSERT_TRUE(play.outcome);
  EXPECT_EQ(play.outcome->status, RoundStatus::kLost);
  EXPECT_EQ(play.count("Survivors", 0), 0U);
}

TEST(Round, EndorsementsBelowQLoseTheRoundAfterOneRepetition) {
  Play play(5, 1);
  play.mute(1, "Endorse");
  play.mute(2, "Endorse");
  play.start();
  play.wait(kPhase);
  EXPECT_FALSE(play.outcome);
  EXPECT_EQ(play.count("Survivors", 1), 2U);
  play.wait(kPhase);
  ASSERT_TRUE(play.outcome);
  EXPECT_EQ(play.outcome->status, RoundStatus::kLost);
  EXPECT_EQ(play.count("UnmaskRequest", 0), 0U);
}

TEST(Round, AnswersBelowTLoseTheRoundAfterItsRepetitions) {
  Play play(5, 1);
  for (std::uint32_t i : {0U, 1U, 2U})
    play.mute(i, "UnmaskResponse");
  play.start();
  for (int waits = 0; waits < 2; ++waits) {
    play.wait(kPhase);
    EXPECT_FALSE(play.outcome);
  }
  EXPECT_EQ(play.count("UnmaskRequest", 0), 3U);
  EXPECT_EQ(play.count("UnmaskRequest", 4), 1U) << "who has answered is not asked again";
  play.wait(kPhase);
  ASSERT_TRUE(play.outcome);
  EXPECT_EQ(play.outcome->status, RoundStatus::kLost);
  EXPECT_FALSE(play.outcome->sum);
}

TEST(Round, ALateEndorserMayStillAnswer) {
  Play play(5, 1);  // Q = 4, t = 3
  play.mute(0, "Endorse");
  play.mute(1, "UnmaskResponse");
  play.mute(2, "UnmaskResponse");
  play.start();
  ASSERT_EQ(play.machine.progress().phase, Phase::kUnmask);
  EXPECT_EQ(play.count("UnmaskRequest", 0), 0U);
  play.muted.clear();
  play.mute(1, "UnmaskResponse");
  play.mute(2, "UnmaskResponse");
  play.absorb(play.machine.member_connected(play.id(0), play.now));
  EXPECT_TRUE(play.done_with({0, 1, 2, 3, 4}));
}

TEST(Round, WhoLeavesIsNotWaitedFor) {
  Play play(5, 1);
  play.mute(3, "UploadHeader");
  play.start();
  ASSERT_EQ(play.machine.progress().phase, Phase::kUpload);
  play.say(3, wire::LeaveRound{"training failed"});
  EXPECT_TRUE(play.done_with({0, 1, 2, 4}));
  EXPECT_TRUE(play.saw(RoundEvent::Kind::kDropout, 3));
}

TEST(Round, ABadUploadMakesItsSenderADropout) {
  Play play(5, 1);
  bool spoiled = false;
  play.distort = [&](wire::Message& message) {
    if (auto* data = std::get_if<wire::BlobData>(&message); data && !spoiled) {
      data->data[0] ^= 1;
      spoiled = true;
    }
  };
  play.start();
  EXPECT_TRUE(play.done_with({1, 2, 3, 4}));
  EXPECT_TRUE(play.saw(RoundEvent::Kind::kDropout, 0));
}

TEST(Round, AWrongMaskLosesTheRoundInsteadOfGivingAWrongSum) {
  Play liar(4, 1);
  Bytes wrong = liar.members.masked_input(1, {0, 1, 2, 3});
  wrong[2] ^= 4;
  const auto header = liar.members.upload_header(1, {0, 1, 2, 3}, wrong);
  liar.mute(1, "UploadHeader");
  liar.mute(1, "BlobData");
  liar.start();
  liar.say(1, header);  // well signed over the wrong bytes
  for (std::uint64_t offset = 0; offset < wrong.size(); offset += 64) {
    const auto length =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(64, wrong.size() - offset));
    liar.say(1, wire::answer({header.hash_y, offset, length}, wrong).value());
  }
  ASSERT_TRUE(liar.outcome);
  EXPECT_EQ(liar.outcome->status, RoundStatus::kLost);
  EXPECT_FALSE(liar.outcome->sum);
}

TEST(Round, AReconnectedMemberGetsTheNewestAnnouncement) {
  const std::map<std::string, std::string> newest{{"Advertise", "Offer"},
                                                  {"Shares", "KeyList"},
                                                  {"ShareCheck", "ShareForward"},
                                                  {"UploadHeader", "Fix"}};
  for (const auto& [muted, announcement] : newest) {
    Play play(4, 1);
    play.mute(3, muted);
    play.start();
    ASSERT_EQ(play.count(announcement, 3), 1U);
    play.muted.clear();
    play.absorb(play.machine.member_connected(play.id(3), play.now));
    EXPECT_EQ(play.count(announcement, 3), 2U);
    EXPECT_TRUE(play.done_with({0, 1, 2, 3})) << announcement;
  }
}

TEST(Round, ACutUploadGoesOnAfterReconnection) {
  Play play(5, 1);
  play.mute(2, "BlobData");
  play.start();
  play.muted.clear();
  play.absorb(play.machine.member_connected(play.id(2), play.now));
  EXPECT_TRUE(play.done_with({0, 1, 2, 3, 4}));
}

TEST(Round, UploadsArePulledAFewAtATimeAndAStalledOneDoesNotBlockTheOthers) {
  Play play(10, 3);
  for (std::uint32_t i = 0; i < 4; ++i)
    play.mute(i, "BlobData");
  play.start();
  std::set<MemberId> asked;
  for (const auto& envelope : play.sent)
    if (std::holds_alternative<wire::BlobRequest>(envelope.message)) asked.insert(envelope.peer);
  EXPECT_EQ(asked.size(), 4U) << "four silent members hold the four places";
  for (int half_seconds = 0; half_seconds < 4; ++half_seconds)
    play.wait(Duration(500));
  EXPECT_EQ(play.machine.progress().done, 6U) << "their places went to the others";
}

TEST(Round, AnIncompleteUploadIsInNeitherSNorTheSum) {
  Play play(5, 1, 200);
  int pieces = 0;
  play.distort = [&](wire::Message& message) {
    if (std::holds_alternative<wire::BlobData>(message) && ++pieces == 3) play.mute(0, "BlobData");
  };
  play.start();
  play.wait(kTraining);
  EXPECT_TRUE(play.done_with({1, 2, 3, 4}));
}

TEST(Round, MessagesOfStrangersOtherRoundsAndOtherNamesDoNotCount) {
  Play play(4, 1);
  for (std::uint32_t i = 0; i < 4; ++i)
    play.mute(i, "Advertise");
  play.start();
  const wire::Advertise m1 = play.members.members[0].m1;
  const auto kind = [&](const wire::Envelope& envelope) {
    return play.machine.handle(envelope, play.now).events.at(0).kind;
  };
  const RoundNumber round = play.members.header.round;
  EXPECT_EQ(kind({MemberId{999}, round, m1}), RoundEvent::Kind::kRejected);
  EXPECT_EQ(kind({play.id(0), {round.value + 1}, m1}), RoundEvent::Kind::kIgnored);
  EXPECT_EQ(kind({play.id(1), round, m1}), RoundEvent::Kind::kRejected);
  EXPECT_EQ(kind({play.id(0), round, wire::Fix{}}), RoundEvent::Kind::kRejected);
  EXPECT_EQ(play.machine.progress().done, 0U);
  EXPECT_EQ(kind({play.id(0), round, m1}), RoundEvent::Kind::kAccepted);
  EXPECT_EQ(kind({play.id(0), round, m1}), RoundEvent::Kind::kIgnored);
}

TEST(Round, ServesTheRoundsModelAndNothingElse) {
  Play play(4, 1);
  for (std::uint32_t i = 0; i < 4; ++i)
    play.mute(i, "Advertise");
  play.start();
  play.say(0, wire::BlobRequest{play.members.header.model_hash, 900, 100});
  const auto& served = std::get<wire::BlobData>(play.sent.back().message);
  EXPECT_EQ(served.data, Bytes(100, 9));
  EXPECT_EQ(served.total, 1000U);
  play.say(0, wire::BlobRequest{{1, 2, 3}, 0, 100});
  EXPECT_TRUE(std::get<wire::BlobData>(play.sent.back().message).data.empty());
  const std::size_t before = play.sent.size();
  play.say(0, wire::BlobRequest{play.members.header.model_hash, 1000, 100});
  EXPECT_EQ(play.sent.size(), before) << "a range behind the end is not served";
}

TEST(Round, ClosingTellsTheWholeCohort) {
  Play play(5, 1);
  play.mute(4, "Advertise");
  play.start();
  play.wait(kPhase);
  ASSERT_TRUE(play.done_with({0, 1, 2, 3}));
  play.absorb(play.machine.close({5}, play.now));
  for (std::uint32_t i = 0; i < 5; ++i)
    EXPECT_EQ(play.count("RoundResult", i), 1U);
  const auto& m10 = std::get<wire::RoundResult>(play.sent.back().message);
  EXPECT_EQ(m10.status, RoundStatus::kDone);
  EXPECT_EQ(m10.model_hash, Bytes32{5});
  EXPECT_EQ(m10.aggregate_hash, play.outcome->aggregate_hash);
  play.say(0, play.members.members[0].m1);
  EXPECT_EQ(play.events.back().kind, RoundEvent::Kind::kIgnored);
}

TEST(Round, AnEvaluationRoundSumsCountersOnly) {
  Play play(4, 1, 0);
  play.start();
  ASSERT_TRUE(play.done_with({0, 1, 2, 3}));
  EXPECT_TRUE(play.outcome->sum->mean.empty());
  EXPECT_EQ(play.outcome->sum->metrics, std::vector<std::uint64_t>{6});
}

}  // namespace
}  // namespace sotto::coordinator
