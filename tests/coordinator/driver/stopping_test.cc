// When a run ends early (job.json, `stopping`).
#include "coordinator/driver/stopping.h"

#include <gtest/gtest.h>

namespace sotto::coordinator {
namespace {

tasks::Evaluation loss_of(double loss) {
  return {.figures = {{{.name = "accuracy"}, 1 - loss}, {{.name = "loss"}, loss}}};
}

/// The round after whose evaluation the run ends, and why; rounds are told one after the other.
std::pair<std::uint64_t, std::string> end_of(const config::StoppingSection& section,
                                             const std::vector<double>& losses,
                                             double seconds_a_round = 1) {
  config::JobConfig job;
  job.stopping = section;
  const StoppingRules rules(job);
  BestSoFar best;
  for (std::uint64_t round = 0; round < losses.size(); ++round) {
    rules.improves(loss_of(losses[round]), round, best);
    if (auto why = rules.after_round(loss_of(losses[round]), round, best,
                                     seconds_a_round * static_cast<double>(round + 1)))
      return {round, *why};
  }
  return {losses.size(), ""};
}

TEST(Stopping, WithoutARuleARunGoesOn) {
  EXPECT_EQ(end_of({}, {1, 1, 1, 1}).first, 4U);
}

TEST(Stopping, ATargetIsReachedFromItsOwnSide) {
  const auto [round, why] = end_of({.metric = "loss", .target = 0.5}, {0.9, 0.51, 0.5, 0.1});
  EXPECT_EQ(round, 2U);
  EXPECT_EQ(why, "loss is 0.5 after round 2; the target was 0.5");
  EXPECT_EQ(end_of({.metric = "accuracy", .target = 0.5}, {0.9, 0.51, 0.5, 0.1}).first, 2U);
  EXPECT_EQ(end_of({.metric = "accuracy", .target = 0.95}, {0.9, 0.2}).first, 2U);
}

TEST(Stopping, PatienceCountsRoundsSinceTheBest) {
  const std::vector<double> losses{1.0, 0.8, 0.85, 0.79, 0.8, 0.9, 0.8, 0.1};
  EXPECT_EQ(end_of({.patience = 2}, losses).first, 5U);
  EXPECT_EQ(end_of({.patience = 3}, losses).first, 6U);
  EXPECT_EQ(end_of({.patience = 4}, losses).first, losses.size());
  EXPECT_EQ(end_of({.patience = 2, .min_improvement = 0.05}, losses).first, 3U)
      << "0.79 is no improvement on 0.8";
  EXPECT_EQ(end_of({.patience = 1}, {1, 1}).second,
            "loss has not improved on 1, of round 0, for 1 rounds");
}

TEST(Stopping, NoRoundBeginsAfterTheWallTime) {
  const auto [round, why] = end_of({.max_wall_time_s = 25}, {1, 1, 1, 1, 1}, 10);
  EXPECT_EQ(round, 2U);
  EXPECT_NE(why.find("stopping.max_wall_time_s is 25"), std::string::npos) << why;
}

/// Its attempt carried no counters, or they are void.
TEST(Stopping, ARoundWithoutAnEvaluationReachesNoTargetAndTriesNobodysPatience) {
  config::JobConfig job;
  job.stopping = {.target = 0.5, .patience = 2, .max_wall_time_s = 100};
  const StoppingRules rules(job);
  const BestSoFar best{.value = 0.8, .evaluated_round = 1, .known = true};
  EXPECT_FALSE(rules.after_round(std::nullopt, 9, best, 1).has_value());
  EXPECT_TRUE(rules.after_round(loss_of(0.8), 9, best, 1).has_value()) << "patience";
  EXPECT_TRUE(rules.after_round(std::nullopt, 9, best, 100).has_value()) << "but time passes";
}

}  // namespace
}  // namespace sotto::coordinator
