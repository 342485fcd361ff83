// What a site does about the end of its roster, and about a coordinator that works with another
// one.
#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/participant/driver/fake_models.h"
#include "tests/participant/driver/hostile_coordinator.h"
#include "tests/participant/driver/small_task.h"
#include "tests/participant/learning/own_folder.h"

namespace sotto::outside_test {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using wire::JobAnswer;

constexpr std::uint64_t kHour = 3600;
constexpr std::uint64_t kDay = 24 * kHour;
/// A site looks at its roster with each Hello.
constexpr seconds kHelloEvery{5};

/// A site and its coordinator, whose roster ends so many seconds after the site has started.
class Federation {
 public:
  explicit Federation(std::uint64_t good_for_s)
      : coordinator(ObservedSite::kStartUnixS + good_for_s) {
    const SmallTask task = classification();
    const auto folder = learning::own_folder();
    write_task(task, folder);
    job = load_task(folder);
    site = std::make_unique<ObservedSite>(
        folder,
        SiteFiles{.training = file_of(task.training),
                  .evaluation = file_of(task.evaluation),
                  .declared = {{"training_examples", task.training.size()}}},
        models, coordinator.roster(), coordinator.site_id(), coordinator.site_key());
    coordinator.connect(*site);
  }

  void play(std::uint64_t server_round) {
    coordinator.play(server_round, models.initial_model(job).value());
  }

  [[nodiscard]] std::vector<std::string> lines_with(const std::string& part) const {
    std::vector<std::string> out;
    for (const std::string& line : site->log())
      if (line.find(part) != std::string::npos) out.push_back(line);
    return out;
  }

  /// The site's messages of one type.
  template <class M>
  [[nodiscard]] std::vector<M> all() const {
    std::vector<M> out;
    for (const Sent& sent : site->sent())
      if (const auto* m = std::get_if<M>(&sent.envelope.message)) out.push_back(*m);
    return out;
  }

  /// The coordinator's answer to a Hello.
  void say(std::uint32_t version, const Bytes32& hash) const {
    site->deliver({}, wire::Hello{.roster_version = version, .roster_hash = hash});
  }

  training::FakeModels models;
  HostileCoordinator coordinator;
  config::JobConfig job;
  std::unique_ptr<ObservedSite> site;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(SiteRoster, AnOfferUnderAnExpiredRosterIsPostponed) {
  Federation f(2);
  f.coordinator.wait(seconds(2));
  const auto reply = f.coordinator.offer(f.job);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->answer, JobAnswer::kPostpone);
  EXPECT_TRUE(contains(reply->reason, "the roster (version 1) expired on ")) << reply->reason;
  EXPECT_TRUE(contains(reply->reason, "ask the operator for the renewed federation.json"))
      << reply->reason;
  f.play(1);
  EXPECT_TRUE(f.all<wire::Advertise>().empty());
  EXPECT_TRUE(f.site->outside().charges.empty());
}

TEST(SiteRoster, AnOfferOfTheLastSecondIsAccepted) {
  Federation f(2);
  f.coordinator.wait(seconds(1));
  EXPECT_TRUE(accepts(f.coordinator.offer(f.job)));
}

/// All of it between two Hellos, so that only the offer of the round makes the site look.
TEST(SiteRoster, TheRoundThatWasJoinedEndsAndNoOtherIsJoined) {
  Federation f(1);
  ASSERT_TRUE(accepts(f.coordinator.offer(f.job)));
  f.play(1);
  EXPECT_EQ(f.all<wire::Endorse>().size(), 1U) << "the roster expired before the upload";
  EXPECT_EQ(f.site->outside().charges.size(), 1U);
  ASSERT_EQ(f.all<wire::JobReply>().size(), 1U);
  f.play(2);
  EXPECT_EQ(f.all<wire::Advertise>().size(), 1U);
  EXPECT_EQ(f.site->outside().charges.size(), 1U);
  const auto left = f.all<wire::LeaveRound>();
  ASSERT_EQ(left.size(), 1U);
  EXPECT_TRUE(contains(left[0].reason, "expired on ")) << left[0].reason;
  EXPECT_EQ(f.all<wire::JobReply>().back().answer, JobAnswer::kPostpone);
}

TEST(SiteRoster, ARunThatWasAcceptedIsPostponedWithoutBeingAsked) {
  Federation f(7);
  ASSERT_TRUE(accepts(f.coordinator.offer(f.job)));
  f.coordinator.wait(kHelloEvery);
  EXPECT_EQ(f.all<wire::JobReply>().size(), 1U) << "the roster is good";
  f.coordinator.wait(kHelloEvery);
  const auto replies = f.all<wire::JobReply>();
  ASSERT_EQ(replies.size(), 2U);
  EXPECT_EQ(replies[1].answer, JobAnswer::kPostpone);
  EXPECT_TRUE(contains(replies[1].reason, "expired on ")) << replies[1].reason;
}

TEST(SiteRoster, ItsEndIsAnnouncedThirtyDaysBeforeOnceADay) {
  Federation f(30 * kDay + kHour);
  const auto last_reply = [&f] { return f.lines_with("the roster (version 1) expires on "); };
  f.coordinator.wait(hours(1) - kHelloEvery);
  EXPECT_TRUE(last_reply().empty()) << last_reply()[0];
  f.coordinator.wait(kHelloEvery);
  ASSERT_EQ(last_reply().size(), 1U);
  EXPECT_TRUE(contains(last_reply()[0], ", in 30 days, ")) << last_reply()[0];
  EXPECT_TRUE(contains(last_reply()[0], "run `sotto-participant join` with it")) << last_reply()[0];
  f.coordinator.wait(hours(24) - kHelloEvery);
  EXPECT_EQ(last_reply().size(), 1U);
  f.coordinator.wait(kHelloEvery);
  ASSERT_EQ(last_reply().size(), 2U);
  EXPECT_TRUE(contains(last_reply()[1], ", in 29 days, ")) << last_reply()[1];
}

TEST(SiteRoster, ItsEndIsAnnouncedAtOnceAndThenOnceADay) {
  Federation f(kHour);
  EXPECT_EQ(f.lines_with(", in 1 day, ").size(), 1U) << "at the start";
  const auto last_reply = [&f] { return f.lines_with("so no round begins under it").size(); };
  f.coordinator.wait(hours(1) - kHelloEvery);
  EXPECT_EQ(last_reply(), 0U);
  f.coordinator.wait(kHelloEvery);
  EXPECT_EQ(last_reply(), 1U);
  f.coordinator.wait(hours(24) - kHelloEvery);
  EXPECT_EQ(last_reply(), 1U);
  f.coordinator.wait(kHelloEvery);
  EXPECT_EQ(last_reply(), 2U);
  EXPECT_EQ(f.lines_with(", in 1 day, ").size(), 1U);
}

TEST(SiteRoster, AnotherRosterOfTheCoordinatorIsNamedWithBothVersionsAndWhoHasToAct) {
  const Bytes32 other = {1};
  Federation f(kDay);
  const std::size_t sent = f.site->sent().size();
  const auto both = [](int theirs) {
    return "no job is offered: the coordinator uses version " + std::to_string(theirs) +
           " of the roster, but this site uses version 1";
  };
  f.say(2, other);
  f.say(0, other);
  f.say(1, other);
  const auto newer = f.lines_with(both(2)), older = f.lines_with(both(0)),
             same = f.lines_with(both(1));
  ASSERT_EQ(newer.size(), 1U);
  EXPECT_TRUE(contains(newer[0], "Get the newest federation.json from the operator")) << newer[0];
  ASSERT_EQ(older.size(), 1U);
  EXPECT_TRUE(contains(older[0], "The operator must start the coordinator again")) << older[0];
  ASSERT_EQ(same.size(), 1U);
  EXPECT_TRUE(contains(same[0], "two rosters were signed under one version")) << same[0];
  for (int i = 0; i < 100; ++i)
    f.say(2, other);
  EXPECT_EQ(f.lines_with(both(2)).size(), 7U) << "at 1, 2, 4, 8, 16, 32 and 64 of 101";
  EXPECT_EQ(f.site->sent().size(), sent) << "the coordinator learns nothing";
  f.coordinator.wait(seconds(60));
  EXPECT_TRUE(f.lines_with("has offered no job").empty()) << "the reason was said";
}

TEST(SiteRoster, TheSameRosterOfTheCoordinatorIsNoLine) {
  Federation f(365 * kDay);
  f.say(1, f.coordinator.roster().hash());
  EXPECT_TRUE(f.site->log().empty()) << f.site->log()[0];
}

}  // namespace
}  // namespace sotto::outside_test
