// The sum of a round, checked, and the mean of its updates: read from the words part by part, so
// that beside the sum no second vector is ever whole. Deterministic: coordinator and members make
// the same model of it, to the bit.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/encoding/lanes.h"
#include "common/encoding/noisy_encoding.h"
#include "common/model/optimizers/server_optimizer.h"

namespace sotto::codec {

/// How the words of a sum become the mean of its updates.
struct MeanScale {
  std::uint64_t values = 0;  // of the mean; 0 in an evaluation round
  double offset = 0;         // of the codes' sum
  double unit = 1;
  std::optional<NoisyEncoding> noise{};  // its own scale, then
  Bytes32 header_hash{};                 // keys the rotation that comes with noise
};

/// Move-only: big. decode_sum() makes it.
struct DecodedSum {
  RingUpdate sum;
  MeanScale scale;
  std::uint64_t count = 0;             // participants in the sum
  std::uint64_t weight = 0;            // sum of weights
  std::vector<std::uint64_t> metrics;  // sums
};

/// The weighted mean of the updates of a sum, from its first value on. The sum outlives it and
/// stays as it is.
class MeanParts {
 public:
  static constexpr std::uint64_t kMostValues = std::uint64_t{1} << 20;

  explicit MeanParts(const DecodedSum& sum) : sum_(&sum) {}

  /// At most kMostValues, good until the next call; empty behind the last one.
  std::span<const float> next();

 private:
  const DecodedSum* sum_;
  std::uint64_t done_ = 0;
  std::vector<float> part_;
};

/// The step of a round: `model` has the mean's length (SOTTO_CHECK).
std::vector<float> step_by_mean(ServerOptimizer& optimizer, std::vector<float> model,
                                const DecodedSum& sum);

}  // namespace sotto::codec
