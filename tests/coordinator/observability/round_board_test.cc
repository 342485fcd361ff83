// Who is where in a round, told from its events; nothing of it decides anything.
#include "coordinator/observability/round_board.h"

#include <gtest/gtest.h>

namespace sotto::coordinator {
namespace {

using Kind = RoundEvent::Kind;

constexpr MemberId kFirst{1}, kSecond{2}, kThird{3}, kOutside{4};

TimePoint at(int ms) {
  return TimePoint{} + Duration(ms);
}

RunStatus with_members() {
  RunStatus s;
  for (MemberId id : {kFirst, kSecond, kThird, kOutside})
    s.members.push_back({.id = id, .name = "m", .state = MemberState::kAccepted});
  return s;
}

RoundBoard in_upload() {
  RoundBoard board;
  board.begin(RoundNumber::of(7, 1), {kFirst, kSecond, kThird}, at(0));
  board.on_event({Kind::kPhase, Phase::kAdvertise, {}, ""}, at(0));
  board.on_event({Kind::kPhase, Phase::kUpload, {}, ""}, at(2000));
  return board;
}

RoundPart part_of(const RoundBoard& board, MemberId id) {
  return board.resting(with_members()).members.at(raw(id) - 1).part;
}

TEST(RoundBoard, FollowsAMemberFromItsKeysToTheSum) {
  RoundBoard board;
  board.begin(RoundNumber::of(7, 0), {kFirst}, at(0));
  EXPECT_EQ(part_of(board, kFirst), RoundPart::kPreparing);
  board.on_event({Kind::kAccepted, Phase::kAdvertise, kFirst, "Advertise"}, at(1));
  EXPECT_EQ(part_of(board, kFirst), RoundPart::kPreparing);
  board.on_event({Kind::kPhase, Phase::kUpload, {}, ""}, at(2));
  EXPECT_EQ(part_of(board, kFirst), RoundPart::kTraining);
  board.on_event({Kind::kAccepted, Phase::kUpload, kFirst, "UploadHeader"}, at(3));
  EXPECT_EQ(part_of(board, kFirst), RoundPart::kUploading);
  board.on_event({Kind::kUploadProgress, Phase::kUpload, kFirst, "9 bytes"}, at(4));
  EXPECT_EQ(part_of(board, kFirst), RoundPart::kUploaded);
}

TEST(RoundBoard, TellsTheLateFromTheGoneAndSaysWhy) {
  RoundBoard board = in_upload();
  board.on_event({Kind::kSilent, Phase::kUpload, kFirst, "silent"}, at(3000));
  board.on_event({Kind::kGone, Phase::kUpload, kSecond, "left: \x1b[2J"}, at(3000));
  const RunStatus s = board.resting(with_members());
  EXPECT_EQ(s.members[0].part, RoundPart::kLate);
  EXPECT_EQ(s.members[1].part, RoundPart::kGone);
  EXPECT_EQ(s.members[1].part_reason, "left: ?[2J") << "a member's words reach no terminal raw";
  EXPECT_EQ(s.members[2].part, RoundPart::kTraining);
  EXPECT_EQ(s.members[3].part, RoundPart::kNone) << "not in the cohort";
}

TEST(RoundBoard, WhoUploadedStaysInTheSumWhateverBecomesOfIt) {
  RoundBoard board = in_upload();
  board.on_event({Kind::kUploadProgress, Phase::kUpload, kFirst, "9 bytes"}, at(3000));
  board.on_event({Kind::kSilent, Phase::kEndorse, kFirst, "silent"}, at(4000));
  EXPECT_EQ(part_of(board, kFirst), RoundPart::kUploaded);
}

TEST(RoundBoard, AddsUpThePhasesAndCountsTheOneUnderWay) {
  RoundBoard board = in_upload();
  const RunStatus s =
      board.running(with_members(), {.phase = Phase::kUpload, .cohort = 3, .done = 1}, at(2500));
  EXPECT_EQ(s.state, RunState::kRunning);
  EXPECT_EQ(s.server_round, 7U);
  EXPECT_EQ(s.attempt, 1U);
  EXPECT_EQ(s.done, 1U);
  EXPECT_DOUBLE_EQ(s.phase_s.at("Advertise"), 2.0);
  EXPECT_DOUBLE_EQ(s.phase_s.at("Upload"), 0.5);
  const auto spent = board.end(at(5000));
  EXPECT_DOUBLE_EQ(spent.at("Upload"), 3.0);
  board.begin(RoundNumber::of(8, 0), {kSecond}, at(6000));
  EXPECT_TRUE(board.end(at(7000)).empty()) << "a new attempt begins with nothing";
}

TEST(LineForLog, NamesAPhaseOnceWhereTheMessageHasItsName) {
  config::Roster roster;
  roster.members = {{.id = kFirst, .name = "aurora"}};
  Members members(roster);
  RoundEvent event{Kind::kRejected, Phase::kEndorse, kFirst, "Endorse: bad signature"};
  EXPECT_EQ(line_for_log(event, RoundNumber::of(1, 0), members),
            "aurora: round 1, Endorse: bad signature");
  event.phase = Phase::kUnmask;
  EXPECT_EQ(line_for_log(event, RoundNumber::of(1, 0), members),
            "aurora: round 1, Unmask: Endorse: bad signature");
}

TEST(TimeLeft, IsFromThePaceOfThisProcessAlone) {
  EXPECT_FALSE(
      time_left_s({.finished_at_start = 5, .finished = 5, .num_server_rounds = 9, .seconds = 60}));
  // 2 rounds in 20 s; 3 and the closing evaluation are left.
  EXPECT_DOUBLE_EQ(
      *time_left_s({.finished_at_start = 4, .finished = 6, .num_server_rounds = 9, .seconds = 20}),
      40);
  EXPECT_DOUBLE_EQ(
      *time_left_s({.finished_at_start = 4, .finished = 12, .num_server_rounds = 9, .seconds = 20}),
      0);
}

}  // namespace
}  // namespace sotto::coordinator
