// The split of one data set (participant/data/partition.h).
#include "participant/data/partition.h"

#include <limits>
#include <set>

#include <gtest/gtest.h>

namespace sotto::data {
namespace {

std::vector<Example> examples(std::size_t count) {
  std::vector<Example> out;
  for (std::size_t i = 0; i < count; ++i)
    out.push_back({.text = std::to_string(i), .label = static_cast<std::int64_t>(i % 2)});
  return out;
}

TEST(Partition, KeepsEveryExampleAtBothEndsOfTheRange) {
  for (const double alpha : {kDirichlet.min, 1.0, kDirichlet.max}) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      std::size_t all = 0;
      for (const auto& part : dirichlet_partition(examples(20), 2, 3, alpha, seed)) {
        EXPECT_FALSE(part.empty());
        all += part.size();
      }
      EXPECT_EQ(all, 20U) << alpha << " " << seed;
    }
  }
}

TEST(Partition, WhatCannotBeSplitIsRefused) {
  EXPECT_TRUE(check_partition(0.5, 3, 3, 3).ok());
  for (const double alpha : {0.0, -1.0, 1e-300, 0.001, 1e7, std::numeric_limits<double>::infinity(),
                             std::numeric_limits<double>::quiet_NaN()})
    EXPECT_FALSE(check_partition(alpha, 3, 3, 3).ok()) << alpha;
  EXPECT_FALSE(check_partition(0.5, 0, 3, 3).ok());
  EXPECT_EQ(check_partition(0.5, 4, 3, 5).error().message,
            "4 shards need at least as many training examples, and there are 3; lower "
            "--participants or give more examples");
  EXPECT_FALSE(check_partition(0.5, 4, 5, 3).ok());
}

TEST(HoldOut, TakesTheShareAndNeverOnePersonOnBothSides) {
  std::vector<Example> examples;
  for (int i = 0; i < 1000; ++i)
    examples.push_back(
        {.text = std::to_string(i), .person = i % 2 == 0 ? "" : "p" + std::to_string(i % 50)});
  for (const double share : {0.01, 0.2, 0.9}) {
    const HeldOut split = hold_out(examples, share, 7);
    EXPECT_EQ(split.train.size() + split.evaluation.size(), 1000U);
    EXPECT_NEAR(static_cast<double>(split.evaluation.size()), 1000 * share, 40) << "one person";
    std::set<std::string> trained, texts;
    for (const Example& e : split.train)
      trained.insert(e.person), texts.insert(e.text);
    for (const Example& e : split.evaluation) {
      EXPECT_TRUE(e.person.empty() || !trained.contains(e.person));
      EXPECT_FALSE(texts.contains(e.text));
    }
  }
  const auto first = [&](std::uint64_t seed) {
    return hold_out(examples, 0.2, seed).evaluation.front().text;
  };
  EXPECT_EQ(first(7), first(7));
  EXPECT_NE(first(7), first(8));
}

TEST(HoldOut, LeavesSomethingToTrainOn) {
  const HeldOut split = hold_out({{.text = "a"}, {.text = "b"}}, 0.99, 1);
  EXPECT_EQ(split.train.size(), 1U);
  EXPECT_EQ(split.evaluation.size(), 1U);
}

}  // namespace
}  // namespace sotto::data
