// Who spoils sums is found out, at the price that the documents name
// (docs/secure-aggregation.md, 2.7, "A lost sum is localised"). Seeds make the runs.
#include "coordinator/members/suspicion.h"

#include <algorithm>
#include <bit>
#include <functional>

#include <gtest/gtest.h>

namespace sotto::coordinator {
namespace {

using Set = std::set<MemberId>;

Set members(std::initializer_list<std::uint32_t> ids) {
  Set out;
  for (std::uint32_t id : ids)
    out.insert(MemberId{id});
  return out;
}

struct Shape {
  std::uint32_t n = 0;
  std::uint32_t least = 0;  // members that a round needs
};

/// True: this sum is spoiled.
using Spoiling = std::function<bool(const Set& sum, crypto::StreamRandom& random)>;

/// A run of one cohort: every round is tried until its sum is good, as the coordinator does it.
struct Rehearsal {
  Shape shape;
  crypto::StreamRandom random;
  Suspicion suspicion{};
  std::uint32_t lost = 0, in_a_row = 0, rounds_done = 0;
  std::vector<MemberId> ready{};

  Rehearsal(Shape of, std::uint64_t seed) : shape(of), random(seed) {
    for (std::uint32_t id = 1; id <= of.n; ++id)
      ready.push_back(MemberId{id});
  }

  /// Some of the members, by lot.
  Set draw(std::uint32_t count) {
    Set out;
    while (out.size() < count)
      out.insert(ready[random.below(ready.size())]);
    return out;
  }

  bool attempt(const Spoiling& lost_sum) {
    Set sum(ready.begin(), ready.end());
    for (MemberId id : suspicion.left_out(ready, shape.n - shape.least, random))
      sum.erase(id);
    EXPECT_GE(sum.size(), shape.least);
    if (!lost_sum(sum, random)) {
      suspicion.good(sum);
      in_a_row = 0;
      return true;
    }
    suspicion.lost(sum);
    ++lost;
    ++in_a_row;
    return false;
  }

  /// False when more sums than members were lost one after the other, where a run ends.
  bool rounds(std::uint32_t count, const Spoiling& lost_sum) {
    for (std::uint32_t round = 0; round < count; ++round, ++rounds_done)
      while (!attempt(lost_sum))
        if (in_a_row > shape.n) return false;
    return true;
  }
};

Spoiling each_sum_of(const Set& spoilers) {
  return [spoilers](const Set& sum, auto&) {
    return std::ranges::any_of(spoilers, [&](MemberId id) { return sum.contains(id); });
  };
}

constexpr std::uint64_t kSeeds = 200;
constexpr std::uint32_t kRounds = 20;

TEST(Suspicion, OneSpoilerCostsTheLogarithmOfTheMembersWhereCohortsCanBeSplit) {
  for (const Shape shape : {Shape{5, 3}, Shape{10, 5}, Shape{40, 15}, Shape{40, 20}})
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      Rehearsal run(shape, seed);
      const Set spoiler = run.draw(1);
      ASSERT_TRUE(run.rounds(kRounds, each_sum_of(spoiler))) << shape.n << " seed " << seed;
      EXPECT_LE(run.lost, std::bit_width(shape.n - 1)) << shape.n << " seed " << seed;
      EXPECT_EQ(run.suspicion.state(), (Suspicion::State{.suspended = spoiler}));
    }
}

TEST(Suspicion, OneSpoilerCostsAsManySumsAsMembersWhereOneCanBeLeftOutAtATime) {
  for (const Shape shape : {Shape{4, 3}, Shape{5, 4}, Shape{10, 9}, Shape{40, 39}})
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      Rehearsal run(shape, seed);
      const Set spoiler = run.draw(1);
      ASSERT_TRUE(run.rounds(kRounds + shape.n, each_sum_of(spoiler))) << shape.n;
      EXPECT_LE(run.lost, shape.n) << "seed " << seed;
      EXPECT_EQ(run.suspicion.state(), (Suspicion::State{.suspended = spoiler}));
    }
}

TEST(Suspicion, WhereNobodyCanBeLeftOutNobodyIs) {
  Rehearsal run({3, 3}, 1);
  EXPECT_FALSE(run.rounds(kRounds, each_sum_of(members({2}))));
  EXPECT_EQ(run.lost, 4U);
}

TEST(Suspicion, SeveralSpoilersEndMostRunsLaterAndNoRunLosesMoreThanItMay) {
  struct Case {
    Shape shape;
    std::uint32_t spoilers;
    int finished;  // of kSeeds at least
  };

  for (const Case& one : {Case{{10, 5}, 2, 140}, Case{{10, 5}, 3, 70}, Case{{40, 15}, 2, 190},
                          Case{{40, 15}, 3, 160}, Case{{40, 15}, 13, 0}}) {
    int finished = 0;
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      Rehearsal run(one.shape, seed);
      finished += run.rounds(kRounds, each_sum_of(run.draw(one.spoilers))) ? 1 : 0;
      EXPECT_LE(run.in_a_row, one.shape.n + 1);
    }
    EXPECT_GE(finished, one.finished) << one.shape.n << " members, " << one.spoilers;
  }
}

TEST(Suspicion, WhoSpoilsAtTimesLosesSumsAndEndsNoRun) {
  for (const Shape shape : {Shape{4, 3}, Shape{10, 5}, Shape{40, 15}})
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      Rehearsal run(shape, seed);
      const MemberId spoiler = *run.draw(1).begin();
      EXPECT_TRUE(run.rounds(kRounds,
                             [&](const Set& sum, auto& random) {
                               return sum.contains(spoiler) && random.below(2) == 0;
                             }))
          << shape.n << " seed " << seed;
    }
}

TEST(Suspicion, OneLostSumSuspendsNobody) {
  for (const Shape shape : {Shape{4, 3}, Shape{10, 5}, Shape{40, 15}})
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      Rehearsal run(shape, seed);
      int lost_sum = 0;
      EXPECT_TRUE(run.rounds(10, [&](const Set&, auto&) { return lost_sum++ == 0; }));
      EXPECT_EQ(run.lost, 1U);
      EXPECT_EQ(run.suspicion.state(), Suspicion::State{});
    }
}

/// What the threat model says of it: the half is drawn by lot, so the odds are even.
TEST(Suspicion, WhoSpoilsOnlyBesideItsVictimIsSuspendedInItsPlaceEverySecondTime) {
  int framed = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    Rehearsal run({10, 5}, seed);
    const Set both = run.draw(2);
    EXPECT_TRUE(run.rounds(
        kRounds, [&](const Set& sum, auto&) { return std::ranges::includes(sum, both); }));
    const Set& suspended = run.suspicion.state().suspended;
    ASSERT_EQ(suspended.size(), 1U);
    framed += suspended.contains(*both.begin()) ? 1 : 0;
  }
  EXPECT_GT(framed, kSeeds * 2 / 5);
  EXPECT_LT(framed, kSeeds * 3 / 5);
}

TEST(Suspicion, ASumThatIsLostWithoutTheSuspendedMemberEndsItsSuspension) {
  Suspicion suspicion({.suspended = members({3})});
  suspicion.lost(members({1, 2, 4}));
  EXPECT_EQ(suspicion.state(),
            (Suspicion::State{
                .suspects = members({1, 2, 4}), .set_aside = members({3}), .searching = true}));
  suspicion.good(members({2, 4}));
  suspicion.good(members({1, 2, 4}));
  EXPECT_EQ(suspicion.state(), (Suspicion::State{.suspects = members({3})}));
  suspicion.good(members({1, 2, 3, 4}));
  EXPECT_EQ(suspicion.state(), Suspicion::State{});
}

TEST(Suspicion, AnOffenderIsNoSuspect) {
  Suspicion suspicion({.suspects = members({1, 2}), .set_aside = members({3}), .searching = true});
  suspicion.forget(MemberId{2});
  suspicion.forget(MemberId{3});
  EXPECT_EQ(suspicion.state(), (Suspicion::State{.suspects = members({1}), .searching = true}));
}

}  // namespace
}  // namespace sotto::coordinator
