// What `data check` measures, against tables and figures that others have published, and against
// definitions spelled out again.
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "participant/deidentify/anonymisation/findings.h"

namespace sotto::anonymisation {
namespace {

tables::Table table_of(std::string text) {
  auto table = tables::Table::parse(std::move(text), "t.csv", tables::Format::kCsv);
  SOTTO_CHECK(table.ok(), table.error().message);
  return std::move(table).value();
}

AnonymisationPlan plan_of(const std::vector<std::string>& quasi, const std::string& sensitive,
                          Distance distance) {
  AnonymisationPlan plan;
  for (const std::string& name : quasi)
    plan.columns[name].role = Role::kQuasiIdentifier;
  if (!sensitive.empty())
    plan.columns[sensitive] = {
        .role = Role::kSensitive,
        .kind = distance == Distance::kOrdered ? ColumnKind::kNumber : ColumnKind::kCategory,
        .distance = distance};
  return plan;
}

Findings found_in(const std::string& text, const AnonymisationPlan& plan) {
  auto found = check(table_of(text), plan);
  SOTTO_CHECK(found.ok(), found.error().message);
  return std::move(found).value();
}

// L. Sweeney, k-anonymity: a model for protecting privacy, 2002, figure 2: a table with k = 2.
constexpr const char* kSweeney = R"(race,birth,gender,zip,problem
Black,1965,m,0214*,short breath
Black,1965,m,0214*,chest pain
Black,1965,f,0213*,hypertension
Black,1965,f,0213*,hypertension
Black,1964,f,0213*,obesity
Black,1964,f,0213*,chest pain
White,1964,m,0213*,chest pain
White,1964,m,0213*,obesity
White,1964,m,0213*,short breath
White,1967,m,0213*,chest pain
White,1967,m,0213*,chest pain
)";

TEST(DataCheck, SweeneysTableHasKTwo) {
  const Findings found =
      found_in(kSweeney, plan_of({"race", "birth", "gender", "zip"}, "problem", Distance::kEqual));
  EXPECT_EQ(found.k, 2U);
  EXPECT_EQ(found.classes, 5U);
  EXPECT_EQ(found.unique_rows, 0U);
  EXPECT_EQ(found.rows_below_five, 11U);
  EXPECT_EQ(found.sensitive[0].worst.distinct, 1U) << "two classes have one problem only";
  EXPECT_DOUBLE_EQ(found.mean_risk(), 5.0 / 11);
}

// A. Machanavajjhala et al., l-diversity, ICDE 2006, figures 2 and 3: the same twelve patients,
// once with k = 4 and a class that has cancer throughout, once 3-diverse, which by entropy
// is 2.8-diverse.
constexpr const char* kFourAnonymous = R"(zip,age,nationality,condition
130**,< 30,*,Heart Disease
130**,< 30,*,Heart Disease
130**,< 30,*,Viral Infection
130**,< 30,*,Viral Infection
1485*,>= 40,*,Cancer
1485*,>= 40,*,Heart Disease
1485*,>= 40,*,Viral Infection
1485*,>= 40,*,Viral Infection
130**,3*,*,Cancer
130**,3*,*,Cancer
130**,3*,*,Cancer
130**,3*,*,Cancer
)";
constexpr const char* kThreeDiverse = R"(zip,age,nationality,condition
1305*,<= 40,*,Heart Disease
1305*,<= 40,*,Viral Infection
1305*,<= 40,*,Cancer
1305*,<= 40,*,Cancer
1485*,> 40,*,Cancer
1485*,> 40,*,Heart Disease
1485*,> 40,*,Viral Infection
1485*,> 40,*,Viral Infection
1306*,<= 40,*,Heart Disease
1306*,<= 40,*,Viral Infection
1306*,<= 40,*,Cancer
1306*,<= 40,*,Cancer
)";

TEST(DataCheck, TheInpatientTablesHaveTheirPublishedDiversity) {
  const AnonymisationPlan plan =
      plan_of({"zip", "age", "nationality"}, "condition", Distance::kEqual);
  const Findings four = found_in(kFourAnonymous, plan), three = found_in(kThreeDiverse, plan);
  EXPECT_EQ(four.k, 4U);
  EXPECT_EQ(four.sensitive[0].worst.distinct, 1U);
  EXPECT_NEAR(four.sensitive[0].worst.entropy_l, 1, 1e-12);
  EXPECT_EQ(three.k, 4U);
  EXPECT_EQ(three.sensitive[0].worst.distinct, 3U);
  EXPECT_NEAR(three.sensitive[0].worst.entropy_l, 2.8, 0.05);
}

// N. Li, T. Li, S. Venkatasubramanian, t-closeness, ICDE 2007: nine salaries from 3K to 11K in
// classes of three. D[{3K,4K,5K}] = 0.375 and D[{6K,8K,11K}] = 0.167 (section 4.1); table 5, where
// the classes are {3,5,9}, {6,11,8} and {4,7,10}, has 0.167-closeness.
Findings salaries(const std::vector<std::vector<int>>& classes) {
  std::string text = "zip,salary\n";
  for (std::size_t c = 0; c < classes.size(); ++c)
    for (const int salary : classes[c])
      text += std::to_string(c) + "," + std::to_string(salary) + "\n";
  return found_in(text, plan_of({"zip"}, "salary", Distance::kOrdered));
}

TEST(DataCheck, SalariesHaveTheirPublishedDistances) {
  EXPECT_NEAR(salaries({{3, 4, 5}, {6, 8, 11}, {7, 9, 10}}).sensitive[0].worst.t, 0.375, 1e-12);
  EXPECT_NEAR(salaries({{3, 5, 9}, {6, 11, 8}, {4, 7, 10}}).sensitive[0].worst.t, 0.167, 5e-4);
  const std::vector<std::uint64_t> whole(9, 1), class_two = {0, 0, 0, 1, 0, 1, 0, 0, 1};
  EXPECT_NEAR(spread_of(class_two, whole, Distance::kOrdered).t, 0.167, 5e-4);
}

TEST(DataCheck, EqualDistanceIsHalfTheSumOfDifferences) {
  const std::vector<std::uint64_t> whole = {5, 3, 2}, part = {1, 0, 1};
  // |0.5-0.5| + |0-0.3| + |0.5-0.2|, halved.
  EXPECT_NEAR(spread_of(part, whole, Distance::kEqual).t, 0.3, 1e-12);
  EXPECT_NEAR(spread_of(whole, whole, Distance::kEqual).t, 0, 1e-12);
  EXPECT_NEAR(spread_of(whole, whole, Distance::kOrdered).t, 0, 1e-12);
}

/// Earth mover's distance on a line by greedy filling, without prefix sums: moves mass from the
/// first place that has too much to the first that has too little. On a line that is optimal.
double moved_by_hand(std::vector<double> have, const std::vector<double>& want) {
  double cost = 0;
  std::vector<double> need = want;
  for (std::size_t from = 0; from < have.size(); ++from)
    for (std::size_t to = 0; to < need.size(); ++to) {
      const double mass = std::min(have[from], need[to]);
      have[from] -= mass;
      need[to] -= mass;
      cost += mass * std::abs(static_cast<double>(from) - static_cast<double>(to));
    }
  return cost / static_cast<double>(have.size() - 1);
}

TEST(DataCheck, OrderedDistanceIsTheLeastWorkOfMovingMassAlongTheOrder) {
  // All classes of up to three rows among four values, against four tables.
  const std::vector<std::vector<std::uint64_t>> wholes = {
      {3, 3, 3, 3}, {9, 1, 1, 1}, {1, 5, 2, 8}, {4, 4, 1, 3}};
  int compared = 0;
  for (const auto& whole : wholes) {
    const double rows = static_cast<double>(whole[0] + whole[1] + whole[2] + whole[3]);
    for (std::uint64_t code = 1; code < 256; ++code) {
      const std::vector<std::uint64_t> part = {code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6};
      const double size = static_cast<double>(part[0] + part[1] + part[2] + part[3]);
      std::vector<double> p, q;
      for (std::size_t i = 0; i < 4; ++i) {
        p.push_back(static_cast<double>(part[i]) / size);
        q.push_back(static_cast<double>(whole[i]) / rows);
      }
      EXPECT_NEAR(spread_of(part, whole, Distance::kOrdered).t, moved_by_hand(p, q), 1e-12);
      ++compared;
    }
  }
  EXPECT_EQ(compared, 4 * 255);
}

TEST(DataCheck, ARuleIsMetUpToRoundingOnly) {
  const std::vector<std::uint64_t> even = {7, 7, 7};
  const Spread spread = spread_of(even, even, Distance::kEqual);
  EXPECT_TRUE((SpreadRule{.distinct_l = 3, .entropy_l = 3, .t = 0}.met_by(spread)));
  EXPECT_FALSE((SpreadRule{.distinct_l = 4}.met_by(spread)));
  EXPECT_FALSE((SpreadRule{.entropy_l = 3.001}.met_by(spread)));
  EXPECT_FALSE((SpreadRule{.t = 0.299}.met_by(spread_of(std::vector<std::uint64_t>{1, 0, 1},
                                                        std::vector<std::uint64_t>{5, 3, 2},
                                                        Distance::kEqual))));
}

TEST(DataCheck, AValueThatTheTableDoesNotHaveIsNoStep) {
  const std::vector<std::uint64_t> whole = {5, 0, 0, 5}, part = {2, 0, 0, 0};
  EXPECT_NEAR(spread_of(part, whole, Distance::kOrdered).t, 0.5, 1e-12);
}

}  // namespace
}  // namespace sotto::anonymisation
