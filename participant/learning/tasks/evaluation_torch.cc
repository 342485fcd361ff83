#include "participant/learning/tasks/evaluation_torch.h"

#include <algorithm>
#include <exception>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "participant/learning/dp_sgd/batches.h"

namespace sotto::learning {
namespace {

using at::Tensor;
using Rows = std::vector<const Sequence*>;

constexpr std::size_t kBatch = 128;
constexpr double kNoLoss = std::numeric_limits<double>::quiet_NaN();

/// How many tokens of a text are predicted: all but the first.
std::uint64_t predicted_tokens(const Sequence& text) {
  return text.ids.empty() ? 0 : text.ids.size() - 1;
}

std::vector<std::int64_t> tags_of(const Sequence& sentence) {
  std::vector<std::int64_t> tags;
  for (const TaggedWord& word : sentence.words)
    tags.push_back(word.tag);
  return tags;
}

class Evaluation {
 public:
  explicit Evaluation(const EvaluationPlan& plan)
      : plan_(plan),
        loader_(plan.examples.loader(records::Purpose::kEvaluate)),
        counts_(plan.job.task.labels.size(), plan.job.model.max_length) {}

  MetricCounts run() {
    std::vector<std::uint64_t> all(std::min<std::uint64_t>(plan_.examples.size(), plan_.most));
    std::iota(all.begin(), all.end(), 0U);
    const std::size_t at_once =
        plan_.job.is_language_modeling() ? plan_.job.local_training.physical_batch_size : kBatch;
    for (const auto& chunk : physical_batches(all, plan_.examples.lengths(), at_once))
      if (!try_to_count(chunk))
        for (const std::uint64_t& example : chunk)
          if (!try_to_count({&example, 1})) count_as_wrong(example);
    return std::move(counts_);
  }

 private:
  /// All of them or, where that fails, none.
  bool try_to_count(std::span<const std::uint64_t> chunk) {
    try {
      MetricCounts counts = counts_;
      const Result<Rows> rows = loader_.read(chunk);
      if (!rows) return false;
      const Batch batch = make_batch(*rows, plan_.pad, plan_.device);
      if (plan_.job.is_language_modeling())
        count_tokens(*rows, batch, counts);
      else if (plan_.job.is_token_classification())
        count_words(*rows, batch, counts);
      else
        count_classes(batch, counts);
      counts_ = std::move(counts);
      return true;
    } catch (const std::exception&) {
      return false;
    }
  }

  void count_as_wrong(std::uint64_t example) {
    const Result<Rows> rows = loader_.read({&example, 1});
    if (!rows) return;
    const Sequence& row = *rows->front();
    if (plan_.job.is_language_modeling()) {
      counts_.add_text({.tokens = predicted_tokens(row), .loss = kNoLoss});
    } else if (plan_.job.is_token_classification()) {
      const std::vector<std::int64_t> right = tags_of(row);
      counts_.add_sentence(right, right, kNoLoss);
    } else {
      counts_.add(row.label, row.label, kNoLoss);
    }
  }

  void count_classes(const Batch& batch, MetricCounts& counts) const {
    const Tensor logits = plan_.model.logits(batch, {});
    const Tensor losses = cross_entropies(logits, batch.labels, Logits::kKept).cpu();
    const Tensor predicted = logits.argmax(1).cpu(), labels = batch.labels.cpu();
    for (std::int64_t row = 0; row < labels.size(0); ++row)
      counts.add(labels[row].item<std::int64_t>(), predicted[row].item<std::int64_t>(),
                 losses[row].item<double>());
  }

  void count_tokens(const Rows& rows, const Batch& batch, MetricCounts& counts) const {
    const Tensor logits = plan_.model.logits(batch, {});
    const Tensor losses =
        next_token_losses(logits, batch, Logits::kKept).to(at::kDouble).sum(1).cpu();
    const Tensor right = logits.argmax(2).slice(1, 0, -1).eq(batch.ids.slice(1, 1)) *
                         batch.mask.slice(1, 1).to(at::kBool);
    const Tensor correct = right.sum(1).cpu();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto row = static_cast<std::int64_t>(i);
      counts.add_text({.tokens = predicted_tokens(*rows[i]),
                       .correct = static_cast<std::uint64_t>(correct[row].item<std::int64_t>()),
                       .loss = losses[row].item<double>()});
    }
  }

  /// A word that the model did not see is no entity to it.
  void count_words(const Rows& rows, const Batch& batch, MetricCounts& counts) const {
    const Tensor logits = plan_.model.logits(batch, {});
    const Tensor losses = tag_losses(logits, batch, Logits::kKept).to(at::kDouble).sum(1).cpu();
    const Tensor likeliest = logits.argmax(2).cpu().contiguous();
    const auto* row = likeliest.data_ptr<std::int64_t>();
    for (std::size_t i = 0; i < rows.size(); ++i, row += likeliest.size(1)) {
      std::vector<std::int64_t> said;
      for (const TaggedWord& word : rows[i]->words)
        said.push_back(word.at ? row[*word.at] : 0);
      counts.add_sentence(said, tags_of(*rows[i]),
                          losses[static_cast<std::int64_t>(i)].item<double>());
    }
  }

  const EvaluationPlan& plan_;
  TokenizedExamples::Loader loader_;
  MetricCounts counts_;
};

}  // namespace

MetricCounts evaluate_examples(const EvaluationPlan& plan) {
  const at::NoGradGuard no_grad;
  return Evaluation(plan).run();
}

}  // namespace sotto::learning
