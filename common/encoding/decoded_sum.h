// The checked sum of a round and the mean of its updates. The mean is computed from the words part
// by part, so that no second vector of the full length is needed beside the sum. It is
// deterministic: coordinator and members compute the same model from it, to the bit.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/encoding/lanes.h"
#include "common/encoding/noisy_encoding.h"
#include "common/model/optimizers/server_optimizer.h"

namespace sotto::encoding {

/// The parameters by which the words of a sum become the mean of its updates.
struct MeanScale {
  std::uint64_t values = 0;  // values of the mean; 0 in an evaluation round
  double offset = 0;         // of the sum of codes
  double unit = 1;
  std::optional<NoisyEncoding> noise{};  // replaces offset and unit
  Bytes32 header_hash{};                 // keys the rotation used with noise
};

/// A DecodedSum is made by decode_sum(). It is large, and therefore move-only.
struct DecodedSum {
  RingUpdate sum;
  MeanScale scale;
  std::uint64_t count = 0;             // participants in the sum
  std::uint64_t weight = 0;            // sum of weights
  std::vector<std::uint64_t> metrics;  // sums
};

/// MeanParts returns the weighted mean of the updates of a sum in parts, from its first value on.
/// The sum outlives it and is not changed.
class MeanParts {
 public:
  static constexpr std::uint64_t kMostValues = std::uint64_t{1} << 20;

  explicit MeanParts(const DecodedSum& sum) : sum_(&sum) {}

  /// Returns at most kMostValues values, valid until the next call; empty after the last ones.
  std::span<const float> next();

 private:
  const DecodedSum* sum_;
  std::uint64_t done_ = 0;
  std::vector<float> part_;
};

/// Applies the mean to the model and returns the model after the round. `model` has the mean's
/// length (SOTTO_CHECK).
std::vector<float> step_by_mean(ServerOptimizer& optimizer, std::vector<float> model,
                                const DecodedSum& sum);

}  // namespace sotto::encoding
