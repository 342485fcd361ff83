// What a coordinator does about a member with another roster, and about the end of its own.
#include <string>

#include "tests/coordinator/driver/coordinator_fixture.h"

namespace sotto::coordinator {
namespace {

class RosterOfARun : public CoordinatorTest {
 protected:
  void say(const wire::Hello& hello) { app->on_frame(kMember, wire::encode(kMember, {}, hello)); }

  /// The newest message that was sent, as a T.
  template <class T>
  [[nodiscard]] std::optional<T> newest() const {
    if (host.sent.empty()) return std::nullopt;
    const auto decoded = wire::decode(host.sent.back());
    const T* message = std::get_if<T>(&decoded->message);
    return message ? std::optional(*message) : std::nullopt;
  }

  /// A look of the coordinator around it.
  void wake() { pass(Duration(1000)); }
};

TEST_F(RosterOfARun, AMemberWithYesterdaysRosterIsNamedWithBothVersionsAndLearnsOurs) {
  const wire::Hello yesterday{.roster_version = 1, .roster_hash = {1}};
  say(yesterday);
  ASSERT_EQ(log.size(), 1U);
  for (const char* part : {"site-1", "version 1 of the roster", "this coordinator uses version 2",
                           "newest federation.json", "sotto-participant join"})
    EXPECT_NE(log[0].find(part), std::string::npos) << log[0] << " lacks " << part;
  const auto answer = newest<wire::Hello>();
  ASSERT_TRUE(answer) << "a Hello, and no job is offered";
  EXPECT_EQ(answer->roster_version, 2U);
  EXPECT_EQ(answer->roster_hash, roster.hash());
  wake();
  EXPECT_EQ(status.members[0].state, MemberState::kAbsent);
  EXPECT_FALSE(status.members[0].connected);
  EXPECT_NE(status.members[0].reason.find("version 1"), std::string::npos);
  EXPECT_EQ(status.members[0].violations, 0U) << "it breaks no rule";
  for (int i = 0; i < 100; ++i)
    say(yesterday);
  EXPECT_LT(log.size(), 10U) << "a repetition is not logged each time";
  say(hello());
  EXPECT_TRUE(newest<wire::JobOffer>()) << "after it has joined";
  wake();
  EXPECT_EQ(status.members[0].reason, "");
}

TEST_F(RosterOfARun, AMemberWithANewerRosterMeansThatTheCoordinatorRunsWithAnOldOne) {
  say({.roster_version = 3, .roster_hash = {1}});
  EXPECT_EQ(lines_with("Start this coordinator again with the newest federation.json"), 1);
}

TEST_F(RosterOfARun, TwoRostersOfOneVersionAreNamedAsThat) {
  say({.roster_version = 2, .roster_hash = {1}});
  EXPECT_EQ(lines_with("two rosters were signed under one version"), 1);
  EXPECT_FALSE(newest<wire::JobOffer>());
}

TEST_F(RosterOfARun, TheEndOfTheRosterIsAnnouncedForThirtyDaysOnceADay) {
  unix_time = roster.expiry_unix_s - 31 * kDay;
  wake();
  EXPECT_EQ(lines_with("expires on"), 0);
  for (int day = 30; day > 0; --day) {
    unix_time = roster.expiry_unix_s - static_cast<std::uint64_t>(day) * kDay;
    wake();
    wake();
  }
  EXPECT_EQ(lines_with("expires on"), 30);
  EXPECT_EQ(lines_with("in 1 day, "), 1);
  EXPECT_EQ(lines_with("sotto-coordinator renew"), 30);
  EXPECT_NE(status.roster_warning.find("in 1 day, "), std::string::npos) << status.roster_warning;
  EXPECT_FALSE(host.code) << "the run goes on until then";
}

TEST_F(RosterOfARun, NoRoundBeginsUnderARosterThatHasExpired) {
  unix_time = roster.expiry_unix_s - 1;
  wake();
  EXPECT_FALSE(host.code);
  unix_time = roster.expiry_unix_s;
  wake();
  ASSERT_TRUE(host.code);
  EXPECT_EQ(*host.code, static_cast<int>(RunEnd::kFailed));
  EXPECT_NE(status.detail.find("expired on"), std::string::npos) << status.detail;
  EXPECT_NE(status.detail.find("sotto-coordinator renew"), std::string::npos) << status.detail;
  EXPECT_TRUE(newest<wire::RunFinished>());
}

}  // namespace
}  // namespace sotto::coordinator
