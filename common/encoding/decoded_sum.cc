#include "common/encoding/decoded_sum.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/encoding/rotation.h"

namespace sotto::encoding {

namespace {

// The inverse rotation works on whole blocks.
static_assert(MeanParts::kMostValues == kRotationBlock);

/// Computes the weighted mean from the sum of offset codes (3.1 step 9).
void decode_codes(const MeanScale& scale, const RingVector& lane, std::uint64_t first,
                  std::span<float> out) {
  const std::uint64_t mask = lane.low_mask();
  std::visit(
      [&](const auto& words) {
        for (std::size_t i = 0; i < out.size(); ++i)
          out[i] = static_cast<float>(
              (static_cast<double>(words[first + i] & mask) - scale.offset) * scale.unit);
      },
      lane.words());
}

}  // namespace

std::span<const float> MeanParts::next() {
  const MeanScale& scale = sum_->scale;
  if (done_ == scale.values) return {};
  const RingVector& lane = sum_->sum.lanes.front();
  const std::uint64_t first = done_;
  part_.resize(std::min(kMostValues, lane.spec().length - first));
  if (scale.noise)
    decode_noisy_block(*scale.noise, lane,
                       {.first = first, .header_hash = scale.header_hash, .count = sum_->count},
                       part_);
  else
    decode_codes(scale, lane, first, part_);
  const std::uint64_t count = std::min<std::uint64_t>(part_.size(), scale.values - first);
  done_ += count;
  return std::span(part_).first(count);  // the rest is the padding of the rotation
}

std::vector<float> step_by_mean(ServerOptimizer& optimizer, std::vector<float> model,
                                const DecodedSum& sum) {
  SOTTO_CHECK(model.size() == sum.scale.values, "the mean has the model's length");
  MeanParts mean(sum);
  std::size_t done = 0;
  for (auto part = mean.next(); !part.empty(); part = mean.next()) {
    optimizer.step(std::span(model).subspan(done, part.size()), done, part);
    done += part.size();
  }
  return model;
}

}  // namespace sotto::encoding
