// Whom others had to wait for is left out of the next 1, 2, 4 ... rounds, over restarts.
#include "coordinator/members/backoff.h"

#include <algorithm>
#include <fstream>

#include <gtest/gtest.h>

#include "tests/temporary_directory.h"

namespace sotto::coordinator {
namespace {

constexpr MemberId kOne{1}, kTwo{2}, kThree{3}, kFour{4};
const std::vector<MemberId> kAll{kOne, kTwo, kThree, kFour};

Fault waited(MemberId id) {
  return {.member = id, .cost = Fault::Cost::kWaited, .what = "silent in round 7, Upload"};
}

Fault lost(MemberId id) {
  return {.member = id, .cost = Fault::Cost::kLost, .what = "gone in round 7, Upload"};
}

/// Plays rounds in which `bad` fails whenever it is in one, and the others never do. The rounds
/// that it was in.
std::vector<int> rounds_with(Backoff& backoff, MemberId bad, int rounds,
                             Fault (*fault)(MemberId) = waited) {
  std::vector<int> in;
  for (int round = 1; round <= rounds; ++round) {
    std::vector<MemberId> cohort = backoff.choose(kAll, 3);
    const bool is_in = std::erase(cohort, bad) > 0;
    if (is_in) in.push_back(round);
    EXPECT_TRUE(
        backoff.round_over(is_in ? std::vector{fault(bad)} : std::vector<Fault>{}, cohort).ok());
  }
  return in;
}

TEST(Backoff, WhoIsAlwaysSilentIsLeftOutTwiceAsLongEachTime) {
  Backoff backoff;
  EXPECT_EQ(rounds_with(backoff, kTwo, 260),
            (std::vector{1, 3, 6, 11, 20, 37, 70, 135, 200}));  // 64 rounds at most
}

TEST(Backoff, WhoGoesAwayIsLeftOutHalfAsLongAndTheFirstTimeNotAtAll) {
  Backoff backoff;
  EXPECT_EQ(rounds_with(backoff, kTwo, 100, lost), (std::vector{1, 2, 4, 7, 12, 21, 38, 71}));
}

TEST(Backoff, RoundsInTimeTakeFaultsBackOneByOne) {
  Backoff backoff;
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(backoff.round_over({waited(kTwo)}, {}).ok());
  ASSERT_EQ(backoff.records().at(kTwo).faults, 3U);
  for (std::uint32_t round = 1; round <= 3 * Backoff::kInTimeRoundsToRecover; ++round) {
    ASSERT_EQ(backoff.records().at(kTwo).faults, 3 - (round - 1) / Backoff::kInTimeRoundsToRecover);
    ASSERT_TRUE(backoff.round_over({}, {kTwo}).ok());
  }
  EXPECT_TRUE(backoff.records().empty());
}

// A member that is silent as often as it can without being left out for long.
TEST(Backoff, NoPatternOfSilenceCostsMoreThanOneRoundInTen) {
  Backoff backoff;
  int silent = 0;
  constexpr int kRounds = 1000;
  for (int round = 0; round < kRounds; ++round) {
    const auto cohort = backoff.choose(kAll, 3);
    const bool is_in = std::ranges::binary_search(cohort, kTwo);
    const bool fails = is_in && !backoff.records().contains(kTwo);
    silent += fails;
    ASSERT_TRUE(backoff
                    .round_over(fails ? std::vector{waited(kTwo)} : std::vector<Fault>{},
                                is_in && !fails ? std::vector{kTwo} : std::vector<MemberId>{})
                    .ok());
  }
  EXPECT_LE(silent, kRounds / 10);
}

TEST(Backoff, NeverLeavesFewerThanARoundNeeds) {
  Backoff backoff;
  ASSERT_TRUE(backoff.add({waited(kOne), waited(kTwo), waited(kThree)}).ok());
  ASSERT_TRUE(backoff.add({waited(kOne)}).ok());
  EXPECT_EQ(backoff.choose(kAll, 1), std::vector{kFour});
  EXPECT_EQ(backoff.choose(kAll, 2), (std::vector{kTwo, kThree, kFour})) << "the least bad";
  EXPECT_EQ(backoff.choose(kAll, 3), (std::vector{kTwo, kThree, kFour}));
  EXPECT_EQ(backoff.choose(kAll, 4), kAll);
  EXPECT_EQ(backoff.choose({kOne, kTwo}, 3), (std::vector{kOne, kTwo}));
}

TEST(Backoff, AnOutageOfEverybodyLeavesNobodyOut) {
  Backoff backoff;
  ASSERT_TRUE(
      backoff.round_over({waited(kOne), waited(kTwo), waited(kThree), waited(kFour)}, {}).ok());
  EXPECT_EQ(backoff.choose(kAll, 2), kAll);
}

TEST(Backoff, ARestartForgetsNobody) {
  const TemporaryDirectory directory;
  const auto file = directory / "backoff.json";
  std::map<MemberId, Backoff::Record> before;
  {
    auto backoff = Backoff::open(file);
    ASSERT_TRUE(backoff.ok());
    ASSERT_TRUE(backoff->round_over({}, kAll).ok());
    EXPECT_FALSE(std::filesystem::exists(file)) << "there is nothing to keep";
    for (int i = 0; i < 3; ++i)
      ASSERT_TRUE(backoff->round_over({waited(kTwo)}, {kOne}).ok());
    before = backoff->records();
  }
  auto again = Backoff::open(file);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(again->records(), before);
  EXPECT_EQ(again->choose(kAll, 2), (std::vector{kOne, kThree, kFour}));
  std::ofstream(file) << "[{}]";
  EXPECT_FALSE(Backoff::open(file).ok());
}

TEST(Backoff, IsSaidInWords) {
  Backoff backoff;
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(backoff.round_over({waited(kTwo)}, {}).ok());
  EXPECT_EQ(describe(backoff.records().at(kTwo)),
            "left out of the next 4 rounds: silent in round 7, Upload");
  ASSERT_TRUE(backoff.round_over({lost(kThree)}, {}).ok());
  EXPECT_EQ(describe(backoff.records().at(kThree)), "");
}

}  // namespace
}  // namespace sotto::coordinator
