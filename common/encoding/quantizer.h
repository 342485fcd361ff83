// Fixed-point encoding of updates and counters into the ring, and back from the sum. Without
// noise: q-bit offset codes, and b = bit length of n (2^q - 1), so that no sum of n conforming
// inputs wraps. With noise: noisy_encoding.h.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/range.h"
#include "common/crypto/hash.h"
#include "common/crypto/secure_random.h"
#include "common/encoding/decoded_sum.h"
#include "common/encoding/lanes.h"
#include "common/encoding/noisy_encoding.h"
#include "common/model/update.h"

namespace sotto::codec {

/// Of one round.
inline constexpr std::size_t kMaxMetrics = 4096;
/// Of one round: below it no counter of a sum wraps.
inline constexpr std::uint32_t kMaxParticipants = (1U << 14) - 1;
/// The limits of EncodingSpec's fields, for the configuration's table of fields too.
inline constexpr Range kQuantizationBits{.min = 8, .max = 24};
inline constexpr Range kValueRange{.min = 1e-30, .max = 1e6};
inline constexpr Range kMaxUpdateNorm{.min = 0, .max = 1e9, .above_min = true};

/// Noise on one metric of lane 1. The metric is then a multiple of `step`, and so is its noise.
struct MetricNoise {
  std::uint64_t step = 1;
  /// Variances of discrete Gaussians in steps squared, in units of 2^-16: what the noises of a sum
  /// that no adversary knows have together, from the job, and what each participant adds, from the
  /// job and the cohort (secagg::round_encoding). encode() refuses while the latter is not set.
  std::uint64_t unknown_variance = 0;
  std::uint64_t variance = 0;
  bool operator==(const MetricNoise&) const = default;
};

/// From the job; covered by config_hash.
struct EncodingSpec {
  std::uint32_t quantization_bits = 16;  // q, within kQuantizationBits
  double value_range = 1.0;              // c: coordinates are clamped to [-c, c]; kValueRange
  std::uint64_t max_weight = 1;          // w_max; 1 = unweighted
  /// The L2 norm that every update is clipped to before it is encoded, within kMaxUpdateNorm;
  /// infinite: none.
  double max_update_norm = std::numeric_limits<double>::infinity();
  /// Names of the metric words of lane 1, in order, kMaxMetrics at most; integers < 2^48.
  std::vector<std::string> metrics{};
  /// The noise on each metric; empty where sums are exact. Sums with noise are two's complement.
  std::vector<MetricNoise> metric_noise{};
  /// Distributed differential privacy. The codes, their range and the norm above are then without
  /// meaning, and every weight is 1: an exact sum of weights would be outside every statement.
  std::optional<NoisyEncoding> noise{};
};

/// b for n participants: bit length of n * (2^q - 1).
std::uint8_t sum_bits(std::uint32_t n, std::uint32_t quantization_bits);

/// The same for an attempt without counters: lane 1 then has only the count and the weight. Such an
/// attempt is what remains when an earlier one at its server round was certified
/// (docs/secure-aggregation.md, 2.7).
EncodingSpec without_metrics(EncodingSpec spec);

/// The encoding of a round with these lanes: `spec`, or without_metrics() of it where lane 1 has no
/// room for metrics. It does not look at the other lanes: encode() and decode_sum() check them.
EncodingSpec encoding_for(const EncodingSpec& spec, std::span<const LaneSpec> lanes);

/// The lanes for a vector of `values` floats (0 = evaluation round: counters only) and n
/// participants.
std::vector<LaneSpec> lane_specs(const EncodingSpec& spec, std::uint64_t values, std::uint32_t n);

/// One check word per chunk of the update lane: sum_j rho_j u_j mod 2^b, rho public and keyed by
/// the header hash. Linear, so the check lane of a sum is the sum of the check lanes. Finds faults,
/// not a lying coordinator. `check` fits `update` as lane_specs() makes them.
RingVector check_lane(const RingVector& update, const LaneSpec& check, const Bytes32& header_hash);

/// What a participant contributes beside the vector.
struct Counters {
  std::uint64_t weight = 1;              // 1..max_weight
  std::vector<std::uint64_t> metrics{};  // as declared; each < 2^48
};

/// Lanes in the order of `lanes`. `update` is absent in an evaluation round. header_hash keys the
/// public check coefficients. Stochastic rounding draws from `random`. An Error when sizes or
/// ranges do not fit.
Result<RingUpdate> encode(const EncodingSpec& spec, std::span<const LaneSpec> lanes,
                          const Bytes32& header_hash, std::optional<ClippedUpdate> update,
                          const Counters& counters, crypto::SecureRandom& random);

/// Checks sentinels, count == survivors, check words, weight range and that the update can be a sum
/// of conforming inputs (sum_bounds.h), before anything of the mean is read. An Error means:
/// discard the round's result. The metrics are handed out as they are, modulo 2^64: whether they
/// can be counted is for run::read_counters() to say, because wrong ones are no reason to lose an
/// update.
Result<DecodedSum> decode_sum(const EncodingSpec& spec, std::span<const LaneSpec> lanes,
                              const Bytes32& header_hash, RingUpdate sum, std::uint32_t survivors);

}  // namespace sotto::codec
