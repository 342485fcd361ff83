// Argon2id (RFC 9106) by libsodium: a key from a passphrase that people can remember, at a price in
// memory and time that somebody who guesses has to pay for each guess.
#pragma once

#include <array>
#include <cstdint>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/crypto/secret.h"

namespace sotto::crypto {

/// What one guess costs.
struct PasswordCost {
  std::uint32_t operations = 0;  // passes over the memory
  std::uint32_t memory_kib = 0;

  bool operator==(const PasswordCost&) const = default;
};

/// libsodium's OPSLIMIT_MODERATE and MEMLIMIT_MODERATE: 256 MiB, about a second.
inline constexpr PasswordCost kModerateCost{.operations = 3, .memory_kib = 262144};
/// The least that the function takes: for tests, where nothing is worth guessing.
inline constexpr PasswordCost kLeastCost{.operations = 1, .memory_kib = 8};
/// The most that is taken from a file, whoever wrote it: 1 GiB (MEMLIMIT_SENSITIVE), 16 passes.
inline constexpr PasswordCost kLargestCost{.operations = 16, .memory_kib = 1048576};

[[nodiscard]] bool is_allowed(const PasswordCost& cost);

using Salt = std::array<std::uint8_t, 16>;

/// 32 bytes. The cost must be allowed. An Error when this machine has not the memory.
Result<Secret32> password_hash(BytesView password, const Salt& salt, const PasswordCost& cost);

}  // namespace sotto::crypto
