#include "common/encoding/quantizer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

#include "common/base/check.h"
#include "common/crypto/mask_stream.h"
#include "common/encoding/lane_loops.h"
#include "common/encoding/rotation.h"
#include "common/encoding/sum_bounds.h"
#include "common/privacy/mechanisms/discrete_noise.h"

namespace sotto::encoding {

namespace {

constexpr std::uint64_t kMaxWeight = std::uint64_t{1} << 50;
constexpr std::uint64_t kMetricLimit = std::uint64_t{1} << 48;
constexpr std::uint32_t kChunkWords = 1U << 18;

// The words of lane 1 (2.6): count, weight, metrics, sentinels.
constexpr std::size_t kCountWord = 0;
constexpr std::size_t kWeightWord = 1;
constexpr std::size_t kFirstMetric = 2;
constexpr std::size_t kSentinels = 4;

std::uint64_t counter_words(const EncodingSpec& spec) {
  return kFirstMetric + spec.metrics.size() + kSentinels;
}

std::uint8_t ring_bits(std::uint8_t bits) {
  if (bits <= 16) return 16;
  return bits <= 32 ? 32 : 64;
}

/// Returns the largest code on either side of zero: s c (3.1 step 8).
double code_limit(const EncodingSpec& spec) {
  return std::ldexp(1.0, static_cast<int>(spec.quantization_bits) - 1) - 1.0;
}

/// Returns s, the integer steps per unit.
double steps_per_unit(const EncodingSpec& spec) {
  return code_limit(spec) / spec.value_range;
}

Status check_spec(const EncodingSpec& spec) {
  if (!kQuantizationBits.contains(spec.quantization_bits))
    return Error{"quantization_bits must be 8..24"};
  if (!kValueRange.contains(spec.value_range))
    return Error{"value_range must be between 1e-30 and 1e6"};
  if (!kMaxUpdateNorm.contains(spec.max_update_norm) && !std::isinf(spec.max_update_norm))
    return Error{"max_update_norm must be above 0 and at most 1e9, or infinite"};
  if (spec.max_weight < 1 || spec.max_weight >= kMaxWeight)
    return Error{"max_weight must be at least 1 and below 2^50"};
  if (spec.metrics.size() > kMaxMetrics)
    return Error{"more than " + std::to_string(kMaxMetrics) + " metrics"};
  if (!spec.metric_noise.empty() && spec.metric_noise.size() != spec.metrics.size())
    return Error{"noise is on every metric or on none"};
  if (!spec.noise) return {};
  if (spec.max_weight != 1)
    return Error{
        "with noise in the sum every weight is 1; the sum of other weights would be exact"};
  if (spec.noise->values < 1 || spec.noise->round.dimension != rotated_length(spec.noise->values))
    return Error{"the noise is for vectors of another length"};
  if (!(spec.noise->clipping_norm > 0) || !(spec.noise->steps_per_unit > 0))
    return Error{"the scale of the noisy encoding is not positive"};
  return privacy::check(spec.noise->round);
}

/// Checks a round's update lane, apart from its place among the lanes.
Status check_update_lane(const EncodingSpec& spec, const LaneSpec& update) {
  if (!spec.noise) {
    if (update.bits < spec.quantization_bits)
      return Error{"the update lane is narrower than quantization_bits"};
  } else if (update.length != spec.noise->round.dimension) {
    return Error{"the update lane has not the length of the rotated vector"};
  } else if (update.bits < noisy_sum_bits(*spec.noise, 1)) {
    return Error{"the update lane is too narrow for the noise of one participant"};
  }
  return {};
}

/// The order of the lanes of a round: {counters} or {update, counters, check}.
struct LaneOrder {
  bool has_update = false;
  std::size_t counters = 0;
};

Result<LaneOrder> check_lanes(const EncodingSpec& spec, std::span<const LaneSpec> lanes) {
  SOTTO_TRY(check_spec(spec));
  if (lanes.size() != 1 && lanes.size() != 3)
    return Error{"a round has one lane (counters) or three (update, counters, check)"};
  for (const LaneSpec& lane : lanes)
    if (!lane.valid()) return Error{"a lane of the round is out of range"};
  const LaneOrder order{.has_update = lanes.size() == 3, .counters = lanes.size() / 2};
  const LaneSpec& counters = lanes[order.counters];
  if (counters.kind != LaneKind::kCounters || counters.bits != 64 ||
      counters.length != counter_words(spec))
    return Error{"the counter lane does not fit the declared metrics"};
  if (!order.has_update) return order;
  const LaneSpec& update = lanes[0];
  const LaneSpec& check = lanes[2];
  if (update.kind != LaneKind::kUpdate || check.kind != LaneKind::kCheck)
    return Error{"the lanes of the round are not in the order update, counters, check"};
  SOTTO_TRY(check_update_lane(spec, update));
  if (check.bits != update.bits || check.word_bits != update.word_bits ||
      check.length != update.chunk_count())
    return Error{"the check lane does not fit the update lane"};
  return order;
}

template <class Word>
void encode_values(const OffsetCode& code, std::span<const float> values, std::span<Word> words,
                   crypto::SecureRandom& random) {
  constexpr std::size_t kBlock = 16384;
  // A new local stream, never a shared seed (3.1 step 5).
  const crypto::Secret32 seed = crypto::Secret32::random(random);
  std::vector<std::uint32_t> coins(std::min(kBlock, values.size()));
  const std::span coin_bytes(reinterpret_cast<std::uint8_t*>(coins.data()), 4 * coins.size());
  for (std::size_t at = 0; at < values.size(); at += kBlock) {
    const std::size_t count = std::min(kBlock, values.size() - at);
    crypto::keystream(seed, 0, at / 4, coin_bytes.first(4 * count));
    round_to_codes(code, values.subspan(at, count), std::span(coins).first(count),
                   words.subspan(at, count));
  }
  crypto::wipe(coin_bytes);
}

/// Returns sum_j rho_j u_j over one chunk, in the ring of W bits (2.6, lane 2). rho_j is word j of
/// the public stream of this chunk, made odd.
template <class Word>
Word check_word(const crypto::Secret32& key, std::span<const Word> words) {
  constexpr std::size_t kBlock = 16384 / sizeof(Word);
  std::vector<Word> rho(std::min(kBlock, (words.size() + 7) / 8 * 8));
  Word sum = 0;
  for (std::size_t at = 0; at < words.size(); at += kBlock) {
    const std::size_t count = std::min(kBlock, words.size() - at);
    crypto::keystream(key, 0, at * sizeof(Word) / 16,
                      {reinterpret_cast<std::uint8_t*>(rho.data()), count * sizeof(Word)});
    sum = static_cast<Word>(
        sum + odd_weighted_sum(std::span<const Word>(rho).first(count), words.subspan(at, count)));
  }
  return sum;
}

/// MetricSamplers keeps samplers by variance, because their tables take milliseconds to make and
/// nearly all metrics of a round have the same variance.
class MetricSamplers {
 public:
  /// Returns `metric` rounded to the nearest step, with this participant's noise.
  Result<std::uint64_t> add_noise(const MetricNoise& noise, std::uint64_t metric,
                                  crypto::SecureRandom& random) {
    auto at = samplers_.find(noise.variance);
    if (at == samplers_.end()) {
      SOTTO_ASSIGN_OR_RETURN(
          auto made, privacy::DiscreteNoise::create(privacy::NoiseMechanism::kDiscreteGaussian,
                                                    noise.variance));
      at = samplers_.emplace(noise.variance, std::move(made)).first;
    }
    std::int64_t steps = 0;
    at->second.add_to({&steps, 1}, random);
    const std::uint64_t rounded = (metric + noise.step / 2) / noise.step * noise.step;
    return rounded + static_cast<std::uint64_t>(steps) * noise.step;  // wraps, as the sum does
  }

 private:
  std::map<std::uint64_t, privacy::DiscreteNoise> samplers_;
};

Result<RingVector> counter_lane(const EncodingSpec& spec, const LaneSpec& lane,
                                const Counters& counters, crypto::SecureRandom& random) {
  if (counters.weight < 1 || counters.weight > spec.max_weight)
    return Error{"the weight " + std::to_string(counters.weight) + " is outside 1.." +
                 std::to_string(spec.max_weight)};
  if (counters.metrics.size() != spec.metrics.size())
    return Error{"the job declares " + std::to_string(spec.metrics.size()) + " metrics, not " +
                 std::to_string(counters.metrics.size())};
  RingVector out(lane);
  out.set(kCountWord, 1);
  out.set(kWeightWord, counters.weight);
  MetricSamplers samplers;
  for (std::size_t i = 0; i < counters.metrics.size(); ++i) {
    if (counters.metrics[i] >= kMetricLimit)
      return Error{"metric " + spec.metrics[i] + " is not below 2^48"};
    if (spec.metric_noise.empty()) {
      out.set(kFirstMetric + i, counters.metrics[i]);
      continue;
    }
    SOTTO_ASSIGN_OR_RETURN(const auto noisy,
                           samplers.add_noise(spec.metric_noise[i], counters.metrics[i], random));
    out.set(kFirstMetric + i, noisy);
  }
  return out;
}

Result<RingVector> update_lane(const EncodingSpec& spec, const LaneSpec& lane,
                               const ClippedUpdate& update, std::uint64_t weight,
                               crypto::SecureRandom& random) {
  if (update.values().size() != lane.length)
    return Error{"the update has " + std::to_string(update.values().size()) +
                 " values, the round expects " + std::to_string(lane.length)};
  if (!(update.norm_bound() <= spec.max_update_norm))
    return Error{"the update is not clipped to the job's max_update_norm"};
  const OffsetCode code{.factor = steps_per_unit(spec) * static_cast<double>(weight) /
                                  static_cast<double>(spec.max_weight),
                        .limit = code_limit(spec)};
  RingVector out(lane);
  std::visit(
      [&](auto& words) {
        using Word = typename std::decay_t<decltype(words)>::value_type;
        encode_values<Word>(code, update.values(), words, random);
      },
      out.words());
  return out;
}

Result<DecodedSum> decode_counters(const EncodingSpec& spec, const RingVector& lane,
                                   std::uint32_t survivors) {
  DecodedSum out;
  const std::size_t sentinels = kFirstMetric + spec.metrics.size();
  for (std::size_t i = 0; i < kSentinels; ++i)
    if (lane.at(sentinels + i) != 0) return Error{"a sentinel word of the sum is not zero"};
  out.count = lane.at(kCountWord);
  if (out.count != survivors)
    return Error{"the sum counts " + std::to_string(out.count) + " participants, the certificate " +
                 std::to_string(survivors)};
  out.weight = lane.at(kWeightWord);
  if (out.weight < out.count || out.weight > out.count * spec.max_weight)
    return Error{"the sum of weights is out of range"};
  for (std::size_t i = 0; i < spec.metrics.size(); ++i)
    out.metrics.push_back(lane.at(kFirstMetric + i));
  return out;
}

MeanScale mean_scale(const EncodingSpec& spec, std::uint64_t values, const DecodedSum& counters) {
  return {.values = values,
          .offset = static_cast<double>(counters.count) * (code_limit(spec) + 1.0),
          .unit = static_cast<double>(spec.max_weight) /
                  (steps_per_unit(spec) * static_cast<double>(counters.weight))};
}

/// Checks that the update lane can be the sum of conforming updates.
Status check_update_sum(const EncodingSpec& spec, const RingVector& update,
                        const DecodedSum& counters) {
  if (spec.noise) return check_noisy_sum(update, *spec.noise, counters.count);
  const double weights =
      static_cast<double>(counters.weight) / static_cast<double>(spec.max_weight);
  return check_code_sum(update, {.count = counters.count,
                                 .code_limit = code_limit(spec),
                                 .norm = weights * spec.max_update_norm * steps_per_unit(spec)});
}

Status check_sum_fits(std::span<const LaneSpec> lanes, const RingUpdate& sum) {
  if (sum.lanes.size() != lanes.size()) return Error{"the sum has another number of lanes"};
  for (std::size_t i = 0; i < lanes.size(); ++i)
    if (!(sum.lanes[i].spec() == lanes[i]))
      return Error{"lane " + std::to_string(i) + " of the sum does not fit the round"};
  return {};
}

Status check_check_words(const RingUpdate& sum, const Bytes32& header_hash) {
  const RingVector expected = check_lane(sum.lanes[0], sum.lanes[2].spec(), header_hash);
  for (std::uint64_t chunk = 0; chunk < expected.spec().length; ++chunk)
    if (expected.at(chunk) != sum.lanes[2].at(chunk))
      return Error{"the check word of chunk " + std::to_string(chunk) +
                   " does not fit the sum: a mask was not removed or a word was changed"};
  return {};
}

}  // namespace

std::uint8_t sum_bits(std::uint32_t n, std::uint32_t quantization_bits) {
  SOTTO_CHECK(n >= 1 && n <= kMaxParticipants, "participants out of range");
  SOTTO_CHECK(quantization_bits >= 1 && quantization_bits <= 32, "quantization bits out of range");
  const std::uint64_t largest_sum = n * ((std::uint64_t{1} << quantization_bits) - 1);
  return static_cast<std::uint8_t>(std::bit_width(largest_sum));
}

EncodingSpec without_metrics(EncodingSpec spec) {
  spec.metrics.clear();
  spec.metric_noise.clear();
  return spec;
}

EncodingSpec encoding_for(const EncodingSpec& spec, std::span<const LaneSpec> lanes) {
  const bool has_room = std::ranges::any_of(lanes, [](const LaneSpec& lane) {
    return lane.kind == LaneKind::kCounters && lane.length > kFirstMetric + kSentinels;
  });
  return has_room ? spec : without_metrics(spec);
}

std::vector<LaneSpec> lane_specs(const EncodingSpec& spec, std::uint64_t values, std::uint32_t n) {
  const LaneSpec counters{.word_bits = 64,
                          .bits = 64,
                          .kind = LaneKind::kCounters,
                          .length = counter_words(spec),
                          .chunk_words = kChunkWords};
  if (values == 0) return {counters};
  const std::uint8_t bits =
      spec.noise ? noisy_sum_bits(*spec.noise, n) : sum_bits(n, spec.quantization_bits);
  const LaneSpec update{.word_bits = ring_bits(bits),
                        .bits = bits,
                        .kind = LaneKind::kUpdate,
                        .length = spec.noise ? spec.noise->round.dimension : values,
                        .chunk_words = kChunkWords};
  LaneSpec check = update;
  check.kind = LaneKind::kCheck;
  check.length = update.chunk_count();
  return {update, counters, check};
}

RingVector check_lane(const RingVector& update, const LaneSpec& check, const Bytes32& header_hash) {
  SOTTO_CHECK(check.length == update.spec().chunk_count(), "check lane of another lane");
  const crypto::Secret32 public_key = crypto::Secret32::copy_of(header_hash);  // h is no secret
  RingVector out(check);
  for (std::uint64_t chunk = 0; chunk < check.length; ++chunk) {
    ByteWriter context;
    context.u64(chunk);
    const crypto::Secret32 key = crypto::kdf("SA1 chk", public_key, {context.view()});
    std::visit(
        [&](const auto& words) {
          using Word = typename std::decay_t<decltype(words)>::value_type;
          const auto part = std::span<const Word>(words).subspan(
              chunk * update.spec().chunk_words, update.spec().words_in_chunk(chunk));
          out.set(chunk, check_word<Word>(key, part));
        },
        update.words());
  }
  return out;
}

Result<RingUpdate> encode(const EncodingSpec& spec, std::span<const LaneSpec> lanes,
                          const Bytes32& header_hash, std::optional<ClippedUpdate> update,
                          const Counters& counters, crypto::SecureRandom& random) {
  SOTTO_ASSIGN_OR_RETURN(const LaneOrder order, check_lanes(spec, lanes));
  if (order.has_update != update.has_value())
    return Error{order.has_update ? "the round asks for an update and there is none"
                                  : "an evaluation round takes no update"};
  SOTTO_ASSIGN_OR_RETURN(RingVector counted,
                         counter_lane(spec, lanes[order.counters], counters, random));
  RingUpdate out;
  if (update) {
    SOTTO_ASSIGN_OR_RETURN(
        RingVector lane,
        spec.noise ? encode_noisy(*spec.noise, lanes[0], header_hash, *std::move(update), random)
                   : update_lane(spec, lanes[0], *update, counters.weight, random));
    out.lanes.push_back(std::move(lane));
  }
  out.lanes.push_back(std::move(counted));
  if (order.has_update) out.lanes.push_back(check_lane(out.lanes[0], lanes[2], header_hash));
  return out;
}

Result<DecodedSum> decode_sum(const EncodingSpec& spec, std::span<const LaneSpec> lanes,
                              const Bytes32& header_hash, RingUpdate sum, std::uint32_t survivors) {
  SOTTO_ASSIGN_OR_RETURN(const LaneOrder order, check_lanes(spec, lanes));
  SOTTO_TRY(check_sum_fits(lanes, sum));
  if (survivors < 1 || survivors > kMaxParticipants)
    return Error{"the number of survivors is out of range"};
  SOTTO_ASSIGN_OR_RETURN(DecodedSum decoded,
                         decode_counters(spec, sum.lanes[order.counters], survivors));
  if (order.has_update) {
    SOTTO_TRY(check_check_words(sum, header_hash));
    const RingVector& update = sum.lanes[0];
    SOTTO_TRY(check_update_sum(spec, update, decoded));
    if (spec.noise)
      decoded.scale = {
          .values = spec.noise->values, .noise = spec.noise, .header_hash = header_hash};
    else
      decoded.scale = mean_scale(spec, update.spec().length, decoded);
  }
  decoded.sum = std::move(sum);
  return decoded;
}

}  // namespace sotto::encoding
