// The update lane with noise inside the sum (docs/secure-aggregation.md, 3.1 and 3.2 with
// differential privacy): rotate, scale, round within the norm, add integer noise, two's complement.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/crypto/secure_random.h"
#include "common/encoding/lanes.h"
#include "common/model/update.h"
#include "common/privacy/accounting/distributed_privacy.h"

namespace sotto::codec {

/// What a job says about the noise, the same in all rounds of a run.
struct NoiseTerms {
  privacy::NoiseMechanism mechanism = privacy::NoiseMechanism::kDiscreteGaussian;
  std::uint64_t values = 0;     // floats of an update
  double clipping_norm = 1;     // an update's bound
  double noise_multiplier = 0;  // deviation of the unknown part of the sum's noise / sensitivity
};

/// The same at everybody: it follows from the job and the cohort.
struct NoisyEncoding {
  std::uint64_t values = 0;    // floats of an update; the lane has round.dimension words
  double clipping_norm = 1;    // an update's bound
  double steps_per_unit = 1;   // s
  privacy::NoisyRounds round;  // what one release costs: noise, sensitivity, dimension
};

/// For a cohort of n whose sums hold at least `unknown_noises` noises that no adversary knows. An
/// Error when the values would leave the ring or the mechanism's range.
Result<NoisyEncoding> noise_for(const NoiseTerms& terms, std::uint32_t n,
                                std::uint32_t unknown_noises);

/// b for n participants: the probability that any coordinate of the sum wraps is below 1e-9, also
/// when all inputs are the same and lie in one block of the rotation. At most 49.
std::uint8_t noisy_sum_bits(const NoisyEncoding& noise, std::uint32_t n);

/// `values` in steps, rounded down or up with the probabilities that make it unbiased, again until
/// the squared norm is at most `squared_limit`, after 64 tries towards zero. Exact integers decide:
/// whatever floats did before, no output is longer. An Error when even zero-wards is too long.
Result<std::vector<std::int32_t>> round_within(std::span<const float> values, double steps_per_unit,
                                               std::uint64_t squared_limit,
                                               crypto::SecureRandom& random);

/// An Error when the update is not bounded by the clipping norm or does not fit the lane. Every
/// vector that leaves here had a squared norm of at most round.squared_sensitivity before noise.
Result<RingVector> encode_noisy(const NoisyEncoding& noise, const LaneSpec& lane,
                                const Bytes32& header_hash, ClippedUpdate update,
                                crypto::SecureRandom& random);

/// Which block of the rotation, and of which sum.
struct NoisyBlock {
  std::uint64_t first = 0;  // of its values, a multiple of kRotationBlock
  Bytes32 header_hash{};
  std::uint64_t count = 1;  // updates in the sum
};

/// A block of the mean from its sum, wrapped where the sum was, into `out`, which has the block's
/// length; behind the mean's own values lies what the rotation padded.
void decode_noisy_block(const NoisyEncoding& noise, const RingVector& sum, const NoisyBlock& block,
                        std::span<float> out);

}  // namespace sotto::codec
