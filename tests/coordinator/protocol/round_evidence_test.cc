// The coordinator keeps evidence against a member, and goes on where it can
// (docs/secure-aggregation.md, "Evidence").
#include "common/observability/evidence_folder.h"
#include "tests/coordinator/protocol/round_play.h"
#include "tests/temporary_directory.h"

namespace sotto::coordinator {
namespace {

config::Roster roster_of(const Play& play) {
  config::Roster roster;
  roster.coordinator_signing_key = play.members.coordinator.verify_key();
  for (const auto& member : play.members.roster)
    roster.members.push_back({.id = member.id, .signing_key = member.verify_key});
  return roster;
}

Result<secagg::Finding> finding(const Play& play) {
  if (play.evidence.size() != 1) return Error{"not one piece of evidence"};
  secagg::EvidenceRoster known = observability::evidence_roster(roster_of(play));
  known.roster_hash = play.members.header.roster_hash;
  return secagg::check_evidence(play.evidence[0], known);
}

TEST(RoundEvidence, EquivocatingM1IsKeptOnceAndTheRoundGoesOn) {
  Play play(4, 1);
  play.mute(3, "Advertise");
  play.start();
  auto second = play.members.members[2].m1;
  for (int time = 0; time < 2; ++time) {
    ++second.cm_b[0];
    secagg::sign_advertise(play.members.members[2].signing, play.members.h, second);
    play.say(2, second);
  }
  const auto found = finding(play);
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_EQ(found->offender, play.id(2));
  play.say(3, play.members.members[3].m1);
  EXPECT_TRUE(play.done_with({0, 1, 2, 3}));
}

TEST(RoundEvidence, ShareBitflipBlamesTheHolderAndTheSumIsExact) {
  Play play(5, 1);
  const MemberId flipper = play.id(3);
  play.distort = [&](wire::Message& message) {
    auto* m9 = std::get_if<wire::UnmaskResponse>(&message);
    if (m9 == nullptr || m9->id != flipper) return;
    m9->shares[1].share[7] ^= 1;
    secagg::sign_unmask_response(play.members.members[3].signing, play.members.h, *m9);
  };
  for (std::uint32_t i : {0U, 1U})
    play.mute(i, "UnmaskResponse");
  play.start();
  const auto found = finding(play);
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_EQ(found->offender, flipper);
  EXPECT_FALSE(play.outcome);
  play.muted.clear();
  play.absorb(play.machine.member_connected(play.id(0), play.now));
  EXPECT_TRUE(play.done_with({0, 1, 2, 3, 4})) << "t = 3 good shares of everything";
}

TEST(RoundEvidence, DealerInconsistentPolynomialIsAnOffenderWhenTheRoundIsLost) {
  Play play(5, 1);
  play.members.members[2].b_shares[0] = crypto::random_scalar(play.members.random);
  play.start();
  ASSERT_TRUE(play.outcome);
  EXPECT_EQ(play.outcome->status, RoundStatus::kLost);
  const auto found = finding(play);
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_EQ(found->offender, play.id(2));
}

TEST(RoundEvidence, AVoteOfAnEndorserIsEvidenceAgainstIt) {
  Play play(5, 1);
  play.mute(3, "Endorse");
  play.mute(4, "Endorse");
  play.start();
  play.wait(kPhase);
  play.wait(kPhase);
  ASSERT_EQ(play.machine.progress().phase, Phase::kAbort);
  play.say(1, play.members.abort_vote(1));
  const auto found = finding(play);
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_EQ(found->offender, play.id(1));
}

TEST(RoundEvidence, AVoteThatNobodyAskedForAndAnEndorsementAreEvidenceInEitherOrder) {
  for (const bool vote_first : {true, false}) {
    Play play(5, 1);
    play.mute(1, "Endorse");
    play.mute(4, "Endorse");
    play.mute(3, "UploadHeader");  // the upload phase waits for it
    play.start();
    ASSERT_EQ(play.machine.progress().phase, Phase::kUpload);
    if (vote_first) play.say(1, play.members.abort_vote(1));
    EXPECT_TRUE(play.evidence.empty()) << "the coordinator might have asked for a vote";
    play.wait(kTraining);
    ASSERT_EQ(play.machine.progress().phase, Phase::kEndorse);
    play.say(1, play.members.endorse(1, play.members.all(), {0, 1, 2, 4}));
    if (!vote_first) play.say(1, play.members.abort_vote(1));
    const auto found = finding(play);
    ASSERT_TRUE(found.ok()) << found.error().message;
    EXPECT_EQ(found->offender, play.id(1));
    play.say(1, play.members.abort_vote(1));
    EXPECT_EQ(play.evidence.size(), 1U) << "once";
  }
}

TEST(RoundEvidence, AnEndorsementOfAVoterIsEvidenceAgainstItAndDoesNotCount) {
  Play play(5, 1);
  play.mute(3, "Endorse");
  play.mute(4, "Endorse");
  for (std::uint32_t i = 0; i < 5; ++i)
    play.mute(i, "BurnVote");
  play.start();
  play.wait(kPhase);
  play.wait(kPhase);
  ASSERT_EQ(play.machine.progress().phase, Phase::kAbort);
  play.say(3, play.members.abort_vote(3));
  play.say(3, play.members.endorse(3, play.members.all(), {0, 1, 2, 3}));
  EXPECT_TRUE(play.evidence.empty()) << "of another S than the announced one it proves nothing";
  play.say(3, play.members.endorse(3, play.members.all(), play.members.all()));
  const auto found = finding(play);
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_EQ(found->offender, play.id(3));
  EXPECT_EQ(play.machine.progress().phase, Phase::kAbort);
}

TEST(RoundEvidence, AFileOfItIsCheckedFromTheRosterAlone) {
  Play play(5, 1);
  config::Roster roster = roster_of(play);
  play.members.header.roster_hash = roster.hash();
  play.members.h = secagg::header_hash(play.members.header);
  auto one = play.members.check(1, play.members.all());
  auto two = play.members.check(1, play.members.all(), {2});
  const auto found = secagg::contradictions(play.members.header, play.members.cohort(),
                                            observability::evidence_roster(roster), one, two);
  ASSERT_EQ(found.size(), 1U);
  const TemporaryDirectory directory;
  const auto folder = directory / "run/evidence";
  for (int again = 0; again < 2; ++again)
    EXPECT_NE(observability::keep_evidence(folder, found[0], roster).line.find("stored in"),
              std::string::npos);
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files.push_back(entry.path());
  ASSERT_EQ(files.size(), 1U);
  const auto read = observability::check_evidence_file(files[0], roster);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->offender, play.id(1));
  std::filesystem::resize_file(files[0], std::filesystem::file_size(files[0]) - 1);
  EXPECT_FALSE(observability::check_evidence_file(files[0], roster).ok());
  EXPECT_FALSE(observability::check_evidence_file(folder / "none", roster).ok());
}

}  // namespace
}  // namespace sotto::coordinator
