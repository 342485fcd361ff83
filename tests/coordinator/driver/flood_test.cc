// What a member does too often is counted with its name, said at the 1st, 2nd, 4th, 8th time, and
// bounded.
#include <string>

#include <gtest/gtest.h>

#include "coordinator/members/members.h"
#include "tests/coordinator/driver/coordinator_fixture.h"

namespace sotto::coordinator {
namespace {

class Flood : public CoordinatorTest {
 protected:
  std::uint64_t violations(MemberId member) {
    pass(Duration(2000));  // a report is due
    for (const MemberStatus& m : status.members)
      if (m.id == member) return m.violations;
    return 0;
  }
};

TEST_F(Flood, AnswersThatChangeAgainAndAgainAreAViolation) {
  const auto yes = answer(kMember, wire::JobAnswer::kAccept);
  const auto later = answer(kMember, wire::JobAnswer::kPostpone, "not now");
  log.clear();
  for (int i = 0; i < 1000; ++i) {
    hear(kMember, yes);
    hear(kMember, later);
  }
  EXPECT_EQ(lines_with("site-1 "), Members::kMostAnswers) << "as many as an honest site has";
  EXPECT_LE(log.size(), Members::kMostAnswers + 12) << "and then at the 1st, 2nd, 4th ... time";
  EXPECT_GE(lines_with("site-1: it changes its answer to the job"), 1U);
  EXPECT_EQ(seen.all<MemberAnswered>().size(), Members::kMostAnswers)
      << "each is an entry of the signed audit log, which a member must not fill";
  EXPECT_EQ(violations(kMember), 1000 - Members::kMostAnswers / 2)
      << "each acceptance that is ignored; the postponements repeat the answer that holds";
  // After an hour a change holds again.
  host.time += std::chrono::hours(1);
  log.clear();
  hear(kMember, yes);
  EXPECT_EQ(lines_with("site-1 accepts the job"), 1U);
}

TEST_F(Flood, OfTooManyAnswersOneThatEndsAnAcceptanceStillHolds) {
  const auto yes = answer(kMember, wire::JobAnswer::kAccept);
  const auto later = answer(kMember, wire::JobAnswer::kPostpone, "not now");
  const auto no = answer(kMember, wire::JobAnswer::kPostpone, "never again");
  hear(kMember, later);
  for (std::uint32_t i = 1; i < Members::kMostAnswers; ++i)
    hear(kMember, i % 2 == 1 ? yes : later);
  ASSERT_EQ(seen.all<MemberAnswered>().back().answer, MemberAnswer::kAccepted);
  hear(kMember, answer(kMember, wire::JobAnswer::kAccept, "another reason"));
  EXPECT_EQ(seen.all<MemberAnswered>().size(), Members::kMostAnswers);
  hear(kMember, no);
  EXPECT_EQ(seen.all<MemberAnswered>().back().reason, "never again");
  hear(kMember, yes);
  hear(kMember, later);
  EXPECT_EQ(seen.all<MemberAnswered>().size(), Members::kMostAnswers + 1);
}

TEST_F(Flood, OfMoreFramesASecondThanWorkNeedsTheRestIsIgnored) {
  const Bytes greeting = wire::encode(kMember, {}, hello());
  for (int i = 0; i < 100000; ++i)
    app->on_frame(kMember, greeting);
  EXPECT_EQ(host.sent.size(), Members::kMostFrames) << "a job offer each";
  EXPECT_EQ(lines_with("site-1: it sends more than 10000 frames a second"), 1U);
  host.sent.clear();
  app->on_frame(MemberId{2}, wire::encode(MemberId{2}, {}, hello()));
  EXPECT_EQ(host.sent.size(), 1U) << "another member is heard";
  host.time += Duration(1000);
  app->on_frame(kMember, greeting);
  EXPECT_EQ(host.sent.size(), 2U) << "and so is this one, in the next second";
  EXPECT_EQ(violations(kMember), 1U);
}

TEST_F(Flood, NoMemberHidesWhatAnotherOneDoes) {
  for (int i = 0; i < 5000; ++i) {
    Bytes frame = wire::encode(kMember, {}, hello());
    frame[2] = static_cast<std::uint8_t>(100 + i % 100);  // types that there are not
    frame[3] = static_cast<std::uint8_t>(i / 100);
    app->on_frame(kMember, frame);
  }
  EXPECT_EQ(log.size(), 13U) << "one kind, at 1, 2, 4 ... 4096";
  EXPECT_EQ(violations(kMember), 5000U);
  log.clear();
  app->on_frame(MemberId{2}, Bytes(5));
  EXPECT_EQ(lines_with("site-2: it sent a frame that cannot be decoded"), 1U);
}

TEST_F(Flood, ConnectionsAreCountedWithTheirMembersName) {
  for (int i = 0; i < 100; ++i)
    app->on_too_many_links(kMember);
  EXPECT_EQ(log.size(), 7U) << "at 1, 2, 4 ... 64";
  EXPECT_EQ(lines_with("site-1: it opens connections again and again"), 7U);
  EXPECT_EQ(violations(kMember), 100U);
  log.clear();
  for (int i = 0; i < 10; ++i)
    app->on_link_ended(MemberId{2});
  EXPECT_EQ(log.size(), 4U);
  EXPECT_EQ(lines_with("site-2: its connection ended"), 4U);
  EXPECT_EQ(violations(MemberId{2}), 0U) << "it may be its network";
  EXPECT_EQ(status.members[1].links_ended, 10U);
}

TEST_F(Flood, FramesAboutNoRoundAreNamed) {
  for (std::uint32_t i = 1; i <= 4; ++i)
    hear(MemberId{i}, answer(MemberId{i}, wire::JobAnswer::kAccept));
  pass(Duration(4000));
  log.clear();
  for (int i = 0; i < 100; ++i)
    hear(kMember, wire::BlobRequest{});
  EXPECT_EQ(lines_with("BlobRequest: it names no round"), 7U) << "at 1, 2, 4 ... 64";
  EXPECT_EQ(violations(kMember), 100U);
}

}  // namespace
}  // namespace sotto::coordinator
