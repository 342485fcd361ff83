// Entities in tags, against examples worked out by hand and against conlleval's own rules.
#include "common/tasks/entities.h"

#include <array>
#include <set>
#include <tuple>

#include <gtest/gtest.h>

#include "common/tasks/token_classification.h"

namespace sotto::tasks {
namespace {

using Tags = std::vector<std::int64_t>;

constexpr std::int64_t kO = 0, kBa = 1, kIa = 2, kBb = 3, kIb = 4;

std::array<EntityCounts, 2> counted(const Tags& predicted, const Tags& right) {
  std::array<EntityCounts, 2> counts;
  count_entities(predicted, right, counts);
  return counts;
}

TEST(Entities, AreTheRunsThatTheTagsSay) {
  EXPECT_EQ(entities_of(Tags{kO, kBa, kIa, kO}), (std::vector<Entity>{{1, 3, 0}}));
  EXPECT_EQ(entities_of(Tags{kBa, kBa}), (std::vector<Entity>{{0, 1, 0}, {1, 2, 0}}));
  EXPECT_EQ(entities_of(Tags{kBa, kIb}), (std::vector<Entity>{{0, 1, 0}, {1, 2, 1}}));
  EXPECT_EQ(entities_of(Tags{kIa, kIa, kO, kIa}), (std::vector<Entity>{{0, 2, 0}, {3, 4, 0}}));
  EXPECT_EQ(entities_of(Tags{}), std::vector<Entity>{});
}

TEST(Entities, AreFoundWhenEveryWordAndTheLabelAreRight) {
  const Tags right{kBa, kIa, kO, kBb};
  const auto all = counted(right, right);
  EXPECT_EQ(std::tuple(all[0].found, all[0].wrong, all[0].missed), std::tuple(1U, 0U, 0U));
  const auto shorter = counted({kBa, kO, kO, kBb}, right);  // one word of two: wrong and missed
  EXPECT_EQ(std::tuple(shorter[0].found, shorter[0].wrong, shorter[0].missed),
            std::tuple(0U, 1U, 1U));
  EXPECT_EQ(shorter[1].found, 1U);
  const auto other = counted({kBb, kIb, kO, kO}, right);  // the words of a, called b
  EXPECT_EQ(std::tuple(other[0].found, other[0].wrong, other[0].missed), std::tuple(0U, 0U, 1U));
  EXPECT_EQ(std::tuple(other[1].found, other[1].wrong, other[1].missed), std::tuple(0U, 1U, 1U));
}

/// The chunks of a sequence by the two predicates of the shared task's Perl script (conlleval,
/// Sang and Buchholz 2000), for B, I and O.
std::set<std::tuple<std::size_t, std::size_t, std::size_t>> conlleval_chunks(const Tags& tags) {
  const auto part = [](std::int64_t tag) { return tag == 0 ? 'O' : tag % 2 == 1 ? 'B' : 'I'; };
  const auto type = [](std::int64_t tag) { return tag == 0 ? -1 : (tag - 1) / 2; };
  const auto starts = [&](std::int64_t before, std::int64_t now) {
    if (part(now) == 'B') return true;
    if (part(before) == 'O' && part(now) == 'I') return true;
    return part(now) != 'O' && type(before) != type(now);
  };
  const auto ends = [&](std::int64_t before, std::int64_t now) {
    if (part(before) == 'O') return false;
    return part(now) == 'B' || part(now) == 'O' || type(before) != type(now);
  };
  std::set<std::tuple<std::size_t, std::size_t, std::size_t>> chunks;
  std::size_t start = 0;
  std::int64_t before = 0;
  for (std::size_t i = 0; i <= tags.size(); ++i) {
    const std::int64_t now = i < tags.size() ? tags[i] : 0;
    if (ends(before, now)) chunks.emplace(start, i, static_cast<std::size_t>(type(before)));
    if (starts(before, now)) start = i;
    before = now;
  }
  return chunks;
}

/// Every sequence of `length` tags of two labels.
std::vector<Tags> all_sequences(std::size_t length) {
  std::vector<Tags> out{{}};
  for (std::size_t i = 0; i < length; ++i) {
    std::vector<Tags> longer;
    for (const Tags& tags : out)
      for (std::int64_t tag = 0; tag < 5; ++tag) {
        longer.push_back(tags);
        longer.back().push_back(tag);
      }
    out = std::move(longer);
  }
  return out;
}

TEST(Entities, AreTheChunksOfConllevalInEverySequenceOfFiveWords) {
  for (std::size_t length = 0; length <= 5; ++length)
    for (const Tags& tags : all_sequences(length)) {
      std::set<std::tuple<std::size_t, std::size_t, std::size_t>> found;
      for (const Entity& e : entities_of(tags))
        found.emplace(e.begin, e.end, e.label);
      ASSERT_EQ(found, conlleval_chunks(tags)) << ::testing::PrintToString(tags);
    }
}

TEST(Entities, CountsAreThoseOfSetsOfChunksForEveryPairOfSentencesOfThreeWords) {
  const std::vector<Tags> all = all_sequences(3);
  for (const Tags& predicted : all)
    for (const Tags& right : all) {
      const auto chunks = conlleval_chunks(predicted), expected = conlleval_chunks(right);
      const auto counts = counted(predicted, right);
      for (std::size_t label = 0; label < 2; ++label) {
        std::uint64_t found = 0, claimed = 0, support = 0;
        for (const auto& chunk : chunks) {
          claimed += std::get<2>(chunk) == label ? 1U : 0U;
          found += std::get<2>(chunk) == label && expected.contains(chunk) ? 1U : 0U;
        }
        for (const auto& chunk : expected)
          support += std::get<2>(chunk) == label ? 1U : 0U;
        ASSERT_EQ(counts[label].found, found);
        ASSERT_EQ(counts[label].found + counts[label].wrong, claimed);
        ASSERT_EQ(counts[label].found + counts[label].missed, support);
      }
    }
}

TEST(Entities, CountersHoldWordsAndEntitiesInTheOrderOfTheirNames) {
  const TokenClassification task({.type = "token_classification", .labels = {"a", "b"}}, 32);
  CounterSums sums = task.zero_sums();
  task.count(sums, Tags{kBa, kO, kO}, Tags{kBa, kO, kBb}, 0.5);
  task.count(sums, Tags{kBb, kIb}, Tags{kBa, kIa}, 1.25);
  // words, right tags, loss in thousandths; found, wrong, missed of a, then of b
  EXPECT_EQ(task.in_steps(sums), (std::vector<std::uint64_t>{5, 2, 1750, 1, 0, 1, 0, 1, 1}));
}

}  // namespace
}  // namespace sotto::tasks
