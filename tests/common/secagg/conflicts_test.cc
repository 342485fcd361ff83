// Whose turn it is to leave when pre-shared keys differ (docs/secure-aggregation.md, "Bad shares").
#include "common/secagg/evidence/conflicts.h"

#include <gtest/gtest.h>

namespace sotto::secagg {
namespace {

constexpr std::uint32_t kLiars = 2;  // more differing keys than this are the member's own fault

IndexSet stay(const IndexSet& members, const std::vector<IndexSet>& complaints,
              const WhoLeft<std::uint32_t>& earlier = {}, std::size_t least = 0) {
  return settle_keys(members, complaints,
                     {.earlier = earlier, .max_false_complaints = kLiars, .least = least})
      .members;
}

TEST(Conflicts, NobodyLeavesWithoutOne) {
  EXPECT_EQ(stay({0, 1, 2}, {{}, {}, {}}), (IndexSet{0, 1, 2}));
}

TEST(Conflicts, WhoComplainsAloneLeavesTheFirstTime) {
  EXPECT_EQ(stay({0, 1, 2}, {{}, {}, {0}}), (IndexSet{0, 1}));
  EXPECT_EQ(stay({0, 1, 2}, {{2}, {}, {}}), (IndexSet{1, 2}));
}

TEST(Conflicts, ThePairTakesTurnsWhoeverComplains) {
  for (const std::vector<IndexSet>& complaints :
       {std::vector<IndexSet>{{1}, {}, {}}, {{}, {0}, {}}, {{1}, {0}, {}}}) {
    WhoLeft<std::uint32_t> earlier;
    std::vector<int> out(3, 0);
    for (int round = 0; round < 10; ++round) {
      const KeysSettled settled = settle_keys(
          {0, 1, 2}, complaints, {.earlier = earlier, .max_false_complaints = kLiars, .least = 0});
      ASSERT_EQ(settled.members.size(), 2U);
      ASSERT_EQ(settled.left.size(), 1U);
      ++out[settled.left.begin()->second];
      earlier = settled.left;
    }
    EXPECT_EQ(out, (std::vector<int>{5, 5, 0}));
  }
}

TEST(Conflicts, WhoHasMoreThanCanBeLiesLeavesWhosesoeverTurnItIs) {
  const std::vector<IndexSet> everybody{{}, {}, {0, 1, 3}, {}};
  EXPECT_EQ(stay({0, 1, 2, 3}, everybody), (IndexSet{0, 1, 3}));
  EXPECT_EQ(stay({0, 1, 2, 3}, everybody, {{{0, 2}, 2}, {{1, 2}, 2}, {{2, 3}, 2}}),
            (IndexSet{0, 1, 3}));
}

TEST(Conflicts, APairIsRememberedOnlyWhenItDecided) {
  // 1 leaves because of 0; that it was 2's turn in the other pair stays so.
  const KeysSettled settled = settle_keys(
      {0, 1, 2}, {{1}, {}, {1}},
      {.earlier = {{{0, 1}, 0}, {{1, 2}, 1}}, .max_false_complaints = kLiars, .least = 0});
  EXPECT_EQ(settled.members, (IndexSet{0, 2}));
  EXPECT_EQ(settled.left, (WhoLeft<std::uint32_t>{{{0, 1}, 1}}));
}

TEST(Conflicts, ComplaintsByOrAboutThoseWhoLeftDoNotCount) {
  EXPECT_EQ(stay({1, 2}, {{1, 2}, {0}, {}}), (IndexSet{1, 2}));
}

TEST(Conflicts, TurnsGiveWayWhenTooFewWouldStay) {
  // It is the turn of both victims of 0; the round needs one of them.
  const WhoLeft<std::uint32_t> earlier{{{0, 1}, 0}, {{0, 2}, 0}};
  EXPECT_EQ(stay({0, 1, 2, 3}, {{1, 2}, {}, {}, {}}, earlier), (IndexSet{0, 3}));
  EXPECT_EQ(stay({0, 1, 2, 3}, {{1, 2}, {}, {}, {}}, earlier, 3), (IndexSet{1, 2, 3}));
}

TEST(Conflicts, SentencesNameBoth) {
  EXPECT_EQ(sentence(ConflictEnd::kOpened, "python", "aurora"),
            "python complained about aurora's share; aurora opened it and both stay");
  EXPECT_EQ(sentence(ConflictEnd::kWrong, "python", "aurora"),
            "python complained about aurora's share; aurora's opened share violates the protocol: "
            "convicted");
  EXPECT_EQ(sentence(ConflictEnd::kDealerLeft, "A", "B"),
            "the pre-shared keys of A and B differ; B is left out of this round");
}

}  // namespace
}  // namespace sotto::secagg
