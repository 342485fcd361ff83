// The counts that an evaluation adds up over a federation: exact integers, so that secure
// aggregation sums them without loss.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/config/evaluation_limits.h"

namespace sotto::learning {

/// The most that one example, one word or one predicted token adds to the sum of losses.
inline constexpr double kLargestLoss = config::kMostLoss;

/// Counts in the order of run::metric_names() (common/job/plan.h): of examples; of tagged words and
/// the entities that they make; or, where there are no labels, of predicted tokens. What is added
/// stays within run::check_counters() (common/job/evaluation_bounds.h), whatever the model said: a
/// loss that is too large, or not a number, counts as the largest one.
class MetricCounts {
 public:
  /// What a language model made of one text.
  struct Text {
    std::uint64_t tokens = 0;   // predicted
    std::uint64_t correct = 0;  // the likeliest was the right one
    double loss = 0;            // sum of their cross entropies
  };

  /// `most_words` are counted of a sentence, its first ones; only token classification needs it.
  explicit MetricCounts(std::size_t labels, std::size_t most_words = SIZE_MAX)
      : counts_(kPerLabel + 3 * labels, 0), most_words_(most_words) {}

  // A loss that is not finite means that the model gave no answer: the example then counts as wrong
  // whatever else is said of it, with the largest loss.

  /// One example: its label, what the model said, and its cross entropy.
  void add(std::int64_t label, std::int64_t predicted, double loss);

  void add_text(const Text& text);

  /// A sentence: the tags said and those that are right of each word, and the sum of the cross
  /// entropies of the words that the model saw.
  void add_sentence(std::span<const std::int64_t> said, std::span<const std::int64_t> right,
                    double loss);

  [[nodiscard]] std::vector<std::uint64_t> counts() const;

 private:
  static constexpr std::size_t kExamples = 0, kCorrect = 1, kLoss = 2, kPerLabel = 3;

  std::vector<std::uint64_t> counts_;
  std::size_t most_words_;
  double loss_ = 0;
};

}  // namespace sotto::learning
