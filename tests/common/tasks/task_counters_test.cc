// What the tasks count stays within the bounds that they declare, whatever the model predicted, and
// the noise on the counters is made for these bounds.
#include <functional>
#include <limits>

#include <gtest/gtest.h>

#include "common/crypto/secure_random.h"
#include "common/job/counter_noise.h"
#include "common/job/evaluation_bounds.h"
#include "common/tasks/causal_language_modeling.h"
#include "common/tasks/labelled_counters.h"
#include "common/tasks/registry.h"
#include "common/tasks/sequence_classification.h"
#include "common/tasks/sequence_regression.h"
#include "common/tasks/token_classification.h"

namespace sotto::tasks {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNotFinite[] = {kNoAnswer, kInfinity, -kInfinity};
constexpr std::uint64_t kMost = kMostLoss * 1000;  // in thousandths

using Counts = std::vector<std::uint64_t>;
using Tags = std::vector<std::int64_t>;

config::JobConfig job_of(const std::string& type) {
  config::JobConfig job;
  job.task.type = type;
  if (type.ends_with("classification")) job.task.labels = {"a", "b"};
  if (type == "sequence_regression") job.task.target_max = 1;
  job.model.max_length = 3;
  return job;
}

/// The counts after `add`, which are possible for `examples` examples.
template <class T>
Counts counted(const T& task, std::uint64_t examples,
               const std::function<void(CounterSums&)>& add) {
  CounterSums sums = task.zero_sums();
  add(sums);
  const Counts counts = task.in_steps(sums);
  config::JobConfig job;
  job.task = task.settings();
  job.model.max_length = task.max_length();
  EXPECT_TRUE(job::check_counters(job, counts, examples).ok());
  return counts;
}

TEST(TaskCounters, AnExampleWithoutAFiniteLossIsWrongWithTheLargestLoss) {
  const SequenceClassification task({.labels = {"a", "b", "c"}}, 3);
  for (const double loss : kNotFinite)
    EXPECT_EQ(counted(task, 3,
                      [&](CounterSums& sums) {
                        SequenceClassification::count(sums, 2, 2, loss);  // an argmax over NaN
                        SequenceClassification::count(sums, 1, 0, loss);
                        SequenceClassification::count(sums, 1, 1, 0.25);
                      }),
              (Counts{3, 1, 2 * kMost + 250, 0, 2, 0, 1, 0, 1, 0, 0, 1}));
}

TEST(TaskCounters, ATextWithoutAFiniteLossHasNoCorrectToken) {
  const CausalLanguageModeling task({.type = "causal_language_modeling"}, 6);
  for (const double loss : kNotFinite)
    EXPECT_EQ(counted(task, 1,
                      [&](CounterSums& sums) {
                        CausalLanguageModeling::count(sums,
                                                      {.tokens = 5, .correct = 4, .loss = loss});
                      }),
              (Counts{5, 0, 5 * kMost}));
}

TEST(TaskCounters, ASentenceWithoutAFiniteLossMissesItsEntities) {
  const TokenClassification task({.type = "token_classification", .labels = {"a", "b"}}, 3);
  for (const double loss : kNotFinite)
    EXPECT_EQ(counted(task, 1,
                      [&](CounterSums& sums) {
                        task.count(sums, Tags{1, 0, 3}, Tags{1, 0, 3}, loss);
                      }),
              (Counts{3, 0, 3 * kMost, 0, 0, 1, 0, 0, 1}));
}

TEST(TaskCounters, ALossIsAtLeastZeroAndAtMostTheLargest) {
  const SequenceClassification task({.labels = {"a", "b"}}, 3);
  const Counts counts = counted(task, 5, [](CounterSums& sums) {
    for (const double loss : {kNoAnswer, kInfinity, -kInfinity, 1e30, -1.0})
      SequenceClassification::count(sums, 0, 1, loss);
  });
  EXPECT_EQ(counts[2], 4 * kMost);
}

TEST(TaskCounters, OfASentenceTheFirstMaxLengthWordsAreCounted) {
  const TokenClassification task({.type = "token_classification", .labels = {"a", "b"}}, 3);
  const Tags words(10, 1);  // each the beginning of an entity of kind a
  EXPECT_EQ(counted(task, 1, [&](CounterSums& sums) { task.count(sums, words, words, 1e30); }),
            (Counts{3, 3, 3 * kMost, 3, 0, 0, 0, 0, 0}));
}

/// The squares of what one example changes, in units of its noise; 1 / multiplier^2 at most
/// (common/job/counter_noise.h).
double squared_change(const std::vector<encoding::MetricNoise>& noise, const Counts& counts) {
  double squares = 0;
  for (std::size_t i = 0; i < noise.size(); ++i) {
    // Rounding to steps moves the difference of two sums by one more.
    const auto step = static_cast<double>(noise[i].step);
    const double steps = static_cast<double>(counts[i]) / step + (noise[i].step > 1 ? 1 : 0);
    squares += steps * steps * 0x1p16 / static_cast<double>(noise[i].unknown_variance);
  }
  return squares;
}

/// One example of every task, drawn at random.
using RandomExample = std::function<Counts(crypto::StreamRandom&)>;

RandomExample random_example(const config::JobConfig& job) {
  const auto loss = [](crypto::StreamRandom& random) {
    return random.below(2) == 0 ? kInfinity : 1.0;
  };
  const TaskSettings& settings = job.task;
  const std::uint32_t length = job.model.max_length;
  if (settings.type == "causal_language_modeling")
    return [=](crypto::StreamRandom& random) {
      const CausalLanguageModeling task(settings, length);
      CounterSums sums = task.zero_sums();
      CausalLanguageModeling::count(
          sums, {.tokens = 5, .correct = random.below(6), .loss = loss(random)});
      return task.in_steps(sums);
    };
  if (settings.type == "sequence_regression")
    return [=](crypto::StreamRandom& random) {
      const SequenceRegression task(settings, length);
      CounterSums sums = task.zero_sums();
      const auto label = static_cast<std::int64_t>(random.below(2)) * SequenceRegression::kSteps;
      task.count(sums, label, 4 * random.unit() - 2);
      return task.in_steps(sums);
    };
  if (settings.type == "token_classification")
    return [=](crypto::StreamRandom& random) {
      const TokenClassification task(settings, length);
      CounterSums sums = task.zero_sums();
      Tags predicted, right;  // O, B-a, I-a, B-b, I-b
      for (int word = 0; word < 8; ++word) {
        predicted.push_back(static_cast<std::int64_t>(random.below(5)));
        right.push_back(static_cast<std::int64_t>(random.below(5)));
      }
      task.count(sums, predicted, random.below(2) == 0 ? predicted : right, loss(random));
      return task.in_steps(sums);
    };
  return [=](crypto::StreamRandom& random) {
    const SequenceClassification task(settings, length);
    CounterSums sums = task.zero_sums();
    SequenceClassification::count(sums, static_cast<std::int64_t>(random.below(2)),
                                  static_cast<std::int64_t>(random.below(2)), loss(random));
    return task.in_steps(sums);
  };
}

TEST(TaskCounters, NoExampleChangesThemByMoreThanTheirNoiseIsMadeFor) {
  constexpr double kMultiplier = 3;
  crypto::StreamRandom random(5);
  for (const std::string_view type : task_names()) {
    config::JobConfig job = job_of(std::string(type));
    job.model.max_length = 6;
    job.evaluation.counter_noise_multiplier = kMultiplier;
    const auto noise = job::metric_noise(job);
    const RandomExample example = random_example(job);
    double largest = 0;
    for (int i = 0; i < 2000; ++i)
      largest = std::max(largest, squared_change(noise, example(random)));
    EXPECT_LE(largest, (1 + 1e-9) / (kMultiplier * kMultiplier)) << type;
    EXPECT_GT(largest, 0.5 / (kMultiplier * kMultiplier)) << type << ": the bound is not idle";
  }
}

/// What common/job/evaluation_bounds.h relies on.
TEST(Tasks, EachDeclaresItsCountersAndFigures) {
  for (const std::string_view type : task_names()) {
    const auto task = job_of(std::string(type)).make_task();
    const std::vector<Counter> counters = task->counters();
    EXPECT_EQ(counters.front().most_steps(), 1U) << type << ": units are counted one by one";
    for (std::size_t i = 1; i < counters.size(); ++i) {
      EXPECT_LE(counters[i].most_steps(), job::kMostSteps) << type << " " << counters[i].name;
      EXPECT_NE(counters[i].excess, "") << type << " " << counters[i].name;
    }
    EXPECT_GE(task->units_per_example(), 1U) << type;
    EXPECT_GE(task->largest_squared_change(), 1) << type;
    bool has_loss = false;
    for (const FigureKind& kind : task->figures()) {
      has_loss |= kind.name == "loss";
      EXPECT_TRUE(kind.place.starts_with("/")) << type << " " << kind.name;
      EXPECT_TRUE(kind.help.ends_with(".")) << type << " " << kind.name;
    }
    EXPECT_TRUE(has_loss) << type;
    EXPECT_GE(task->figures().size(), 2U) << type << ": a report has two columns";
    const Counts none(counters.size(), 0);
    EXPECT_EQ(task->summarise(none, exact).value("loss"), 0) << type;
  }
}

TEST(Tasks, AnUnknownNameIsOneErrorThatListsTheNames) {
  const auto made = make_task({.type = "regression"}, 3);
  ASSERT_FALSE(made.ok());
  for (const std::string_view type : task_names())
    EXPECT_NE(made.error().message.find(type), std::string::npos) << made.error().message;
}

}  // namespace
}  // namespace sotto::tasks
