#include "participant/learning/transformer/batch_torch.h"

#include <algorithm>

#include <ATen/ATen.h>

namespace sotto::learning {

Batch make_batch(std::span<const Sequence* const> sequences, std::int32_t pad, at::Device device) {
  std::size_t longest = 1;
  for (const Sequence* s : sequences)
    longest = std::max(longest, s->ids.size());
  const auto rows = static_cast<std::int64_t>(sequences.size());
  const auto width = static_cast<std::int64_t>(longest);
  const bool tagged = !sequences.empty() && !sequences.front()->words.empty();
  const std::int64_t labels_a_row = tagged ? width : 1;
  Batch batch{at::full({rows, width}, pad, at::kLong),
              at::full({rows * labels_a_row}, kNoTag, at::kLong),
              at::zeros({rows, width}),
              {}};
  auto* ids = batch.ids.data_ptr<std::int64_t>();
  auto* labels = batch.labels.data_ptr<std::int64_t>();
  auto* mask = batch.mask.data_ptr<float>();
  for (const Sequence* s : sequences) {
    std::copy(s->ids.begin(), s->ids.end(), ids);
    std::fill_n(mask, s->ids.size(), 1.0F);
    if (!tagged) *labels = s->label;
    for (const TaggedWord& word : s->words)
      if (word.at) labels[*word.at] = word.tag;
    labels += labels_a_row;
    ids += width;
    mask += width;
    batch.lengths.push_back(static_cast<std::int64_t>(s->ids.size()));
  }
  batch.ids = batch.ids.to(device);
  if (tagged) batch.labels = batch.labels.view({rows, width});
  batch.labels = batch.labels.to(device);
  batch.mask = batch.mask.to(device);
  return batch;
}

}  // namespace sotto::learning
