// These tests check the abort of a round at the coordinator (docs/secure-aggregation.md, 2.7
// and 2.11).
#include "common/secagg/shared/abort.h"
#include "tests/coordinator/protocol/round_play.h"

namespace sotto::coordinator {
namespace {

/// The certificates that were sent, one a member of the cohort.
std::vector<wire::AbortCertificate> certificates(const Play& play) {
  std::vector<wire::AbortCertificate> found;
  for (const auto& envelope : play.sent)
    if (const auto* m8 = std::get_if<wire::AbortCertificate>(&envelope.message))
      found.push_back(*m8);
  return found;
}

Status check(const Play& play, const wire::AbortCertificate& m8) {
  return secagg::check_abort_certificate(m8,
                                         {.h = play.members.h,
                                          .Q = play.members.header.Q,
                                          .witnesses = play.members.header.n,
                                          .cohort = play.members.cohort()},
                                         1);
}

/// Two of five never upload: S cannot be fixed, the phase ends at its deadline.
void without_enough_uploads(Play& play) {
  play.mute(1, "BlobData");
  play.mute(2, "UploadHeader");
  play.start();
  play.wait(kTraining);
}

TEST(Abort, TooFewUploadsAbortTheRoundAndEverybodyGetsTheCertificate) {
  Play play(5, 1);  // Q = 4
  without_enough_uploads(play);
  ASSERT_TRUE(play.outcome);
  EXPECT_EQ(play.outcome->status, RoundStatus::kAborted);
  EXPECT_NE(play.outcome->reason.find("only 3 of 5"), std::string::npos) << play.outcome->reason;
  EXPECT_EQ(play.count("Survivors", 0), 0U);
  ASSERT_EQ(certificates(play).size(), 5U);
  for (const auto& m8 : certificates(play))
    EXPECT_TRUE(check(play, m8).ok());
}

TEST(Abort, WhoNeverJoinedOrLeftMayVote) {
  Play play(5, 1);
  play.mute(1, "Advertise");
  play.mute(2, "UploadHeader");
  play.mute(3, "BurnVote");
  play.start();
  play.wait(kPhase);
  ASSERT_EQ(play.machine.progress().phase, Phase::kUpload);
  play.say(2, wire::LeaveRound{"training failed"});
  ASSERT_TRUE(play.outcome);
  EXPECT_EQ(play.outcome->status, RoundStatus::kAborted) << "Q = 4 of 0, 1, 2, 4";
}

TEST(Abort, TooFewVotesLoseTheRoundAfterOneRepetition) {
  Play play(5, 1);
  play.mute(3, "BurnVote");
  play.mute(4, "BurnVote");
  without_enough_uploads(play);
  EXPECT_FALSE(play.outcome);
  EXPECT_EQ(play.machine.progress().done, 3U);
  play.wait(kPhase);
  EXPECT_EQ(play.count("BurnRequest", 3), 2U);
  EXPECT_FALSE(play.outcome);
  play.wait(kPhase);
  ASSERT_TRUE(play.outcome);
  EXPECT_EQ(play.outcome->status, RoundStatus::kLost);
  EXPECT_NE(play.outcome->reason.find("only 3 members voted"), std::string::npos);
  EXPECT_TRUE(certificates(play).empty());
}

TEST(Abort, AVoteThatComesLaterCompletesTheCertificate) {
  Play play(5, 1);
  play.mute(3, "BurnVote");
  play.mute(4, "BurnVote");
  without_enough_uploads(play);
  play.muted.clear();
  play.absorb(play.machine.member_connected(play.id(3), play.now));
  ASSERT_TRUE(play.outcome);
  EXPECT_EQ(play.outcome->status, RoundStatus::kAborted);
}

TEST(Abort, NoSIsAnnouncedAfterItHasBegun) {
  Play play(5, 1);
  for (std::uint32_t i = 0; i < 5; ++i)
    play.mute(i, "BurnVote");
  play.mute(1, "BlobData");
  play.mute(2, "UploadHeader");
  play.start();
  const auto late = play.members.upload_header(2, play.members.all(),
                                               play.members.masked_input(2, play.members.all()));
  play.wait(kTraining);
  ASSERT_EQ(play.machine.progress().phase, Phase::kAbort);
  play.say(2, late);
  EXPECT_EQ(play.events.back().kind, RoundEvent::Kind::kIgnored);
  play.say(1, wire::BlobData{});
  play.wait(kPhase);
  for (std::uint32_t i = 0; i < 5; ++i)
    EXPECT_EQ(play.count("Survivors", i), 0U);
}

/// Endorsements of 0, 1 and 2 arrive, those of 3 and 4 do not.
void without_enough_endorsements(Play& play) {
  play.mute(3, "Endorse");
  play.mute(4, "Endorse");
  play.start();
  play.wait(kPhase);
  play.wait(kPhase);
  ASSERT_EQ(play.machine.progress().phase, Phase::kAbort);
}

TEST(Abort, ALateEndorsementOfTheAnnouncedSStillGivesTheSum) {
  Play play(5, 1);
  without_enough_endorsements(play);
  EXPECT_EQ(play.count("BurnRequest", 3), 1U);
  EXPECT_EQ(play.count("BurnRequest", 0), 0U) << "who endorsed is not asked";
  play.say(3, play.members.endorse(3, play.members.all(), play.members.all()));
  EXPECT_TRUE(play.done_with({0, 1, 2, 3, 4}));
  EXPECT_TRUE(certificates(play).empty());
}

TEST(Abort, AMemberCountsForOneSideOnly) {
  Play play(5, 1);
  without_enough_endorsements(play);
  play.say(0, play.members.abort_vote(0));
  EXPECT_EQ(play.events.back().kind, RoundEvent::Kind::kRejected) << "it endorsed";
  play.say(3, play.members.abort_vote(3));
  EXPECT_EQ(play.events.back().kind, RoundEvent::Kind::kAccepted);
  play.say(3, play.members.endorse(3, play.members.all(), play.members.all()));
  EXPECT_EQ(play.events.back().kind, RoundEvent::Kind::kRejected) << "it voted";
  EXPECT_EQ(play.machine.progress().phase, Phase::kAbort);
  play.say(3, play.members.abort_vote(3));
  EXPECT_EQ(play.events.back().kind, RoundEvent::Kind::kIgnored) << "one vote a member";
}

TEST(Abort, VotesOfOthersAndUnaskedVotesDoNotCount) {
  Play play(5, 1);
  for (std::uint32_t i = 0; i < 5; ++i)
    play.mute(i, "BurnVote");
  play.mute(1, "BlobData");
  play.mute(2, "UploadHeader");
  play.start();
  play.say(1, play.members.abort_vote(1));
  EXPECT_EQ(play.events.back().kind, RoundEvent::Kind::kIgnored) << "nobody asked";
  play.wait(kTraining);
  play.say(0, play.members.abort_vote(1));
  EXPECT_EQ(play.events.back().kind, RoundEvent::Kind::kRejected) << "names another member";
  auto forged = play.members.abort_vote(1);
  forged.signature[9] ^= 1;
  play.say(1, forged);
  EXPECT_EQ(play.events.back().kind, RoundEvent::Kind::kRejected);
  EXPECT_EQ(play.machine.progress().done, 0U);
}

}  // namespace
}  // namespace sotto::coordinator
