// Shamir's secret sharing over Z_l, l = 2^252 + 27742317777372353535851937790883648493 (the
// ristretto255 scalar field). Shares are 32 bytes, little-endian, canonical. The code is constant
// time in secrets and shares; points are public.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/crypto/secret.h"

namespace sotto::crypto {

/// Returns a uniform scalar in [1, l), by rejection sampling from `random`.
Secret32 random_scalar(SecureRandom& random);
/// Returns true iff the 32 bytes are < l.
[[nodiscard]] bool is_canonical_scalar(std::span<const std::uint8_t, 32> scalar);

/// Returns the values of a random polynomial of degree threshold - 1, whose value at 0 is `secret`,
/// at the points 1..count. Needs 1 <= threshold <= count. shares[i] belongs to point i + 1.
std::vector<Secret32> share_secret(const Secret32& secret, std::uint32_t threshold,
                                   std::uint32_t count, SecureRandom& random);

/// The same at `points`, which are distinct and not zero: shares[i] belongs to points[i].
std::vector<Secret32> share_secret(const Secret32& secret, std::uint32_t threshold,
                                   std::span<const std::uint32_t> points, SecureRandom& random);

/// The first function with given coefficients (of degree 1 upward), for known-answer tests.
std::vector<Secret32> share_with_coefficients(const Secret32& secret,
                                              std::span<const Secret32> coefficients,
                                              std::uint32_t count);

/// Reconstructor holds the Lagrange coefficients at 0 for one set of responders. They are computed
/// once (with one inversion in all) and used for every secret that this set opens.
class Reconstructor {
 public:
  /// Fails unless `points` are distinct and not zero.
  static Result<Reconstructor> create(std::span<const std::uint32_t> points);

  /// `shares` are in the order of the points, and all canonical.
  [[nodiscard]] Secret32 reconstruct(std::span<const Bytes32> shares) const;

 private:
  explicit Reconstructor(std::vector<Bytes32> coefficients);

  std::vector<Bytes32> coefficients_;
};

}  // namespace sotto::crypto
