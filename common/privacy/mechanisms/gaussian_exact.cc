#include "common/privacy/mechanisms/gaussian_exact.h"

#include <cmath>

namespace sotto::privacy {

namespace {

#if !defined(__SIZEOF_FLOAT128__)
static_assert(__LDBL_MANT_DIG__ == 113, "the exact noise needs a type of 113 bits");
#endif

Binary128 of_integer(Uint128 value) {
  return static_cast<Binary128>(value);
}

/// Returns 2^exponent.
Binary128 power_of_two(int exponent) {
  return static_cast<Binary128>(std::ldexp(1.0, exponent));
}

/// Returns (high 2^64 + low) 2^exponent.
Binary128 constant(std::uint64_t high, std::uint64_t low, int exponent) {
  return of_integer(Uint128{high} << 64 | low) * power_of_two(exponent);
}

Binary128 natural_log_of_two() {
  return constant(0xb17217f7d1cf79ab, 0xc9e3b39803f2f6af, -128);
}

Binary128 pi() {
  return constant(0xc90fdaa22168c234, 0xc4c6628b80dc1cd1, -126);
}

/// Returns 2 atanh(s) = log((1 + s) / (1 - s)) for |s| <= 1/3: the first omitted term, s^81 / 81,
/// is below 2^-133 s.
Binary128 two_atanh(Binary128 s) {
  constexpr int kTerms = 40;
  const Binary128 s2 = s * s;
  Binary128 sum = 0;
  for (int k = kTerms - 1; k >= 0; --k)
    sum = sum * s2 + Binary128{1} / (2 * k + 1);
  return 2 * s * sum;
}

/// Returns -ln((radius + 1/2) / 2^128). Above one half it is computed from the distance to 1, which
/// is exact to its last bit, so that the result keeps its relative precision.
Binary128 minus_log(Uint128 radius) {
  constexpr Uint128 kHalf = Uint128{1} << 127;
  if (radius >= kHalf) {
    const Binary128 rest = (of_integer(~radius) + Binary128{0.5}) * power_of_two(-128);
    return two_atanh(rest / (2 - rest));
  }
  Binary128 mantissa = of_integer(radius) + Binary128{0.5};
  int halvings = 128;
  constexpr double kRootTwo = 0x1.6a09e667f3bcdp0;
  for (int bits = 64; bits > 0; bits /= 2)
    if (mantissa >= power_of_two(bits)) {
      mantissa *= power_of_two(-bits);
      halvings -= bits;
    }
  if (mantissa < 1) {  // radius 0
    mantissa *= 2;
    ++halvings;
  }
  if (mantissa > Binary128{kRootTwo}) {
    mantissa /= 2;
    --halvings;
  }
  return halvings * natural_log_of_two() - two_atanh((mantissa - 1) / (mantissa + 1));
}

/// Newton's method from the root in double precision: 53, 106, and at last all 113 bits.
Binary128 square_root(Binary128 value) {
  auto root = static_cast<Binary128>(std::sqrt(static_cast<double>(value)));
  for (int i = 0; i < 2; ++i)
    root = (root + value / root) / 2;
  return root;
}

/// Returns the series x^first / first! - x^(first + 2) / (first + 2)! + ... for |x| <= pi / 4: the
/// first omitted term is below 2^-117 of the sum.
Binary128 alternating_series(Binary128 x, int first) {
  constexpr int kTerms = 15;
  const Binary128 x2 = x * x;
  Binary128 sum = 1;
  for (int k = kTerms - 1; k > 0; --k)
    sum = 1 - sum * x2 / ((2 * k + first) * (2 * k + first - 1));
  return first == 0 ? sum : x * sum;
}

NormalPair direction_of(Uint128 angle) {
  constexpr Uint128 kEighth = Uint128{1} << 125;
  __extension__ using Int128 = __int128;
  const auto quarter = static_cast<unsigned>((angle + kEighth) >> 126);
  const auto rest = static_cast<Int128>(angle - (Uint128{quarter} << 126));
  const Binary128 turn = (static_cast<Binary128>(rest) + Binary128{0.5}) * power_of_two(-128);
  const Binary128 x = 2 * pi() * turn;
  const Binary128 cosine = alternating_series(x, 0);
  const Binary128 sine = alternating_series(x, 1);
  switch (quarter) {
    case 0:
      return {.first = cosine, .second = sine};
    case 1:
      return {.first = -sine, .second = cosine};
    case 2:
      return {.first = -cosine, .second = -sine};
    default:
      return {.first = sine, .second = -cosine};
  }
}

}  // namespace

NormalPair exact_normal_pair(const UniformPair& uniforms) {
  const Binary128 radius = square_root(2 * minus_log(uniforms.radius));
  const NormalPair direction = direction_of(uniforms.angle);
  return {.first = radius * direction.first, .second = radius * direction.second};
}

double round_to_grid(double value, Binary128 normal, const NoiseGrid& grid) {
  if (!std::isfinite(value)) return value;
  const GridPosition position = grid_position(value, grid);
  const Binary128 sum = position.offset + grid.deviation * normal;
  const Binary128 half = sum < 0 ? Binary128{-0.5} : Binary128{0.5};
  const auto nearest = static_cast<double>(static_cast<std::int64_t>(sum + half));
  return (position.whole + nearest) * grid.spacing;
}

}  // namespace sotto::privacy
