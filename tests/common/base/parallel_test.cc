#include "common/base/parallel.h"

#include <atomic>
#include <set>

#include <gtest/gtest.h>

namespace sotto {
namespace {

TEST(FirstBad, IsTheLowestWhateverTheNumberOfThreads) {
  for (const unsigned threads : {1U, 2U, 3U, 8U}) {
    for (const std::size_t count : {0U, 1U, 7U, 100U}) {
      EXPECT_EQ(first_bad(count, threads, [](std::size_t) { return true; }), std::nullopt);
      for (std::size_t bad = 0; bad < count; bad += 3) {
        const auto good = [&](std::size_t i) { return i != bad && i != bad + 5; };
        EXPECT_EQ(first_bad(count, threads, good), bad) << threads << " threads of " << count;
      }
    }
  }
}

TEST(FirstBad, LooksAtEverythingOnce) {
  std::vector<std::atomic<int>> looked(1000);
  const auto look = [&](std::size_t i) { return ++looked[i] > 0; };
  EXPECT_EQ(first_bad(looked.size(), 4, look), std::nullopt);
  for (const auto& times : looked)
    EXPECT_EQ(times, 1);
}

}  // namespace
}  // namespace sotto
