// Shards at the ends of what a Dirichlet distribution may be asked for.
#include "participant/data/partition.h"

#include <limits>

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

}  // namespace
}  // namespace sotto::data
