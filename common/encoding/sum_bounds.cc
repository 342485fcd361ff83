#include "common/encoding/sum_bounds.h"

#include <cmath>
#include <variant>

#include "common/privacy/mechanisms/noise_table.h"

namespace sotto::encoding {

namespace {

/// Covers the rounding errors of the additions in double, for 1e9 words.
constexpr double kLoose = 1.0 + 0x1p-20;

Status check_length(double squared, double limit) {
  if (squared <= limit * limit * kLoose) return {};
  return Error{"the sum is longer than the clipped updates of its participants can be together"};
}

/// Returns a bound on the squared norm of the sum of all noises, of variance `variance` in each
/// word, which they exceed with probability 2^-40 at most. Skellam noise has the heavier tail of
/// the two mechanisms, P(|x| > T) <= 2 exp(-T^2 / (2 (V + T / 3))), and 3 V^2 + V bounds the fourth
/// moment of both. The union bound gives a T that no word exceeds, and Bernstein's inequality
/// bounds the sum of squares below T^2; each fails with probability 2^-41.
double squared_noise_limit(double variance, double words) {
  const double rare = 41 * std::log(2.0);
  const double each = rare + std::log(2 * words);
  const double tail = each / 3 + std::sqrt(each * each / 9 + 2 * each * variance);
  return words * variance + std::sqrt(2 * rare * words * (3 * variance * variance + variance)) +
         rare * tail * tail / 3;
}

}  // namespace

Status check_code_sum(const RingVector& update, const CodeBounds& bounds) {
  const auto count = static_cast<double>(bounds.count);
  const double least = count;  // every conforming code is in [1, 2^q - 1] (3.1 step 9)
  const double most = count * (2 * bounds.code_limit + 1);
  const double offset = count * (bounds.code_limit + 1);
  const std::uint64_t mask = update.low_mask();
  bool in_range = true;
  double squared = 0;
  std::visit(
      [&](const auto& words) {
        for (const auto word : words) {
          const auto sum = static_cast<double>(word & mask);
          in_range &= sum >= least && sum <= most;
          squared += (sum - offset) * (sum - offset);
        }
      },
      update.words());
  if (!in_range) return Error{"a word of the sum is outside what its participants can produce"};
  // Rounding moves each code by less than one step.
  const double rounding = count * std::sqrt(static_cast<double>(update.spec().length));
  return check_length(squared, bounds.norm + rounding);
}

Status check_noisy_sum(const RingVector& update, const NoisyEncoding& noise, std::uint64_t count) {
  const privacy::NoisyRounds& round = noise.round;
  const unsigned unused = 64U - update.spec().bits;
  double squared = 0;
  std::visit(
      [&](const auto& words) {
        for (const auto word : words) {
          const auto lifted = static_cast<double>(
              static_cast<std::int64_t>(std::uint64_t{word} << unused) >> unused);
          squared += lifted * lifted;
        }
      },
      update.words());
  const auto updates = static_cast<double>(count);
  const double variance = updates * static_cast<double>(round.variance) / privacy::kVarianceUnit;
  const double of_noise =
      std::sqrt(squared_noise_limit(variance, static_cast<double>(round.dimension)));
  return check_length(
      squared, updates * std::sqrt(static_cast<double>(round.squared_sensitivity)) + of_noise);
}

}  // namespace sotto::encoding
