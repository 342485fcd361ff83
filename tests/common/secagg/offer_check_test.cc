// M0 is refused for every parameter that does not follow from (n, C) and the site's policy
// (docs/secure-aggregation.md, 2.2).
#include <functional>

#include "tests/common/secagg/round_fixture.h"

namespace sotto::secagg {
namespace {

using Change = std::function<void(wire::Offer&)>;
using RuleChange = std::function<void(LocalRules&)>;

struct CheckOffer : ::testing::Test {
  TestRound round{7, 2};

  Result<Cohort> check(const wire::Offer& offer, const LocalRules& rules) {
    return check_offer(offer, round.coordinator.verify_key(), round.roster, round.id(3), rules);
  }

  /// The coordinator signs what it changed: only the rule stands against it.
  void refuses(const Change& change, const std::string& why) {
    wire::Offer offer = round.offer();
    change(offer);
    sign_offer(round.coordinator, offer);
    expect(check(offer, round.rules()), why);
  }

  void refuses_under(const RuleChange& change, const std::string& why) {
    LocalRules rules = round.rules();
    change(rules);
    expect(check(round.offer(), rules), why);
  }

  static void expect(const Result<Cohort>& result, const std::string& why) {
    ASSERT_FALSE(result.ok()) << why;
    EXPECT_NE(result.error().message.find(why), std::string::npos) << result.error().message;
  }
};

TEST_F(CheckOffer, AcceptsWhatFollowsFromThePolicy) {
  const auto cohort = check(round.offer(), round.rules());
  ASSERT_TRUE(cohort.ok()) << cohort.error().message;
  EXPECT_EQ(cohort->hash(), round.header.cohort_hash);
}

TEST_F(CheckOffer, RefusesWhatTheCoordinatorDidNotSign) {
  wire::Offer offer = round.offer();
  offer.deadline_ms[3] += 1;
  expect(check(offer, round.rules()), "signature");
  offer = round.offer();
  sign_offer(round.keys[0], offer);
  expect(check(offer, round.rules()), "signature");
}

TEST_F(CheckOffer, RefusesAnotherRosterRunJobOrCohort) {
  refuses([](auto& o) { o.header.roster_hash[0] ^= 1; }, "roster");
  refuses([](auto& o) { o.header.run[0] ^= 1; }, "another run");
  refuses([](auto& o) { o.header.config_hash[0] ^= 1; }, "job");
  refuses([](auto& o) { o.header.cohort_hash[0] ^= 1; }, "cohort hash");
  refuses([](auto& o) { o.cohort = {0x77}; }, "not in the cohort");
  refuses([](auto& o) { o.cohort = {0xff}; }, "the cohort:");
  refuses([](auto& o) { o.cohort = {0x7f, 0}; }, "the cohort:");
  refuses([](auto& o) { o.cohort = {0x3f}; }, "the cohort has 6 members");
}

TEST_F(CheckOffer, RefusesFewerColludersThanThePolicy) {
  // header_C_below_policy: with the thresholds that fit the lower C.
  refuses(
      [](auto& o) {
        const Thresholds weaker = complete_graph_thresholds(7, 1).value();
        o.header.C = 1;
        o.header.Q = weaker.Q;
        o.header.t = weaker.t;
        o.header.s_min = weaker.s_min;
      },
      "this site requires 2");
}

TEST_F(CheckOffer, RefusesMoreColludersThanNMinusTwo) {
  refuses([](auto& o) { o.header.C = 6; }, "at most n - 2");
}

TEST_F(CheckOffer, RefusesACohortShrunkBelowThePolicy) {
  refuses_under([](auto& r) { r.min_cohort = 8; },
                "this site takes part only in cohorts of at least 8");
}

TEST_F(CheckOffer, RefusesThresholdsThatDoNotFollow) {
  refuses([](auto& o) { --o.header.t; }, "t is 3, not 4");
  refuses([](auto& o) { ++o.header.t; }, "t is 5, not 4");
  refuses([](auto& o) { --o.header.Q; }, "Q is 4, not 5");
  refuses([](auto& o) { ++o.header.Q; }, "Q is 6, not 5");
  refuses([](auto& o) { --o.header.s_min; }, "at least 5");
  refuses([](auto& o) { o.header.s_min = 8; }, "more than the cohort");
  refuses([](auto& o) { o.header.k = 4; }, "k is 4, not 6");
  refuses([](auto& o) { o.header.q = 1; }, "q is 1, not 0");
  refuses([](auto& o) { o.header.witnesses = 6; }, "6 witnesses, not 7");
  refuses([](auto& o) { o.header.prg_id = 2; }, "mask generator");
  refuses([](auto& o) { o.header.graph = static_cast<wire::Graph>(1); }, "complete");
}

TEST_F(CheckOffer, AcceptsAHigherSMinAndHoldsItToThePolicy) {
  wire::Offer offer = round.offer();
  offer.header.s_min = 6;
  sign_offer(round.coordinator, offer);
  EXPECT_TRUE(check(offer, round.rules()).ok());
  refuses_under([](auto& r) { r.min_survivors = 6; }, "at least 6");
  refuses_under([](auto& r) { r.min_cohort = 7; }, "s_min is 5, at least 7 is demanded");
}

TEST_F(CheckOffer, RefusesLanesThatDoNotFollowFromTheJob) {
  refuses([](auto& o) { o.header.lanes[0].length += 1; }, "lanes");
  refuses([](auto& o) { o.header.lanes[0].bits -= 1; }, "lanes");  // b_too_small_for_n
  refuses([](auto& o) { o.header.lanes.pop_back(); }, "lanes");
}

TEST_F(CheckOffer, RefusesARoundThatIsNotLater) {
  refuses_under([&](auto& r) { r.last_round = round.header.round; }, "not later");
  refuses_under([&](auto& r) { r.last_round = RoundNumber::of(9, 0); }, "not later");
}

TEST_F(CheckOffer, RefusesAMemberOutsideTheRoster) {
  expect(check_offer(round.offer(), round.coordinator.verify_key(), round.roster, MemberId{99},
                     round.rules()),
         "not in the cohort");
}

}  // namespace
}  // namespace sotto::secagg
