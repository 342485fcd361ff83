#include <ATen/ATen.h>

#include "common/tasks/token_classification.h"
#include "participant/learning/tasks/task_learning_torch.h"

namespace sotto::learning {

namespace {

using at::Tensor;

std::vector<std::int64_t> tags_of(const Sequence& sentence) {
  std::vector<std::int64_t> tags;
  for (const TaggedWord& word : sentence.words)
    tags.push_back(word.tag);
  return tags;
}

class TokenClassificationLearning final : public TaskLearningOf<tasks::TokenClassification> {
 public:
  using TaskLearningOf::TaskLearningOf;

  [[nodiscard]] ModelHead head() const override {
    return {.kind = ModelHead::Kind::kTokenClassification,
            .labels = static_cast<std::int64_t>(task().classes().size())};
  }

  /// The mean over the sentence's own tagged tokens; 0 if there are none.
  [[nodiscard]] Tensor losses(const Tensor& logits, const Batch& batch,
                              Logits after) const override {
    return token_cross_entropies(logits, batch.labels, after).sum(1) /
           batch.labels.ne(kNoTag).sum(1).clamp_min(1);
  }

  /// A word that was cut off counts as predicted O (no entity).
  void count(const Tensor& logits, const Batch& batch, const std::vector<const Sequence*>& rows,
             tasks::CounterSums& sums) const override {
    const Tensor loss =
        token_cross_entropies(logits, batch.labels, Logits::kKept).to(at::kDouble).sum(1).cpu();
    const Tensor most_likely = logits.argmax(2).cpu().contiguous();
    const auto* row = most_likely.data_ptr<std::int64_t>();
    for (std::size_t i = 0; i < rows.size(); ++i, row += most_likely.size(1)) {
      std::vector<std::int64_t> predicted;
      for (const TaggedWord& word : rows[i]->words)
        predicted.push_back(word.at ? row[*word.at] : 0);
      task().count(sums, predicted, tags_of(*rows[i]),
                   loss[static_cast<std::int64_t>(i)].item<double>());
    }
  }

  void count_failed(const Sequence& row, tasks::CounterSums& sums) const override {
    const std::vector<std::int64_t> right = tags_of(row);
    task().count(sums, right, right, tasks::kNoAnswer);
  }

  [[nodiscard]] Sequence probe() const override { return {{0, 0}, 0, {{0, 0}}}; }
};

}  // namespace

std::unique_ptr<const TaskLearning> learn_token_classification(const tasks::TaskSettings& settings,
                                                               std::uint32_t max_length) {
  return std::make_unique<TokenClassificationLearning>(settings, max_length);
}

}  // namespace sotto::learning
