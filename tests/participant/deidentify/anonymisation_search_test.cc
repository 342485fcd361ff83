// Mondrian and full-domain generalisation against brute force on small tables.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/storage/atomic_file.h"
#include "participant/deidentify/anonymisation/findings.h"
#include "participant/deidentify/anonymisation/full_domain.h"
#include "participant/deidentify/anonymisation/mondrian.h"
#include "participant/deidentify/anonymisation/release.h"
#include "tests/temporary_directory.h"

namespace sotto::anonymisation {
namespace {

struct Row {
  int x = 0;
  std::string place;
  int wage = 0;
};

constexpr const char* kPlaces[] = {"Rome", "Milan", "Oslo", "Bergen"};
constexpr const char* kTree =
    "value,country,part\nRome,Italy,South\nOslo,Norway,North\nMilan,Italy,South\n"
    "Bergen,Norway,North\n";

std::vector<Row> random_rows(std::mt19937& random, std::size_t count, int values) {
  std::vector<Row> rows;
  for (std::size_t i = 0; i < count; ++i)
    rows.push_back({static_cast<int>(random() % static_cast<unsigned>(values)),
                    kPlaces[random() % 4], static_cast<int>(random() % 4)});
  return rows;
}

tables::Table table_of(const std::vector<Row>& rows) {
  std::string text = "x,place,wage,id\n";
  for (std::size_t i = 0; i < rows.size(); ++i)
    text += std::to_string(rows[i].x) + "," + rows[i].place + "," + std::to_string(rows[i].wage) +
            "," + std::to_string(i) + "\n";
  auto table = tables::Table::parse(std::move(text), "t.csv", tables::Format::kCsv);
  SOTTO_CHECK(table.ok(), table.error().message);
  return std::move(table).value();
}

class Anonymise : public testing::Test {
 protected:
  Anonymise() {
    const auto file = folder_ / "tree.csv";
    SOTTO_CHECK(
        storage::write_file_atomically(file, {view_of(kTree)}, storage::FileAccess::kOwnerOnly)
            .ok(),
        "the tree");
    plan_.columns["x"] = {
        .role = Role::kQuasiIdentifier, .kind = ColumnKind::kNumber, .widths = {2, 4}};
    plan_.columns["place"] = {.role = Role::kQuasiIdentifier, .hierarchy = file};
    plan_.columns["wage"] = {.role = Role::kSensitive, .kind = ColumnKind::kNumber};
    plan_.columns["id"] = {.role = Role::kKept};
  }

  ColumnPlan& wage() { return plan_.columns["wage"]; }

  static Microdata data_of(const tables::Table& table, const AnonymisationPlan& plan) {
    auto data = microdata_of(table, plan);
    SOTTO_CHECK(data.ok(), data.error().message);
    return std::move(data).value();
  }

  static std::optional<Release> mondrian(const Microdata& data) {
    auto run = Mondrian::start(data);
    if (!run.ok()) return std::nullopt;
    while (run->advance()) {
    }
    return run->take();
  }

  static std::optional<Release> full_domain(const Microdata& data, double max_suppressed) {
    auto run = FullDomain::start(data, max_suppressed);
    SOTTO_CHECK(run.ok(), run.error().message);
    while (run->advance()) {
    }
    auto release = run->take();
    if (!release.ok()) return std::nullopt;
    return std::move(release).value();
  }

  TemporaryDirectory folder_;
  AnonymisationPlan plan_{.k = 2};
};

/// The requirement spelled out again, on rows: k, distinct l, entropy l and ordered t.
bool fits_by_hand(const std::vector<Row>& rows, const std::vector<std::size_t>& members,
                  const std::vector<std::size_t>& published, const AnonymisationPlan& plan) {
  const ColumnPlan& rule = plan.columns.at("wage");
  if (members.size() < plan.k) return false;
  std::map<int, double> here, all;
  for (const std::size_t i : members)
    here[rows[i].wage] += 1.0 / static_cast<double>(members.size());
  for (const std::size_t i : published)
    all[rows[i].wage] += 1.0 / static_cast<double>(published.size());
  double entropy = 0, carried = 0, work = 0;
  for (const auto& [unused, p] : here)
    entropy -= p * std::log(p);
  for (const auto& [value, q] : all) {
    carried += (here.contains(value) ? here.at(value) : 0) - q;
    work += std::abs(carried);
  }
  const double t = all.size() > 1 ? work / static_cast<double>(all.size() - 1) : 0;
  return static_cast<double>(here.size()) >= rule.distinct_l &&
         std::exp(entropy) >= rule.entropy_l - 1e-9 && (rule.t == 1 || t <= rule.t + 1e-9);
}

std::string place_at(const std::string& place, int level) {
  const bool italy = place == "Rome" || place == "Milan";
  if (level == 0) return place;
  if (level == 1) return italy ? "Italy" : "Norway";
  if (level == 2) return italy ? "South" : "North";
  return "*";
}

/// The least loss over all combinations of levels, from the definitions; infinity for none.
double best_by_hand(const std::vector<Row>& rows, const AnonymisationPlan& plan) {
  const auto [least, most] = std::ranges::minmax(rows, {}, &Row::x);
  const double extent = most.x - least.x;
  const double x_loss[] = {0, extent > 0 ? std::min(1.0, 2 / extent) : 0,
                           extent > 0 ? std::min(1.0, 4 / extent) : 0, 1};
  const double place_loss[] = {0, 0.5, 0.5, 1};
  const int widths[] = {1, 2, 4, 1000};
  double best = INFINITY;
  for (int x = 0; x < 4; ++x) {
    for (int p = 0; p < 4; ++p) {
      std::map<std::pair<int, std::string>, std::vector<std::size_t>> classes;
      for (std::size_t i = 0; i < rows.size(); ++i)
        classes[{rows[i].x / widths[x], place_at(rows[i].place, p)}].push_back(i);
      std::vector<std::size_t> published(rows.size());
      for (std::size_t i = 0; i < rows.size(); ++i)
        published[i] = i;
      for (bool again = true; again;) {
        again = false;
        std::vector<std::size_t> next;
        std::erase_if(
            classes, [&](const auto& c) { return !fits_by_hand(rows, c.second, published, plan); });
        for (const auto& [unused, members] : classes)
          next.insert(next.end(), members.begin(), members.end());
        again = next.size() != published.size() && !next.empty();
        published = next;
      }
      const double kept = static_cast<double>(published.size()),
                   all = static_cast<double>(rows.size());
      if (published.empty() || all - kept > std::floor(plan.max_suppressed * all + 1e-9)) continue;
      best = std::min(best, (kept * (x_loss[x] + place_loss[p]) / 2 + (all - kept)) / all);
    }
  }
  return best;
}

TEST_F(Anonymise, FullDomainFindsTheBestOfAllCombinations) {
  std::mt19937 random(7);
  int found = 0, none = 0;
  for (int trial = 0; trial < 400; ++trial) {
    const auto rows = random_rows(random, 4 + random() % 20, 9);
    plan_.k = 2 + static_cast<std::uint32_t>(random() % 3);
    plan_.max_suppressed = 0.1 * static_cast<double>(random() % 4);
    wage() = {.role = Role::kSensitive, .kind = ColumnKind::kNumber};
    if (trial % 4 == 1) wage().distinct_l = 2 + static_cast<double>(random() % 2);
    if (trial % 4 == 2) wage().entropy_l = 1.9;
    if (trial % 4 == 3) wage().t = 0.2 + 0.1 * static_cast<double>(random() % 3);
    wage().distance = Distance::kOrdered;
    const auto table = table_of(rows);
    const Microdata data = data_of(table, plan_);
    const auto release = full_domain(data, plan_.max_suppressed);
    const double best = best_by_hand(rows, plan_);
    ASSERT_EQ(release.has_value(), std::isfinite(best)) << "trial " << trial;
    if (!release) {
      ++none;
      continue;
    }
    EXPECT_NEAR(utility_of(*release, data).gcp, best, 1e-9) << "trial " << trial;
    ++found;
  }
  EXPECT_GT(found, 200);
  EXPECT_GT(none, 3);
}

TEST_F(Anonymise, WhatIsReleasedMeetsThePlanAndHoldsEveryRowOnce) {
  std::mt19937 random(11);
  int released = 0;
  for (int trial = 0; trial < 300; ++trial) {
    const auto rows = random_rows(random, 6 + random() % 40, 30);
    plan_.k = 2 + static_cast<std::uint32_t>(random() % 4);
    plan_.max_suppressed = 0.2;
    wage() = {.role = Role::kSensitive, .kind = ColumnKind::kNumber};
    if (trial % 3 == 0) wage().distinct_l = 2;
    if (trial % 3 == 1) wage().entropy_l = 2;
    if (trial % 3 == 2) wage().t = 0.3;
    wage().distance = trial % 2 == 0 ? Distance::kOrdered : Distance::kEqual;
    const auto table = table_of(rows);
    const Microdata data = data_of(table, plan_);
    for (const auto& release : {mondrian(data), full_domain(data, plan_.max_suppressed)}) {
      if (!release) continue;
      ++released;
      const auto written = tables::Table::parse(released_text(*release, table, plan_), "out.csv",
                                                tables::Format::kCsv);
      ASSERT_TRUE(written.ok()) << written.error().message;
      const auto found = check(*written, plan_);
      ASSERT_TRUE(found.ok()) << found.error().message;
      EXPECT_TRUE(found->meets(plan_)) << "trial " << trial;
      EXPECT_EQ(written->rows() + release->suppressed.size(), rows.size());
      EXPECT_EQ(written->columns()[3].values.size(), written->rows()) << "an id twice";
    }
  }
  EXPECT_GT(released, 300);
}

/// The least loss over all ways to put rows into classes of at least k, each named by its range.
double best_partition(const std::vector<Row>& rows, const Microdata& data, std::size_t k) {
  std::vector<std::vector<std::uint32_t>> classes;
  double best = INFINITY;
  const std::function<void(std::uint32_t)> place = [&](std::uint32_t row) {
    if (row == rows.size()) {
      double loss = 0;
      for (const auto& c : classes) {
        if (c.size() < k) return;
        for (const QuasiIdentifier& q : data.quasi) {
          std::vector<Rank> ranks;
          for (const std::uint32_t i : c)
            ranks.push_back(
                *q.scale.rank(q.name == "x" ? std::to_string(rows[i].x) : rows[i].place));
          loss += q.scale.cover(std::ranges::min(ranks), std::ranges::max(ranks)).loss *
                  static_cast<double>(c.size());
        }
      }
      best = std::min(best, loss / static_cast<double>(rows.size() * data.quasi.size()));
      return;
    }
    for (std::size_t c = 0; c < classes.size(); ++c) {
      classes[c].push_back(row);
      place(row + 1);
      classes[c].pop_back();
    }
    classes.push_back({row});
    place(row + 1);
    classes.pop_back();
  };
  place(0);
  return best;
}

TEST_F(Anonymise, MondrianIsNeverBetterThanTheBestPartitionAndSeldomFarFromIt) {
  std::mt19937 random(3);
  double greedy = 0, optimal = 0;
  int optimum_met = 0;
  for (int trial = 0; trial < 60; ++trial) {
    const auto rows = random_rows(random, 8, 10);
    const auto table = table_of(rows);
    const Microdata data = data_of(table, plan_);
    const double loss = utility_of(mondrian(data).value(), data).gcp;
    const double best = best_partition(rows, data, plan_.k);
    EXPECT_GE(loss, best - 1e-12) << "trial " << trial;
    greedy += loss;
    optimal += best;
    optimum_met += loss < best + 1e-9 ? 1 : 0;
  }
  EXPECT_LT(greedy, 1.6 * optimal);
  EXPECT_GT(optimum_met, 5);
}

// LeFevre et al. 2006, theorem 2: with d quasi-identifiers and at most m equal tuples, no class
// that cannot be cut has more than 2d(k-1) + m rows.
TEST_F(Anonymise, MondrianClassesKeepToTheirPublishedBound) {
  std::mt19937 random(5);
  for (int trial = 0; trial < 100; ++trial) {
    const auto rows = random_rows(random, 200, 40);
    plan_.k = 2 + static_cast<std::uint32_t>(random() % 8);
    const auto table = table_of(rows);
    const Microdata data = data_of(table, plan_);
    std::size_t equal = 0;
    for (const auto& tuple : data.rows_of)
      equal = std::max(equal, tuple.size());
    const Release release = mondrian(data).value();
    for (const auto& c : release.classes)
      EXPECT_LE(c.rows.size(), 2 * data.quasi.size() * (plan_.k - 1) + equal);
  }
}

TEST_F(Anonymise, LossesAreAsDefined) {
  const std::vector<Row> rows = {
      {0, "Rome", 0}, {10, "Milan", 1}, {20, "Oslo", 2}, {40, "Bergen", 3}};
  const auto table = table_of(rows);
  const Microdata data = data_of(table, plan_);
  Release release;
  const auto cover = [&](std::size_t q, const char* first, const char* last) {
    const Scale& scale = data.quasi[q].scale;
    return scale.cover(*scale.rank(first), *scale.rank(last));
  };
  release.classes.push_back({{cover(0, "0", "10"), cover(1, "Rome", "Milan")}, {0, 1}});
  release.suppressed = {2, 3};
  EXPECT_EQ(release.classes[0].labels[0].text, "0 to 10");
  EXPECT_EQ(release.classes[0].labels[1].text, "Italy");
  const Utility utility = utility_of(release, data);
  EXPECT_DOUBLE_EQ(utility.ncp[0], (2 * 0.25 + 2) / 4);
  EXPECT_DOUBLE_EQ(utility.ncp[1], (2 * 0.5 + 2) / 4);
  EXPECT_DOUBLE_EQ(utility.gcp, (0.625 + 0.75) / 2);
  EXPECT_DOUBLE_EQ(utility.discernibility, 2 * 2 + 2 * 4);
  EXPECT_DOUBLE_EQ(utility.mean_class_over_k, 1);
}

TEST_F(Anonymise, TheReleaseIsSortedAndLacksRemovedColumns) {
  plan_.columns["id"].role = Role::kRemoved;
  const auto table = table_of({{9, "Rome", 3}, {1, "Rome", 2}, {9, "Rome", 1}, {1, "Rome", 0}});
  const Microdata data = data_of(table, plan_);
  EXPECT_EQ(released_text(*mondrian(data), table, plan_),
            "x,place,wage\n1,Rome,0\n1,Rome,2\n9,Rome,1\n9,Rome,3\n");
}

TEST_F(Anonymise, APlanThatNothingMeetsIsAnErrorNotAnEmptyTable) {
  const auto table = table_of({{1, "Rome", 3}, {2, "Oslo", 3}, {3, "Rome", 3}});
  plan_.k = 4;
  const Microdata small = data_of(table, plan_);
  EXPECT_FALSE(Mondrian::start(small).ok());
  EXPECT_FALSE(full_domain(small, 1).has_value());
  plan_.k = 2;
  wage().distinct_l = 2;
  const Microdata same = data_of(table, plan_);
  EXPECT_FALSE(Mondrian::start(same).ok());
  EXPECT_FALSE(full_domain(same, 0.5).has_value());
}

}  // namespace
}  // namespace sotto::anonymisation
