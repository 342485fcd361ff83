#include "common/encoding/noisy_encoding.h"

#include <algorithm>
#include <cmath>

#include "common/crypto/secret.h"
#include "common/encoding/rotation.h"

namespace sotto::encoding {

namespace {

constexpr double kWrapProbability = 1e-9;
constexpr int kTries = 64;  // each succeeds with probability 0.39 at least (3.1 step 6)
constexpr std::size_t kBlock = 4096;

/// Returns the least number of coordinates over which one input is spread: the smallest block of
/// the rotation.
double smallest_block(const NoisyEncoding& noise) {
  const std::uint64_t last = noise.round.dimension % kRotationBlock;
  return static_cast<double>(last == 0 ? kRotationBlock : last);
}

std::uint64_t square(std::int32_t code) {
  return static_cast<std::uint64_t>(std::int64_t{code} * code);
}

/// Makes one try of rounding with new random coins and returns the squared norm of its result.
std::uint64_t round_by_coins(std::span<const float> values, double steps_per_unit,
                             crypto::SecureRandom& random, std::span<std::int32_t> codes) {
  std::vector<std::uint32_t> coins(std::min(kBlock, codes.size()));
  const std::span coin_bytes(reinterpret_cast<std::uint8_t*>(coins.data()), 4 * coins.size());
  std::uint64_t squared_norm = 0;
  for (std::size_t at = 0; at < codes.size(); at += kBlock) {
    const std::size_t count = std::min(kBlock, codes.size() - at);
    random.fill(coin_bytes.first(4 * count));
    for (std::size_t i = 0; i < count; ++i) {
      const double scaled = static_cast<double>(values[at + i]) * steps_per_unit;
      auto low = static_cast<std::int32_t>(scaled);
      low -= static_cast<std::int32_t>(low > scaled);
      const bool up = coins[i] < (scaled - low) * 0x1p32;
      codes[at + i] = low + static_cast<std::int32_t>(up);
      squared_norm += square(codes[at + i]);
    }
  }
  crypto::wipe(coin_bytes);
  return squared_norm;
}

std::vector<float> rotate_and_drop(ClippedUpdate update, const Bytes32& header_hash) {
  return rotate(update.values(), header_hash);
}

}  // namespace

Result<NoisyEncoding> noise_for(const NoiseTerms& terms, std::uint32_t n,
                                std::uint32_t unknown_noises) {
  if (terms.values < 1 || !(terms.noise_multiplier > 0))
    return Error{"noise inside the sum needs an update and a noise multiplier above 0"};
  SOTTO_ASSIGN_OR_RETURN(auto plan, privacy::plan_noise({.mechanism = terms.mechanism,
                                                         .clipping_norm = terms.clipping_norm,
                                                         .noise_multiplier = terms.noise_multiplier,
                                                         .dimension = rotated_length(terms.values),
                                                         .participants = n,
                                                         .unknown_noises = unknown_noises,
                                                         .rounds = 1}));
  return NoisyEncoding{.values = terms.values,
                       .clipping_norm = terms.clipping_norm,
                       .steps_per_unit = plan.steps_per_unit,
                       .round = plan.one_round};
}

std::uint8_t noisy_sum_bits(const NoisyEncoding& noise, std::uint32_t n) {
  const privacy::NoisyRounds& round = noise.round;
  const double aligned = n * noise.steps_per_unit * noise.clipping_norm;
  const double of_noise = static_cast<double>(round.variance) / privacy::kVarianceUnit;
  const double proxy = aligned * aligned / smallest_block(noise) + n * of_noise + n / 4.0;
  const auto words = static_cast<double>(round.dimension);
  const double largest = std::sqrt(2 * proxy * std::log(2 * words / kWrapProbability));
  return static_cast<std::uint8_t>(std::ceil(std::log2(2 * largest + 1)));
}

Result<std::vector<std::int32_t>> round_within(std::span<const float> values, double steps_per_unit,
                                               std::uint64_t squared_limit,
                                               crypto::SecureRandom& random) {
  std::vector<std::int32_t> codes(values.size());
  for (int i = 0; i < kTries; ++i)
    if (round_by_coins(values, steps_per_unit, random, codes) <= squared_limit) return codes;
  std::uint64_t squared_norm = 0;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    codes[i] = static_cast<std::int32_t>(static_cast<double>(values[i]) * steps_per_unit);
    squared_norm += square(codes[i]);
  }
  if (squared_norm <= squared_limit) return codes;
  return Error{"the rounded update is longer than its sensitivity"};
}

Result<RingVector> encode_noisy(const NoisyEncoding& noise, const LaneSpec& lane,
                                const Bytes32& header_hash, ClippedUpdate update,
                                crypto::SecureRandom& random) {
  if (update.values().size() != noise.values)
    return Error{"the update has " + std::to_string(update.values().size()) +
                 " values, the round expects " + std::to_string(noise.values)};
  if (!(update.norm_bound() <= noise.clipping_norm))
    return Error{"the update is not clipped to the norm that its noise is made for"};
  SOTTO_ASSIGN_OR_RETURN(
      auto sampler, privacy::DiscreteNoise::create(noise.round.mechanism, noise.round.variance));
  crypto::StreamRandom stream(random);  // new and local, never a shared seed (3.1 step 5)
  // At most two of update, rotated, codes and words exist at the same time.
  std::vector<float> rotated = rotate_and_drop(std::move(update), header_hash);
  SOTTO_ASSIGN_OR_RETURN(const auto codes, round_within(rotated, noise.steps_per_unit,
                                                        noise.round.squared_sensitivity, stream));
  rotated = {};
  RingVector out(lane);
  std::visit(
      [&](auto& words) {
        using Word = typename std::decay_t<decltype(words)>::value_type;
        std::vector<std::int64_t> block;
        for (std::size_t at = 0; at < words.size(); at += kBlock) {
          const auto part = std::span(codes).subspan(at, std::min(kBlock, words.size() - at));
          block.assign(part.begin(), part.end());
          sampler.add_to(block, stream);
          for (std::size_t i = 0; i < block.size(); ++i)
            words[at + i] = static_cast<Word>(block[i]);  // two's complement
        }
      },
      out.words());
  return out;
}

void decode_noisy_block(const NoisyEncoding& noise, const RingVector& sum, const NoisyBlock& block,
                        std::span<float> out) {
  const unsigned unused = 64U - sum.spec().bits;
  const double unit = 1 / (noise.steps_per_unit * static_cast<double>(block.count));
  std::visit(
      [&](const auto& words) {
        for (std::size_t i = 0; i < out.size(); ++i) {
          const auto lifted =
              static_cast<std::int64_t>(std::uint64_t{words[block.first + i]} << unused) >> unused;
          out[i] = static_cast<float>(static_cast<double>(lifted) * unit);
        }
      },
      sum.words());
  rotate_block_back(out, block.first, block.header_hash);
}

}  // namespace sotto::encoding
