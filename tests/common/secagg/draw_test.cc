// Cohorts and rings drawn from a run's shared randomness, and offers that do not follow from it
// (docs/secure-aggregation.md, 2.1 and 2.2).
#include "common/secagg/randomness/draw.h"

#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "common/secagg/client/client.h"
#include "common/secagg/shared/transcript.h"
#include "common/wire/codec.h"

namespace sotto::secagg {
namespace {

CohortDraw draw_of(std::uint32_t members, std::uint32_t cohort_size) {
  CohortDraw draw{.shared_randomness = {.value = Bytes32{7}, .members = {}},
                  .cohort_size = cohort_size};
  for (std::uint32_t i = 0; i < members; ++i)
    draw.shared_randomness.members.push_back(MemberId{3 * (i + 1)});
  return draw;
}

std::vector<CohortMember> members_of(const std::vector<MemberId>& ids) {
  std::vector<CohortMember> out;
  for (MemberId id : ids)
    out.push_back({id, {}});
  return out;
}

std::vector<MemberId> ids_of(const std::vector<CohortMember>& members) {
  std::vector<MemberId> out;
  for (const CohortMember& member : members)
    out.push_back(member.id);
  return out;
}

TEST(Draw, EverybodyUnlessTheJobSamples) {
  EXPECT_EQ(drawn_cohort(draw_of(20, 0), RoundNumber::of(1, 0)),
            draw_of(20, 0).shared_randomness.members);
  EXPECT_EQ(drawn_cohort(draw_of(20, 20), RoundNumber::of(1, 0)).size(), 20U);
  EXPECT_EQ(drawn_cohort(draw_of(20, 99), RoundNumber::of(1, 0)).size(), 20U);
}

TEST(Draw, ASampleAscendsLiesInTheSharedRandomnessAndChangesWithRoundAndSeed) {
  const CohortDraw draw = draw_of(100, 10);
  const auto first = drawn_cohort(draw, RoundNumber::of(1, 0));
  EXPECT_EQ(first.size(), 10U);
  EXPECT_TRUE(std::is_sorted(first.begin(), first.end()));
  EXPECT_TRUE(std::ranges::includes(draw.shared_randomness.members, first));
  EXPECT_EQ(drawn_cohort(draw, RoundNumber::of(1, 0)), first);
  EXPECT_NE(drawn_cohort(draw, RoundNumber::of(2, 0)), first);
  CohortDraw other = draw;
  other.shared_randomness.value[31] ^= 1;
  EXPECT_NE(drawn_cohort(other, RoundNumber::of(1, 0)), first);
}

TEST(Draw, EverybodyIsDrawnAboutEquallyOften) {
  const CohortDraw draw = draw_of(20, 5);
  std::map<MemberId, int> times;
  for (std::uint64_t round = 1; round <= 2000; ++round)
    for (MemberId id : drawn_cohort(draw, RoundNumber::of(round, 0)))
      ++times[id];
  ASSERT_EQ(times.size(), 20U);
  for (const auto& [id, count] : times)  // 500 expected, standard deviation 19
    EXPECT_NEAR(count, 500, 120) << raw(id);
}

TEST(Draw, TheRingIsAPermutationThatChangesWithRoundAndSeed) {
  const CohortDraw draw = draw_of(50, 0);
  const auto cohort = members_of(draw.shared_randomness.members);
  const auto ring = ids_of(ring_order(draw.shared_randomness, RoundNumber::of(1, 0), cohort));
  EXPECT_NE(ring, draw.shared_randomness.members);
  EXPECT_EQ(std::set(ring.begin(), ring.end()).size(), 50U);
  EXPECT_NE(ids_of(ring_order(draw.shared_randomness, RoundNumber::of(1, 1), cohort)), ring);
  SharedRandomness other = draw.shared_randomness;
  other.value[0] ^= 1;
  EXPECT_NE(ids_of(ring_order(other, RoundNumber::of(1, 0), cohort)), ring);
  // The order does not depend on the order in which members are handed in.
  auto backwards = cohort;
  std::ranges::reverse(backwards);
  EXPECT_EQ(ids_of(ring_order(draw.shared_randomness, RoundNumber::of(1, 0), backwards)), ring);
}

TEST(Draw, COfASampleIsItsQuantile) {
  CohortDraw draw = draw_of(10000, 1000);
  EXPECT_EQ(colluders_in_round(draw, 2000), 317U);
  draw.cohort_size = 0;
  EXPECT_EQ(colluders_in_round(draw, 2000), 2000U);
}

// ---- offers

struct DrawnOffer : ::testing::Test {
  static constexpr std::uint32_t kMembers = 300;

  DrawnOffer() : random(5), coordinator(crypto::SigningKey::generate(random)) {
    draw = draw_of(kMembers, 0);
    for (MemberId id : draw.shared_randomness.members)
      roster.push_back({id, crypto::SigningKey::generate(random).verify_key()});
    offer_for(drawn_cohort(draw, RoundNumber::of(1, 0)), 15);
  }

  void offer_for(const std::vector<MemberId>& ids, std::uint32_t C) {
    std::vector<std::uint32_t> ranks;
    for (std::uint32_t rank = 0; rank < roster.size(); ++rank)
      if (std::ranges::binary_search(ids, roster[rank].id)) ranks.push_back(rank);
    const auto n = static_cast<std::uint32_t>(ids.size());
    const GraphParameters parameters = graph_parameters(n, C, {}).value();
    wire::RoundHeader& header = offer.header;
    header.round = RoundNumber::of(1, 0);
    header.n = n;
    header.C = C;
    header.graph = parameters.graph;
    header.k = parameters.k;
    header.q = parameters.q;
    header.t = parameters.thresholds.t;
    header.Q = parameters.thresholds.Q;
    header.s_min = parameters.thresholds.s_min;
    header.witnesses = parameters.thresholds.witnesses;
    header.cohort_hash = hash_of(ids);
    offer.cohort = wire::to_bitmap(kMembers, ranks);
  }

  [[nodiscard]] Bytes32 hash_of(const std::vector<MemberId>& ids) const {
    const auto members = members_of(ids);
    if (offer.header.graph == wire::Graph::kComplete || without_shared_randomness)
      return Cohort(members).hash();
    return Cohort::on_ring(ring_order(draw.shared_randomness, offer.header.round, members)).hash();
  }

  Result<Cohort> check(MemberId self) {
    sign_offer(coordinator, offer);
    LocalRules rules;
    rules.min_colluders = 15;
    rules.draw = draw;
    if (without_shared_randomness) rules.draw.reset();
    return check_offer(offer, coordinator.verify_key(), roster, self, rules);
  }

  void refuses(const std::string& why) {
    const auto result = check(MemberId{3});
    ASSERT_FALSE(result.ok()) << why;
    EXPECT_NE(result.error().message.find(why), std::string::npos) << result.error().message;
  }

  crypto::StreamRandom random;
  crypto::SigningKey coordinator;
  std::vector<CohortMember> roster;
  CohortDraw draw;
  wire::Offer offer;
  bool without_shared_randomness = false;
};

TEST_F(DrawnOffer, EveryMemberGetsTheSameRing) {
  const auto one = check(MemberId{3});
  ASSERT_TRUE(one.ok()) << one.error().message;
  const auto another = check(MemberId{900});
  ASSERT_TRUE(another.ok());
  EXPECT_EQ(offer.header.graph, wire::Graph::kCirculant);
  EXPECT_EQ(ids_of(one->members()), ids_of(another->members()));
  EXPECT_EQ(ids_of(one->members()),
            ids_of(ring_order(draw.shared_randomness, RoundNumber::of(1, 0), roster)));
  EXPECT_EQ(one->at(*one->index_of(MemberId{300})).id, MemberId{300});
}

TEST_F(DrawnOffer, HeaderKTooSmall) {
  offer.header.k -= 2;
  refuses("k is");
}

TEST_F(DrawnOffer, WindowOrThresholdThatDoNotFollow) {
  ++offer.header.q;
  refuses("q is");
  --offer.header.q;
  --offer.header.t;
  refuses("t is");
}

TEST_F(DrawnOffer, TheCompleteGraphWhereTheCirculantIsDue) {
  offer.header.graph = wire::Graph::kComplete;
  offer.header.cohort_hash = hash_of(draw.shared_randomness.members);
  refuses("not the circulant one");
}

TEST_F(DrawnOffer, RingPermuted) {
  // In the header of a coordinator that has another genesis, or swaps two places on the ring.
  auto ring = ring_order(draw.shared_randomness, offer.header.round,
                         members_of(draw.shared_randomness.members));
  std::swap(ring[17], ring[200]);
  offer.header.cohort_hash = Cohort::on_ring(ring).hash();
  refuses("another cohort or ring");
  draw.shared_randomness.value[5] ^= 1;
  offer.header.cohort_hash = hash_of(draw.shared_randomness.members);
  draw.shared_randomness.value[5] ^= 1;
  refuses("another cohort or ring");
}

TEST_F(DrawnOffer, ACirculantGraphWithoutSharedRandomness) {
  without_shared_randomness = true;
  offer.header.cohort_hash = hash_of(draw.shared_randomness.members);
  refuses("needs the shared randomness");
}

TEST_F(DrawnOffer, CohortNotFromSeedWhenSomebodyIsLeftOut) {
  // Leaving honest members out would draw colluders together on the ring.
  auto ids = draw.shared_randomness.members;
  ids.pop_back();
  offer_for(ids, 15);
  refuses("differs from the one that the shared randomness determines");
}

TEST_F(DrawnOffer, CohortNotFromSeedWhenTheSampleIsAnother) {
  draw.cohort_size = 280;  // still above full_graph_max
  const std::uint32_t C = colluders_in_round(draw, 15);
  const auto right = drawn_cohort(draw, RoundNumber::of(1, 0));
  offer_for(right, C);
  const auto accepted = check(right.front());
  ASSERT_TRUE(accepted.ok()) << accepted.error().message;
  offer_for(drawn_cohort(draw, RoundNumber::of(2, 0)), C);
  refuses("differs from the one that the shared randomness determines");
}

TEST_F(DrawnOffer, ASampleNeedsTheQuantileOfItsColluders) {
  draw.cohort_size = 150;
  const auto ids = drawn_cohort(draw, RoundNumber::of(1, 0));
  offer_for(ids, 7);  // the mean of 15 among 300
  const auto result = check(ids.front());
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().message.find("this site requires 15"), std::string::npos)
      << result.error().message;
}

TEST_F(DrawnOffer, MoreAttemptsThanARingIsDrawnFor) {
  offer.header.round = RoundNumber::of(1, kMaxDrawnAttempts - 1);
  offer.header.cohort_hash = hash_of(draw.shared_randomness.members);
  EXPECT_TRUE(check(MemberId{3}).ok());
  offer.header.round = RoundNumber::of(1, kMaxDrawnAttempts);
  offer.header.cohort_hash = hash_of(draw.shared_randomness.members);
  refuses("attempts");
}

}  // namespace
}  // namespace sotto::secagg
