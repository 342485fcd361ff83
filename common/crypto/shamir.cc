#include "common/crypto/shamir.h"

#include <algorithm>
#include <numeric>

#include <sodium.h>

#include "common/base/check.h"
#include "common/crypto/declassify.h"

namespace sotto::crypto {
namespace {

// libsodium's scalar arithmetic leaves copies of its arguments on the stack: about 1 KiB a call.
constexpr std::size_t kShamirStackBytes = 4096;

Bytes32 scalar_of(std::uint64_t v) {
  Bytes32 out{};
  for (std::size_t i = 0; i < 8; ++i)
    out[i] = static_cast<std::uint8_t>(v >> (8 * i));
  return out;
}

void multiply_into(Bytes32& a, const Bytes32& b) {
  crypto_core_ristretto255_scalar_mul(a.data(), a.data(), b.data());
}

}  // namespace

Secret32 random_scalar(SecureRandom& random) {
  Secret32 out;
  const auto uniform = [&] {
    const bool canonical = is_canonical_scalar(out.expose());
    const bool zero = sodium_is_zero(out.expose().data(), out.expose().size()) == 1;
    return canonical & !zero;
  };
  do {
    random.fill(out.writable());
    out.writable()[31] &= 0x1f;        // 253 bits: about every second draw is below l
  } while (!declassified(uniform()));  // a rejected draw is independent of the next one
  return out;
}

bool is_canonical_scalar(std::span<const std::uint8_t, 32> scalar) {
  SecretCell wide(crypto_core_ristretto255_NONREDUCEDSCALARBYTES);
  std::copy(scalar.begin(), scalar.end(), wide.data());
  Secret32 reduced;
  crypto_core_ristretto255_scalar_reduce(reduced.writable().data(), wide.data());
  return constant_time_equal(reduced.expose(), scalar);
}

namespace {

std::vector<std::uint32_t> points_up_to(std::uint32_t count) {
  std::vector<std::uint32_t> points(count);
  std::iota(points.begin(), points.end(), 1U);
  return points;
}

std::vector<Secret32> values_at(std::span<const std::uint32_t> points, const Secret32& secret,
                                std::span<const Secret32> coefficients) {
  // The result is public because it is true for every secret that this process makes.
  SOTTO_CHECK(declassified(is_canonical_scalar(secret.expose())),
              "only a scalar below l can be shared");
  SOTTO_CHECK(coefficients.size() < points.size(),
              "more coefficients than holders can ever solve for");
  std::vector<Secret32> shares;
  shares.reserve(points.size());
  for (std::uint32_t point : points) {
    SOTTO_CHECK(point != 0, "a share at point 0 would be the secret itself");
    const Bytes32 x = scalar_of(point);
    Secret32 y;
    std::uint8_t* const out = y.writable().data();
    for (std::size_t k = coefficients.size();
         k-- > 0;) {  // Horner's scheme, from the highest degree down to the secret
      crypto_core_ristretto255_scalar_add(out, out, coefficients[k].expose().data());
      crypto_core_ristretto255_scalar_mul(out, out, x.data());
    }
    crypto_core_ristretto255_scalar_add(out, out, secret.expose().data());
    shares.push_back(std::move(y));
  }
  sodium_stackzero(kShamirStackBytes);
  return shares;
}

}  // namespace

std::vector<Secret32> share_secret(const Secret32& secret, std::uint32_t threshold,
                                   std::uint32_t count, SecureRandom& random) {
  return share_secret(secret, threshold, points_up_to(count), random);
}

std::vector<Secret32> share_secret(const Secret32& secret, std::uint32_t threshold,
                                   std::span<const std::uint32_t> points, SecureRandom& random) {
  SOTTO_CHECK(threshold >= 1 && threshold <= points.size(),
              "a threshold is between 1 and the holders");
  std::vector<Secret32> coefficients;
  coefficients.reserve(threshold - 1);
  for (std::uint32_t i = 1; i < threshold; ++i)
    coefficients.push_back(random_scalar(random));
  return values_at(points, secret, coefficients);
}

std::vector<Secret32> share_with_coefficients(const Secret32& secret,
                                              std::span<const Secret32> coefficients,
                                              std::uint32_t count) {
  return values_at(points_up_to(count), secret, coefficients);
}

namespace {

/// Returns x_i * prod_{j != i} (x_j - x_i) in Z_l. The factors are small and public; they are
/// multiplied in 64 bits first, which saves most of the long multiplications.
Bytes32 denominator(std::span<const std::uint32_t> points, std::size_t i) {
  Bytes32 product = scalar_of(points[i]);
  std::uint64_t gathered = 1;
  bool negative = false;
  for (std::size_t j = 0; j < points.size(); ++j) {
    if (j == i) continue;
    negative ^= points[j] < points[i];
    const std::uint64_t distance = std::max(points[i], points[j]) - std::min(points[i], points[j]);
    if (gathered > UINT64_MAX / distance) {
      multiply_into(product, scalar_of(gathered));
      gathered = 1;
    }
    gathered *= distance;
  }
  multiply_into(product, scalar_of(gathered));
  if (negative) crypto_core_ristretto255_scalar_negate(product.data(), product.data());
  return product;
}

/// Inverts all values in place with one inversion (Montgomery's trick). None may be zero.
void invert_all(std::vector<Bytes32>& values) {
  std::vector<Bytes32> before;  // before[i] = values[0] * ... * values[i - 1]
  before.reserve(values.size());
  Bytes32 running = scalar_of(1);
  for (const Bytes32& value : values) {
    before.push_back(running);
    multiply_into(running, value);
  }
  Bytes32 inverse{};  // of values[0] * ... * values[i]
  const int rc = crypto_core_ristretto255_scalar_invert(inverse.data(), running.data());
  SOTTO_CHECK(rc == 0, "points are distinct and not zero");
  for (std::size_t i = values.size(); i-- > 0;) {
    const Bytes32 value = values[i];
    values[i] = inverse;
    multiply_into(values[i], before[i]);
    multiply_into(inverse, value);
  }
}

}  // namespace

Reconstructor::Reconstructor(std::vector<Bytes32> coefficients)
    : coefficients_(std::move(coefficients)) {}

Result<Reconstructor> Reconstructor::create(std::span<const std::uint32_t> points) {
  if (points.empty()) return Error{"no shares to reconstruct a secret from"};
  std::vector<std::uint32_t> sorted(points.begin(), points.end());
  std::sort(sorted.begin(), sorted.end());
  if (sorted.front() == 0) return Error{"a share at point 0 would be the secret itself"};
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    return Error{"two shares are for the same point"};

  // lambda_i = prod_{j != i} x_j / (x_j - x_i) = (prod_j x_j) / denominator_i
  Bytes32 product = scalar_of(1);
  std::vector<Bytes32> coefficients;
  coefficients.reserve(points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    multiply_into(product, scalar_of(points[i]));
    coefficients.push_back(denominator(points, i));
  }
  invert_all(coefficients);
  for (Bytes32& coefficient : coefficients)
    multiply_into(coefficient, product);
  return Reconstructor(std::move(coefficients));
}

Secret32 Reconstructor::reconstruct(std::span<const Bytes32> shares) const {
  SOTTO_CHECK(shares.size() == coefficients_.size(), "one share for each point");
  Secret32 sum;
  Secret32 term;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    crypto_core_ristretto255_scalar_mul(term.writable().data(), shares[i].data(),
                                        coefficients_[i].data());
    crypto_core_ristretto255_scalar_add(sum.writable().data(), sum.expose().data(),
                                        term.expose().data());
  }
  sodium_stackzero(kShamirStackBytes);
  return sum;
}

}  // namespace sotto::crypto
