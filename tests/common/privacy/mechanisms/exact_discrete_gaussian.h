// The discrete Gaussian by rejection on rationals (Canonne, Kamath, Steinke 2020, algorithms 1 to
// 3): exact for every variance, variable in time. What the tables of the product are compared with.
#pragma once

#include <cstdint>

#include "common/crypto/secure_random.h"
#include "common/privacy/mechanisms/noise_table.h"

namespace sotto::privacy {

class ExactDiscreteGaussian {
 public:
  /// `variance` in units of 2^-16, as for DiscreteNoise; at most 2^40 units.
  ExactDiscreteGaussian(std::uint64_t variance, crypto::StreamRandom& random)
      : variance_(variance), random_(random) {
    while (Uint128{scale_} * scale_ * kVarianceUnit <= variance)
      ++scale_;  // floor(sigma) + 1
  }

  std::int64_t draw() {
    while (true) {
      const std::int64_t y = laplace();
      const Uint128 size = y < 0 ? static_cast<Uint128>(-y) : static_cast<Uint128>(y);
      const Uint128 left = size * kVarianceUnit * scale_;
      const Uint128 distance = left > variance_ ? left - variance_ : variance_ - left;
      if (exponential(distance * distance,
                      Uint128{2} * variance_ * kVarianceUnit * scale_ * scale_))
        return y;
    }
  }

 private:
  Uint128 below(Uint128 bound) {
    const Uint128 surplus = (Uint128{0} - bound) % bound;
    while (true) {
      const Uint128 draw = Uint128{random_.next_u64()} << 64 | random_.next_u64();
      if (draw >= surplus) return draw % bound;
    }
  }

  bool bernoulli(Uint128 p, Uint128 q) { return below(q) < p; }

  /// Bernoulli(exp(-p / q)), p <= q, by the alternating series.
  bool exponential_unit(Uint128 p, Uint128 q) {
    unsigned k = 1;
    while (bernoulli(p, q * k))
      ++k;
    return k % 2 == 1;
  }

  bool exponential(Uint128 p, Uint128 q) {
    for (; p > q; p -= q)
      if (!exponential_unit(1, 1)) return false;
    return exponential_unit(p, q);
  }

  /// P(y) proportional to exp(-|y| / scale).
  std::int64_t laplace() {
    while (true) {
      const auto u = static_cast<std::uint64_t>(below(scale_));
      if (!exponential_unit(u, scale_)) continue;
      std::uint64_t v = 0;
      while (exponential_unit(1, 1))
        ++v;
      const auto x = static_cast<std::int64_t>(u + scale_ * v);
      const bool negative = bernoulli(1, 2);
      if (negative && x == 0) continue;
      return negative ? -x : x;
    }
  }

  std::uint64_t variance_;
  std::uint64_t scale_ = 1;
  crypto::StreamRandom& random_;
};

}  // namespace sotto::privacy
