// Claims of the coordinator's round (docs/secure-aggregation.md, sections 2.7 and 2.11).
#include "tests/common/encoding/whole_mean.h"
#include "tests/coordinator/protocol/round_play.h"

namespace sotto::coordinator {
namespace {

TEST(Round, GoesOnAsSoonAsEverythingHasArrived) {
  Play play(4, 1);
  const TimePoint begin = play.now;
  play.start();
  EXPECT_EQ(play.now, begin) << "no deadline was needed";
  EXPECT_TRUE(play.done_with({0, 1, 2, 3}));
  ASSERT_TRUE(play.outcome->sum.has_value());
  EXPECT_NEAR(encoding::whole_mean(*play.outcome->sum)[5], 0.025, 1e-3);
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
    EXPECT_TRUE(play.saw(RoundEvent::Kind::kSilent, 2)) << message;
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

TEST(Round, EndorsementsBelowQLoseTheRoundWhenTooManyEndorsedToAbortIt) {
  Play play(5, 1);
  play.mute(1, "Endorse");
  play.mute(2, "Endorse");
  play.start();
  play.wait(kPhase);
  EXPECT_FALSE(play.outcome);
  EXPECT_EQ(play.count("Survivors", 1), 2U);
  play.wait(kPhase);
  EXPECT_EQ(play.machine.progress().phase, Phase::kAbort);
  EXPECT_FALSE(play.outcome) << "a late endorsement may still come";
  play.wait(kPhase);
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
  EXPECT_TRUE(play.saw(RoundEvent::Kind::kGone, 3));
}

TEST(Round, LeavingAgainAndAgainIsOneFactOneLineAndThenCounted) {
  Play play(8, 1);
  play.mute(0, "Advertise");
  play.mute(1, "Advertise");  // somebody else is slow: the phase goes on
  play.start();
  const auto facts = play.facts.size();
  const auto events = play.events.size();
  for (int i = 0; i < 20000; ++i)
    play.say(0, wire::LeaveRound{std::string(4000, 'x')});
  EXPECT_EQ(play.facts.size() - facts, 1U);
  const auto count = [&](RoundEvent::Kind kind) {
    return std::count_if(play.events.begin() + static_cast<std::ptrdiff_t>(events),
                         play.events.end(), [&](const auto& e) { return e.kind == kind; });
  };
  EXPECT_EQ(count(RoundEvent::Kind::kGone), 1);
  EXPECT_EQ(count(RoundEvent::Kind::kRejected), 19999) << "each of which is counted by name";
  std::set<std::string> different;
  for (const auto& e : play.events)
    if (e.kind == RoundEvent::Kind::kRejected) different.insert(e.detail);
  EXPECT_EQ(different.size(), 1U) << "so that the log says it at the 1st, 2nd, 4th, 8th time";
}

TEST(Round, WhoLeftHearsOfTheRoundNoMore) {
  Play play(5, 1);
  play.mute(3, "UploadHeader");
  play.start();
  play.say(3, wire::LeaveRound{"the site was started again"});
  const auto before = play.count("Survivors", 3) + play.count("Fix", 3);
  play.absorb(play.machine.member_connected(play.id(3), play.now));
  EXPECT_EQ(play.count("Survivors", 3) + play.count("Fix", 3), before);
}

TEST(Round, WhoLostItsLinkHearsOfTheRoundWhenItIsBack) {
  Play play(5, 1);
  play.mute(3, "UploadHeader");
  play.mute(4, "UploadHeader");
  play.start();
  play.absorb(play.machine.member_lost(play.id(3), "the link is down", play.now));
  EXPECT_TRUE(play.saw(RoundEvent::Kind::kGone, 3));
  play.muted.clear();
  play.absorb(play.machine.member_connected(play.id(3), play.now));
  play.absorb(play.machine.member_connected(play.id(4), play.now));
  EXPECT_TRUE(play.done_with({0, 1, 2, 3, 4})) << "it is in the sum after all";
}

TEST(Round, FramesAboutOtherRoundsAreCountedWhenTheyAreNobodysLateOnes) {
  Play play(5, 1);
  play.mute(0, "Advertise");
  play.start();
  const wire::Message m1 = play.members.members[0].m1;
  const RoundNumber round = play.members.header.round;
  const auto kind = [&](RoundNumber about) {
    return play.machine.handle({play.id(0), about, m1}, play.now).events.at(0).kind;
  };
  EXPECT_EQ(kind({0}), RoundEvent::Kind::kRejected);
  EXPECT_EQ(kind({round.value + 1}), RoundEvent::Kind::kRejected);
  for (int i = 0; i < 64; ++i)
    EXPECT_EQ(kind({round.value - 1}), RoundEvent::Kind::kIgnored) << i;
  EXPECT_EQ(kind({round.value - 1}), RoundEvent::Kind::kRejected);
}

TEST(Round, ABadUploadMakesItsSenderADropout) {
  Play play(5, 1);
  bool lost_sum = false;
  play.distort = [&](wire::Message& message) {
    if (auto* data = std::get_if<wire::BlobData>(&message); data && !lost_sum) {
      data->data[0] ^= 1;
      lost_sum = true;
    }
  };
  play.start();
  EXPECT_TRUE(play.done_with({1, 2, 3, 4}));
  EXPECT_TRUE(play.saw(RoundEvent::Kind::kGone, 0));
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

TEST(Round, MessagesOfNonMembersOtherRoundsAndOtherNamesDoNotCount) {
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
  EXPECT_EQ(kind({play.id(0), {round.value - 1}, m1}), RoundEvent::Kind::kIgnored);
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
  EXPECT_EQ(play.outcome->sum->scale.values, 0U);
  EXPECT_EQ(play.outcome->sum->metrics, std::vector<std::uint64_t>{6});
}

}  // namespace
}  // namespace sotto::coordinator
