#include <gtest/gtest.h>

#include "common/secagg/shared/cohort.h"

namespace sotto::secagg {
namespace {

Cohort cohort_of(const std::vector<std::uint32_t>& ids) {
  std::vector<CohortMember> members;
  for (std::uint32_t id : ids)
    members.push_back({MemberId{id}, {}});
  return Cohort(std::move(members));
}

TEST(Cohort, IndexIsTheRankAmongAscendingIds) {
  const Cohort cohort = cohort_of({3, 7, 20});
  EXPECT_EQ(cohort.index_of(MemberId{3}), 0U);
  EXPECT_EQ(cohort.index_of(MemberId{20}), 2U);
  EXPECT_FALSE(cohort.index_of(MemberId{4}));
  EXPECT_FALSE(cohort.index_of(MemberId{21}));
}

TEST(Cohort, HashDependsOnEveryId) {
  EXPECT_EQ(cohort_of({1, 2, 3}).hash(), cohort_of({1, 2, 3}).hash());
  EXPECT_NE(cohort_of({1, 2, 3}).hash(), cohort_of({1, 2, 4}).hash());
  EXPECT_NE(cohort_of({1, 2, 3}).hash(), cohort_of({1, 2}).hash());
}

TEST(CohortDeathTest, IdsOutOfOrderAreOurBug) {
  EXPECT_DEATH(cohort_of({2, 1}), "ascend");
  EXPECT_DEATH(cohort_of({1, 1}), "once");
}

TEST(Cohort, OnARingTheIndexIsThePlace) {
  const Cohort ring = Cohort::on_ring({{MemberId{7}, {}}, {MemberId{20}, {}}, {MemberId{3}, {}}});
  EXPECT_EQ(ring.index_of(MemberId{7}), 0U);
  EXPECT_EQ(ring.index_of(MemberId{3}), 2U);
  EXPECT_FALSE(ring.index_of(MemberId{4}));
  EXPECT_EQ(ring.at(1).id, MemberId{20});
  EXPECT_NE(ring.hash(), cohort_of({3, 7, 20}).hash());  // the order is in it
}

TEST(CohortDeathTest, AMemberTwiceOnARingIsOurBug) {
  EXPECT_DEATH(Cohort::on_ring({{MemberId{2}, {}}, {MemberId{2}, {}}}), "once");
}

TEST(IndexSet, SubsetAndMembership) {
  EXPECT_TRUE(contains({0, 2, 5}, 2));
  EXPECT_FALSE(contains({0, 2, 5}, 3));
  EXPECT_TRUE(is_subset({0, 5}, {0, 2, 5}));
  EXPECT_TRUE(is_subset({}, {0}));
  EXPECT_FALSE(is_subset({0, 3}, {0, 2, 5}));
}

TEST(Thresholds, FollowTheTableOfTheSpecification) {
  struct Row {
    std::uint32_t n, C, Q, t;
  };

  // Section 2.4, defaults for the complete graph; s_min = Q in every row.
  const std::vector<Row> rows{
      {3, 1, 3, 2},   {4, 1, 3, 2},   {5, 1, 4, 3},     {6, 1, 4, 3},
      {7, 2, 5, 4},   {8, 2, 6, 5},   {9, 2, 6, 5},     {10, 3, 7, 6},
      {11, 3, 8, 6},  {12, 3, 8, 7},  {13, 4, 9, 7},    {14, 4, 10, 8},
      {15, 4, 10, 8}, {16, 5, 11, 9}, {64, 21, 43, 33}, {256, 85, 171, 129}};
  for (const Row& row : rows) {
    const auto got = complete_graph_thresholds(row.n, row.C);
    ASSERT_TRUE(got.ok());
    EXPECT_EQ(got->Q, row.Q) << row.n;
    EXPECT_EQ(got->t, row.t) << row.n;
    EXPECT_EQ(got->s_min, row.Q) << row.n;
  }
}

TEST(Thresholds, ColludersAloneNeverReachTAndTwoHonestSurvive) {
  for (std::uint32_t n = 2; n <= 70; ++n)
    for (std::uint32_t C = 0; C + 2 <= n; ++C) {
      const auto got = complete_graph_thresholds(n, C);
      ASSERT_TRUE(got.ok());
      EXPECT_GT(got->t, C);
      EXPECT_GE(got->t, 2U);
      EXPECT_LE(got->t, got->Q);
      EXPECT_GT(2 * got->Q, n + C);  // two certificates share an honest signer
      EXPECT_LE(got->Q, n);
      EXPECT_GE(got->s_min, C + 2);
      EXPECT_LE(got->s_min, n);
    }
}

TEST(Thresholds, RefuseMoreThanNMinusTwoColluders) {
  EXPECT_FALSE(complete_graph_thresholds(3, 2).ok());
  EXPECT_FALSE(complete_graph_thresholds(2, 1).ok());
  EXPECT_FALSE(complete_graph_thresholds(1, 0).ok());
  EXPECT_FALSE(complete_graph_thresholds(0, 0).ok());
}

}  // namespace
}  // namespace sotto::secagg
