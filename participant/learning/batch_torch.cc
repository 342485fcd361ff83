#include "participant/learning/batch_torch.h"

#include <algorithm>

#include <ATen/ATen.h>

namespace sotto::learning {

Batch make_batch(std::span<const Sequence* const> sequences, std::int32_t pad, at::Device device) {
  std::size_t longest = 1;
  for (const Sequence* s : sequences)
    longest = std::max(longest, s->ids.size());
  const auto rows = static_cast<std::int64_t>(sequences.size());
  const auto width = static_cast<std::int64_t>(longest);
  Batch batch{at::full({rows, width}, pad, at::kLong),
              at::empty({rows}, at::kLong),
              at::zeros({rows, width}),
              {}};
  auto* ids = batch.ids.data_ptr<std::int64_t>();
  auto* labels = batch.labels.data_ptr<std::int64_t>();
  auto* mask = batch.mask.data_ptr<float>();
  for (const Sequence* s : sequences) {
    std::copy(s->ids.begin(), s->ids.end(), ids);
    std::fill_n(mask, s->ids.size(), 1.0F);
    *labels++ = s->label;
    ids += width;
    mask += width;
    batch.lengths.push_back(static_cast<std::int64_t>(s->ids.size()));
  }
  batch.ids = batch.ids.to(device);
  batch.labels = batch.labels.to(device);
  batch.mask = batch.mask.to(device);
  return batch;
}

}  // namespace sotto::learning
