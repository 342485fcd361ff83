// Fixed-point encoding of updates and counters into the ring, and decoding of the sum. Without
// noise it uses q-bit offset codes and b = bit length of n (2^q - 1), so that no sum of n
// conforming inputs wraps. noisy_encoding.h is the encoding with noise.
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

namespace sotto::encoding {

/// The most metrics of one round.
inline constexpr std::size_t kMaxMetrics = 4096;
/// The most participants of one round: up to this number no counter of a sum wraps.
inline constexpr std::uint32_t kMaxParticipants = (1U << 14) - 1;
/// The limits of the fields of EncodingSpec, also for the configuration's table of fields.
inline constexpr Range kQuantizationBits{.min = 8, .max = 24};
inline constexpr Range kValueRange{.min = 1e-30, .max = 1e6};
inline constexpr Range kMaxUpdateNorm{.min = 0, .max = 1e9, .above_min = true};

/// The noise on one metric of lane 1. The metric is rounded to a multiple of `step`, and its noise
/// is one too.
struct MetricNoise {
  std::uint64_t step = 1;
  /// Variances of discrete Gaussians in steps squared, in units of 2^-16. `unknown_variance`, from
  /// the job, is that of the noises in a sum that no adversary knows, taken together. `variance`,
  /// from the job and the cohort (secagg::round_encoding), is what each participant adds. encode()
  /// returns an Error while the latter is not set.
  std::uint64_t unknown_variance = 0;
  std::uint64_t variance = 0;
  bool operator==(const MetricNoise&) const = default;
};

/// The encoding of a job's updates and counters, covered by config_hash.
struct EncodingSpec {
  std::uint32_t quantization_bits = 16;  // q, within kQuantizationBits
  double value_range = 1.0;              // c: coordinates are clamped to [-c, c]; kValueRange
  std::uint64_t max_weight = 1;          // w_max; 1 = unweighted
  /// The L2 norm to which every update is clipped before it is encoded, within kMaxUpdateNorm;
  /// infinite: no clipping.
  double max_update_norm = std::numeric_limits<double>::infinity();
  /// The names of the metric words of lane 1, in order, kMaxMetrics at most. A metric is an integer
  /// below 2^48.
  std::vector<std::string> metrics{};
  /// The noise on each metric; empty where sums are exact. Sums with noise are two's complement.
  std::vector<MetricNoise> metric_noise{};
  /// Distributed differential privacy. The codes, their range and the norm above are then not used,
  /// and every weight is 1, because no privacy statement covers an exact sum of weights.
  std::optional<NoisyEncoding> noise{};
};

/// Returns b for n participants: the bit length of n * (2^q - 1).
std::uint8_t sum_bits(std::uint32_t n, std::uint32_t quantization_bits);

/// Returns the encoding for an attempt without metrics: lane 1 then has only the count and the
/// weight. Such an attempt follows when an earlier one at its server round was certified
/// (docs/secure-aggregation.md, 2.7).
EncodingSpec without_metrics(EncodingSpec spec);

/// Returns the encoding of a round with these lanes: `spec`, or without_metrics() of it where lane
/// 1 has no room for metrics. It does not check the other lanes; encode() and decode_sum() do.
EncodingSpec encoding_for(const EncodingSpec& spec, std::span<const LaneSpec> lanes);

/// Returns the lanes for a vector of `values` floats (0: an evaluation round, counters only) and n
/// participants.
std::vector<LaneSpec> lane_specs(const EncodingSpec& spec, std::uint64_t values, std::uint32_t n);

/// Returns the check lane, one word for each chunk of the update lane: sum_j rho_j u_j mod 2^b,
/// where rho is public and keyed by the header hash. It is linear, so the check lane of a sum is
/// the sum of the check lanes. It detects faults, not a dishonest coordinator. `check` fits
/// `update` as lane_specs() makes them.
RingVector check_lane(const RingVector& update, const LaneSpec& check, const Bytes32& header_hash);

/// The counters that a participant contributes beside the vector.
struct Counters {
  std::uint64_t weight = 1;              // 1..max_weight
  std::vector<std::uint64_t> metrics{};  // as declared; each < 2^48
};

/// Encodes an update and counters; the result has the order of `lanes`. `update` is absent in an
/// evaluation round. header_hash keys the public check coefficients. Stochastic rounding and noise
/// draw from `random`. Error: sizes or ranges do not fit.
Result<RingUpdate> encode(const EncodingSpec& spec, std::span<const LaneSpec> lanes,
                          const Bytes32& header_hash, std::optional<ClippedUpdate> update,
                          const Counters& counters, crypto::SecureRandom& random);

/// Checks the sentinels, count == survivors, the check words, the weight range and that the update
/// can be a sum of conforming inputs (sum_bounds.h), before anything of the mean is read. An Error
/// means that the round's result has to be discarded. The metrics are returned as they are, modulo
/// 2^64; job::read_counters() decides whether they can be used, because wrong metrics are no reason
/// to discard an update.
Result<DecodedSum> decode_sum(const EncodingSpec& spec, std::span<const LaneSpec> lanes,
                              const Bytes32& header_hash, RingUpdate sum, std::uint32_t survivors);

}  // namespace sotto::encoding
