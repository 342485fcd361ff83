#include "common/secagg/shared/hypergeometric.h"

#include <algorithm>
#include <bit>
#include <compare>
#include <vector>

#include "common/base/check.h"

namespace sotto::secagg {
namespace {

__extension__ using Wide = unsigned __int128;

/// A Scaled is mantissa * 2^exponent with the top bit of the mantissa set. Every operation rounds
/// down, by less than 2^-62 of its result.
class Scaled {
 public:
  explicit Scaled(std::uint64_t whole) : Scaled(whole, 0) {
    SOTTO_CHECK(whole != 0, "zero has no mantissa");
  }

  static Scaled power_of_two(std::int64_t exponent) { return {1, exponent}; }

  Scaled operator*(const Scaled& other) const {
    const Wide product = Wide{mantissa_} * other.mantissa_;
    return {static_cast<std::uint64_t>(product >> 64), exponent_ + other.exponent_ + 64};
  }

  Scaled operator/(const Scaled& other) const {
    const Wide quotient = (Wide{mantissa_} << 63) / other.mantissa_;
    if (quotient >> 64 == 0)
      return {static_cast<std::uint64_t>(quotient), exponent_ - other.exponent_ - 63};
    return {static_cast<std::uint64_t>(quotient >> 1), exponent_ - other.exponent_ - 62};
  }

  Scaled operator+(const Scaled& other) const {
    if (exponent_ < other.exponent_) return other + *this;
    const std::int64_t shift = exponent_ - other.exponent_;
    const Wide sum = Wide{mantissa_} + (shift < 64 ? other.mantissa_ >> shift : 0);
    if (sum >> 64 == 0) return {static_cast<std::uint64_t>(sum), exponent_};
    return {static_cast<std::uint64_t>(sum >> 1), exponent_ + 1};
  }

  std::strong_ordering operator<=>(const Scaled& other) const {
    if (exponent_ != other.exponent_) return exponent_ <=> other.exponent_;
    return mantissa_ <=> other.mantissa_;
  }

  /// Returns whether adding this to `other` changes nothing.
  [[nodiscard]] bool vanishes_beside(const Scaled& other) const {
    return exponent_ + 64 < other.exponent_;
  }

 private:
  Scaled(std::uint64_t mantissa, std::int64_t exponent)
      : mantissa_(mantissa << std::countl_zero(mantissa)),
        exponent_(exponent - std::countl_zero(mantissa)) {}

  std::uint64_t mantissa_;
  std::int64_t exponent_;
};

const Scaled& factorial(std::uint32_t n) {
  static const std::vector<Scaled> table = [] {
    std::vector<Scaled> out{Scaled{1}};
    for (std::uint32_t i = 1; i <= kMaxPopulation; ++i)
      out.push_back(out.back() * Scaled{i});
    return out;
  }();
  return table[n];
}

Scaled choose(std::uint32_t n, std::uint32_t k) {
  return factorial(n) / (factorial(k) * factorial(n - k));
}

/// Returns the most marked items that a sample can hold; the least number is sample - unmarked.
std::uint32_t most(const Hypergeometric& x) {
  return std::min(x.marked, x.sample);
}

/// Returns the most probable value, the greater one where two are equally probable.
std::uint32_t mode(const Hypergeometric& x) {
  const std::uint64_t product = (std::uint64_t{x.sample} + 1) * (std::uint64_t{x.marked} + 1);
  return static_cast<std::uint32_t>(product / (std::uint64_t{x.population} + 2));
}

Scaled probability(const Hypergeometric& x, std::uint32_t value) {
  const std::uint32_t unmarked = x.population - x.marked;
  return choose(x.marked, value) * choose(unmarked, x.sample - value) /
         choose(x.population, x.sample);
}

/// Returns P[X = value + 1] / P[X = value].
Scaled step(const Hypergeometric& x, std::uint32_t value) {
  const std::uint64_t unmarked_left = x.population - x.marked + value + 1 - x.sample;
  return Scaled{std::uint64_t{x.marked - value} * (x.sample - value)} /
         Scaled{(std::uint64_t{value} + 1) * unmarked_left};
}

}  // namespace

bool tail_is_below(const Hypergeometric& x, std::uint32_t at_least, std::uint64_t factor,
                   std::uint32_t bits) {
  SOTTO_CHECK(x.population <= kMaxPopulation && x.marked <= x.population &&
                  x.sample <= x.population && factor >= 1 && bits >= 16,
              "a hypergeometric tail outside what is answered");
  if (at_least > most(x)) return true;
  // The most probable of at most 16,385 values has a probability above 2^-16.
  if (at_least <= mode(x)) return false;
  // Each term after the mode is smaller than the one before, by a growing ratio.
  Scaled term = Scaled{factor} * probability(x, at_least);
  Scaled sum = term;
  for (std::uint32_t value = at_least; value < most(x) && !term.vanishes_beside(sum); ++value) {
    term = term * step(x, value);
    sum = sum + term;
  }
  // 16,384 factors and as many terms, each rounded down by 2^-62, lose less than 2^-40.
  const auto bound = Scaled::power_of_two(-std::int64_t{bits});
  return sum + sum * Scaled::power_of_two(-40) <= bound;
}

std::uint32_t upper_quantile(const Hypergeometric& x, std::uint32_t bits) {
  std::uint32_t low = 0;
  std::uint32_t high = most(x);  // nothing is above it
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (tail_is_below(x, middle + 1, 1, bits))
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

}  // namespace sotto::secagg
