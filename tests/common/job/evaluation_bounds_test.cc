// What the counters of an evaluation can be, and what one member can do to them
// (docs/threat-model.md, "Poisoning").
#include "common/job/evaluation_bounds.h"

#include <gtest/gtest.h>

#include "common/encoding/quantizer.h"
#include "common/job/plan.h"
#include "common/tasks/labelled_counters.h"

namespace sotto::job {
namespace {

using Counts = std::vector<std::uint64_t>;

config::JobConfig classification() {
  config::JobConfig job;
  job.task.type = "sequence_classification";
  job.task.labels = {"a", "b"};
  job.model.max_length = 32;
  return job;
}

config::JobConfig entities() {
  config::JobConfig job = classification();
  job.task.type = "token_classification";
  return job;
}

config::JobConfig language() {
  config::JobConfig job = classification();
  job.task = {.type = "causal_language_modeling", .labels = {}};
  return job;
}

/// 200 examples, 40 % right, as an honest site counts them.
const Counts kHonest = {200, 80, 200'000, 40, 60, 60, 40, 60, 60};

std::string problem(const config::JobConfig& job, const Counts& counts, std::uint64_t declared) {
  const Status status = check_counters(job, counts, declared);
  return status.ok() ? "" : status.error().message;
}

TEST(EvaluationBounds, WhatAnHonestSiteCountsIsWithinItsDeclaredSize) {
  EXPECT_EQ(problem(classification(), kHonest, 200), "");
  EXPECT_EQ(problem(classification(), kHonest, 1000), "") << "a size may be rounded up";
  EXPECT_NE(problem(classification(), kHonest, 199), "");
  EXPECT_EQ(problem(classification(), Counts(9, 0), 0), "") << "a site may evaluate nothing";
}

TEST(EvaluationBounds, ClassificationIsConsistent) {
  const auto changed = [](std::size_t at, std::uint64_t value) {
    Counts counts = kHonest;
    counts[at] = value;
    return problem(classification(), counts, 200);
  };
  EXPECT_NE(changed(1, 81), "") << "right ones are those of the labels";
  EXPECT_NE(changed(1, 201), "");
  EXPECT_NE(changed(2, 200 * tasks::kMostLoss * 1000 + 1), "");
  EXPECT_EQ(changed(2, 200 * tasks::kMostLoss * 1000), "");
  EXPECT_NE(changed(4, 61), "") << "tp + fp over the labels are the examples";
  EXPECT_NE(changed(5, 61), "") << "tp + fn over the labels are the examples";
  EXPECT_NE(changed(0, 199), "");
}

/// 2^64 - 40 and 40 more elsewhere add up: each label is looked at by itself.
TEST(EvaluationBounds, WhatWrapsAroundIsCaught) {
  Counts counts = kHonest;
  counts[3] += 160;
  counts[6] -= 160;
  EXPECT_NE(problem(classification(), counts, 200), "");
  EXPECT_NE(problem(classification(), {std::uint64_t{0} - 1, 0, 0, 0, 0, 0, 0, 0, 0}, 1 << 20), "");
}

TEST(EvaluationBounds, ASentenceHasMaxLengthWordsAndNoMoreEntitiesThanWords) {
  EXPECT_EQ(entities().make_task()->units_per_example(), 32U);
  const Counts counts = {64, 60, 0, 30, 1, 2, 20, 3, 4};
  EXPECT_EQ(problem(entities(), counts, 2), "");
  EXPECT_NE(problem(entities(), counts, 1), "");
  EXPECT_NE(problem(entities(), {64, 60, 0, 30, 1, 2, 20, 14, 4}, 2), "") << "65 said";
  EXPECT_NE(problem(entities(), {64, 60, 0, 30, 1, 12, 20, 3, 4}, 2), "") << "66 there";
}

TEST(EvaluationBounds, ATextPredictsOneTokenLessThanItHas) {
  EXPECT_EQ(language().make_task()->units_per_example(), 31U);
  EXPECT_EQ(problem(language(), {310, 100, 1000}, 10), "");
  EXPECT_NE(problem(language(), {311, 100, 1000}, 10), "");
  EXPECT_NE(problem(language(), {310, 311, 1000}, 10), "");
}

TEST(EvaluationBounds, ASiteEncodesNothingBeyondItsOwnDeclaredSize) {
  Counts counts = kHonest;
  EXPECT_TRUE(keep_to_bounds(classification(), counts, 200).ok());
  EXPECT_EQ(counts, kHonest);
  EXPECT_FALSE(keep_to_bounds(classification(), counts, 199).ok());
  EXPECT_EQ(counts, Counts(9, 0));
}

TEST(EvaluationBounds, HugeDeclaredSizesDoNotOverflow) {
  for (const config::JobConfig& job : {classification(), entities(), language()}) {
    Counts counts(job.make_task()->counters().size(), 0);
    EXPECT_EQ(problem(job, counts, ~std::uint64_t{0}), "");
    counts[0] = std::uint64_t{1} << 63;
    EXPECT_NE(problem(job, counts, ~std::uint64_t{0}), "");
  }
}

TEST(EvaluationBounds, FiguresDoNotGiveAwayTheCounts) {
  // 142 of 175: as a double it is this fraction and no other with a denominator below 2^26.
  const auto read =
      read_counters(classification(), Counts{175, 142, 1, 71, 16, 17, 71, 17, 16}, 175);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->units, 0U);
  EXPECT_EQ(read->value("accuracy"), 0.8114);
  EXPECT_EQ(read->value("loss"), 0);
}

TEST(EvaluationBounds, AnAttemptWithoutCountersHasNoEvaluationRatherThanOneOfZero) {
  EXPECT_FALSE(read_counters(classification(), {}, 10).ok());
  EXPECT_FALSE(read_counters(classification(), Counts(9, 0), 10).ok());
}

/// Sums of four honest sites and a fifth one.
struct FiveSites : ::testing::Test {
  config::JobConfig job = classification();
  encoding::EncodingSpec spec = encoding_of(job);
  std::vector<encoding::LaneSpec> lanes = encoding::lane_specs(spec, 0, 5);
  encoding::RingUpdate sum = encoding::RingUpdate::zeros(lanes);
  crypto::StreamRandom random{3};

  void SetUp() override {
    for (int i = 0; i < 4; ++i)
      add(kHonest);
  }

  void add(const Counts& metrics) {
    auto encoded = encoding::encode(spec, lanes, {}, std::nullopt, {.metrics = metrics}, random);
    ASSERT_TRUE(encoded.ok()) << encoded.error().message;
    ASSERT_TRUE(sum.add_packed(encoded->pack()).ok());
  }

  /// What only a liar encodes: counters below zero.
  void add_wrapping(const std::vector<std::int64_t>& metrics) {
    add(Counts(metrics.size(), 0));
    for (std::size_t i = 0; i < metrics.size(); ++i)
      sum.lanes[0].set(2 + i, sum.lanes[0].at(2 + i) + static_cast<std::uint64_t>(metrics[i]));
  }

  [[nodiscard]] Result<tasks::Evaluation> read() const {
    const auto decoded = encoding::decode_sum(spec, lanes, {}, sum.clone(), 5);
    if (!decoded.ok()) return decoded.error();
    return read_counters(job, decoded->metrics, 5 * 200);
  }
};

TEST_F(FiveSites, HonestOnesHaveTheirMean) {
  add(kHonest);
  ASSERT_TRUE(read().ok());
  EXPECT_EQ(read()->value("accuracy"), 0.4);
}

TEST_F(FiveSites, OneMemberThatClaimsMoreThanItDeclaredVoidsTheRoundsFigures) {
  const std::uint64_t big = std::uint64_t{1} << 47;
  add({big, big, 0, big / 2, 0, 0, big / 2, 0, 0});
  ASSERT_FALSE(read().ok());
  EXPECT_EQ(read().error().message, "void: the counters are larger than the declared sizes allow");
}

TEST_F(FiveSites, CountersOutOfEveryRangeAreVoidAndNoReasonToLoseTheUpdate) {
  add_wrapping({-900, 0, 0, 0, 0, 0, 0, 0, 0});
  EXPECT_TRUE(encoding::decode_sum(spec, lanes, {}, sum.clone(), 5).ok());
  EXPECT_FALSE(read().ok());
}

TEST_F(FiveSites, AllOfItsOwnExamplesRightMoveTheAccuracyByAFifth) {
  add({200, 200, 0, 100, 0, 0, 100, 0, 0});
  ASSERT_TRUE(read().ok());
  EXPECT_EQ(read()->value("accuracy"), 0.52);
}

/// What docs/threat-model.md admits: the bounds hold for the sum, and addition wraps around.
TEST_F(FiveSites, AMemberThatSubtractsOthersMistakesStaysWithinTheBounds) {
  add_wrapping({-480, 0, -790'000, 0, -240, -240, 0, -240, -240});
  ASSERT_TRUE(read().ok()) << read().error().message;
  EXPECT_EQ(read()->value("accuracy"), 1);
}

}  // namespace
}  // namespace sotto::job
