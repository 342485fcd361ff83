#include "common/privacy/mechanisms/noise_table.h"

#include <algorithm>
#include <span>

namespace sotto::privacy {

namespace {

constexpr std::size_t kPoint = 192;  // fractional bits of a weight of the discrete Gaussian

/// Returns floor(2^127 part / whole), doubled; part <= whole < 2^255.
Uint128 even_share(WideInteger part, const WideInteger& whole) {
  Uint128 out = 0;
  for (int bit = 0; bit < 127; ++bit) {
    part *= 2;
    out <<= 1;
    if (part.less(whole)) continue;
    part -= whole;
    out |= 1;
  }
  return out << 1;
}

/// Returns the thresholds for `weights` of the values 0, 1, 2, ...; weights above value zero cover
/// both signs.
MagnitudeTable thresholds(std::span<const WideInteger> weights) {
  WideInteger total = weights[0];
  for (const WideInteger& weight : weights.subspan(1)) {
    total += weight;
    total += weight;
  }
  MagnitudeTable out;
  out.reserve(weights.size() - 1);
  WideInteger below = weights[0];
  for (const WideInteger& weight : weights.subspan(1)) {
    out.push_back(even_share(below, total));
    below += weight;
    below += weight;
  }
  return out;
}

/// Returns exp(-2^15 / variance) = exp(-1 / (2 sigma^2)) by its series: the result is below the
/// true value, or above it by less than 2^-180.
WideInteger gaussian_ratio(std::uint64_t variance) {
  const WideInteger x = WideInteger::of(kVarianceUnit / 2, kPoint) /= variance;
  WideInteger term = WideInteger::of(1, kPoint);
  WideInteger even;
  WideInteger odd;
  for (std::uint64_t i = 1; !term.is_zero(); ++i) {
    (i % 2 == 1 ? even : odd) += term;
    term = WideInteger::fixed_product(term, x) /= i;
  }
  return even -= odd;
}

/// Returns I_K .. I_0 of the modified Bessel function up to a common factor, by Miller's backward
/// recurrence I_{k-1} = I_{k+1} + (2 k / variance) I_k: an error made at k decays towards 0 in
/// proportion to the probability beyond k.
std::vector<WideInteger> bessel_from(std::uint64_t largest, std::uint64_t variance) {
  constexpr std::uint64_t kStart = 1 << 20;
  std::vector<WideInteger> down = {WideInteger(), WideInteger::of(kStart)};
  for (std::uint64_t k = largest; k > 0; --k) {
    WideInteger next = down.back();
    next *= 2 * k * kVarianceUnit;
    next /= variance;
    next += down[down.size() - 2];
    down.push_back(next);
  }
  return down;
}

}  // namespace

MagnitudeTable discrete_gaussian_table(std::uint64_t variance) {
  SOTTO_CHECK(variance >= kVarianceUnit / 4 && variance <= kVarianceUnit << 9,
              "a variance outside the table of the discrete Gaussian");
  constexpr unsigned kSmallestBits = kPoint - 140;
  const WideInteger ratio = gaussian_ratio(variance);
  const WideInteger ratio_squared = WideInteger::fixed_product(ratio, ratio);
  std::vector<WideInteger> weights = {WideInteger::of(1, kPoint)};
  // w(x + 1) = w(x) g^(2 x + 1) with g the ratio.
  WideInteger step = ratio;
  for (WideInteger w = ratio; w.bit_width() > kSmallestBits;
       w = WideInteger::fixed_product(w, step)) {
    weights.push_back(w);
    step = WideInteger::fixed_product(step, ratio_squared);
  }
  return thresholds(weights);
}

MagnitudeTable skellam_table(std::uint64_t variance) {
  SOTTO_CHECK(variance >= kVarianceUnit / 4 && variance <= kVarianceUnit << 22,
              "a variance outside the table of Skellam's distribution");
  constexpr unsigned kWantedBits = 20 + 160;  // of I_0 above the start: I_K / I_0 < 2^-159
  for (std::uint64_t largest = 8;; largest += 1 + largest / 16) {
    std::vector<WideInteger> weights = bessel_from(largest, variance);
    if (weights.back().bit_width() < kWantedBits) continue;
    std::ranges::reverse(weights);
    weights.pop_back();  // the zero with which the recurrence started
    return thresholds(weights);
  }
}

}  // namespace sotto::privacy
