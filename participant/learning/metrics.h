// The counts that an evaluation adds up over a federation: exact integers, so that secure
// aggregation sums them without loss.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sotto::learning {

/// The most that one example, one word or one predicted token adds to the sum of losses, so that a
/// diverged model does not overflow it: with 2^28 of them the counter stays below 2^48.
inline constexpr double kLargestLoss = 1000;

/// Counts in the order of run::metric_names() (common/run/plan.h): of examples; of tagged words and
/// the entities that they make; or, where there are no labels, of predicted tokens.
class MetricCounts {
 public:
  /// What a language model made of one text.
  struct Text {
    std::uint64_t tokens = 0;   // predicted
    std::uint64_t correct = 0;  // the likeliest was the right one
    double loss = 0;            // sum of their cross entropies
  };

  explicit MetricCounts(std::size_t labels) : counts_(kPerLabel + 3 * labels, 0) {}

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
  double loss_ = 0;
};

}  // namespace sotto::learning
