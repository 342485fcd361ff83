// Encoding of the update lane with noise inside the sum (docs/secure-aggregation.md, 3.1 and 3.2
// with differential privacy): rotate, scale, round within the norm, add integer noise, two's
// complement.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/crypto/secure_random.h"
#include "common/encoding/lanes.h"
#include "common/model/update.h"
#include "common/privacy/accounting/distributed_privacy.h"

namespace sotto::encoding {

/// The settings of a job for the noise, the same in all rounds of a run.
struct NoiseTerms {
  privacy::NoiseMechanism mechanism = privacy::NoiseMechanism::kDiscreteGaussian;
  std::uint64_t values = 0;     // floats of an update
  double clipping_norm = 1;     // the bound of an update
  double noise_multiplier = 0;  // deviation of the sum's unknown noise / sensitivity
};

/// The encoding of a round. It follows from the job and the cohort, so it is the same at every
/// party.
struct NoisyEncoding {
  std::uint64_t values = 0;    // floats of an update; the lane has round.dimension words
  double clipping_norm = 1;    // the bound of an update
  double steps_per_unit = 1;   // s
  privacy::NoisyRounds round;  // the mechanism of one release: noise, sensitivity, dimension
};

/// Returns the encoding for a cohort of n whose sums contain at least `unknown_noises` noises that
/// no adversary knows. Error: the values would exceed the ring or the mechanism's range.
Result<NoisyEncoding> noise_for(const NoiseTerms& terms, std::uint32_t n,
                                std::uint32_t unknown_noises);

/// Returns b for n participants, at most 49: the probability that any coordinate of the sum wraps
/// is below 1e-9, even when all inputs are the same and are in one block of the rotation.
std::uint8_t noisy_sum_bits(const NoisyEncoding& noise, std::uint32_t n);

/// Returns `values` in steps, each rounded down or up with the probabilities that make it unbiased.
/// Rounding is repeated until the squared norm is at most `squared_limit`; after 64 tries the
/// values are rounded towards zero. The norm is compared in exact integers, so that no output is
/// longer, whatever the rounding errors of the floats. Error: the values rounded towards zero are
/// too long as well.
Result<std::vector<std::int32_t>> round_within(std::span<const float> values, double steps_per_unit,
                                               std::uint64_t squared_limit,
                                               crypto::SecureRandom& random);

/// Encodes an update. Every vector that it returns had a squared norm of at most
/// round.squared_sensitivity before noise. Errors: the update is not bounded by the clipping norm
/// or does not fit the lane.
Result<RingVector> encode_noisy(const NoisyEncoding& noise, const LaneSpec& lane,
                                const Bytes32& header_hash, ClippedUpdate update,
                                crypto::SecureRandom& random);

/// Identifies a block of the rotation and the sum that it is of.
struct NoisyBlock {
  std::uint64_t first = 0;  // index of its first value, a multiple of kRotationBlock
  Bytes32 header_hash{};
  std::uint64_t count = 1;  // updates in the sum
};

/// Writes a block of the mean of `sum` to `out`, which has the length of the block. Where the sum
/// wrapped, so do the values. After the mean's own values `out` has the padding of the rotation.
void decode_noisy_block(const NoisyEncoding& noise, const RingVector& sum, const NoisyBlock& block,
                        std::span<float> out);

}  // namespace sotto::encoding
