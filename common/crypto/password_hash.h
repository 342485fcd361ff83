// Argon2id (RFC 9106) by libsodium: derives a key from a passphrase that people can remember, at a
// cost in memory and time that an attacker pays for each guess.
#pragma once

#include <array>
#include <cstdint>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/crypto/secret.h"

namespace sotto::crypto {

/// The cost of one evaluation.
struct PasswordCost {
  std::uint32_t operations = 0;  // passes over the memory
  std::uint32_t memory_kib = 0;

  bool operator==(const PasswordCost&) const = default;
};

/// libsodium's OPSLIMIT_MODERATE and MEMLIMIT_MODERATE: 256 MiB, about a second.
inline constexpr PasswordCost kModerateCost{.operations = 3, .memory_kib = 262144};
/// The least cost that the function accepts, for tests.
inline constexpr PasswordCost kLeastCost{.operations = 1, .memory_kib = 8};
/// The largest cost that is accepted from a file: 1 GiB (MEMLIMIT_SENSITIVE), 16 passes.
inline constexpr PasswordCost kLargestCost{.operations = 16, .memory_kib = 1048576};

[[nodiscard]] bool is_allowed(const PasswordCost& cost);

using Salt = std::array<std::uint8_t, 16>;

/// Derives 32 bytes. Needs is_allowed(cost). Fails when this machine does not have the memory.
Result<Secret32> password_hash(BytesView password, const Salt& salt, const PasswordCost& cost);

}  // namespace sotto::crypto
