// Fixed-size secrets. They are stored in one arena of the process that is locked, guarded and
// excluded from core dumps. They are wiped when they are destroyed, cannot be copied by accident or
// printed, and are compared in constant time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/base/bytes.h"
#include "common/crypto/secure_random.h"

namespace sotto::crypto {

/// SecretCell is the storage of one secret of `size` bytes (1 to 16 KiB) inside the arena, zeroed,
/// aligned to 32 bytes or, when larger, to the smaller of its size and a page. It is move-only; a
/// moved-from cell is empty. Cells may be created and destroyed on any thread. When RLIMIT_MEMLOCK
/// is exhausted, cells are in memory that is not locked (but still wiped and excluded from core
/// dumps), and the log gets one warning.
class SecretCell {
 public:
  explicit SecretCell(std::size_t size);
  ~SecretCell();
  SecretCell(SecretCell&& other) noexcept;
  SecretCell& operator=(SecretCell&& other) noexcept;
  SecretCell(const SecretCell&) = delete;
  SecretCell& operator=(const SecretCell&) = delete;

  [[nodiscard]] std::uint8_t* data() const { return data_; }

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Secret is a secret of N bytes. It is move-only; clone() copies it.
template <std::size_t N>
class Secret {
 public:
  /// Creates a secret of zeros, to be filled through writable().
  Secret() : cell_(N) {}

  static Secret random(SecureRandom& random) {
    Secret s;
    random.fill(s.writable());
    return s;
  }

  /// Copies `bytes`; the caller wipes its own copy.
  static Secret copy_of(std::span<const std::uint8_t, N> bytes) {
    Secret s;
    for (std::size_t i = 0; i < N; ++i)
      s.cell_.data()[i] = bytes[i];
    return s;
  }

  /// Copies the secret explicitly.
  [[nodiscard]] Secret clone() const { return copy_of(expose()); }

  /// Returns the bytes for the one call that needs them; the span must not be kept.
  [[nodiscard]] std::span<const std::uint8_t, N> expose() const {
    SOTTO_CHECK(cell_.data() != nullptr, "use of a secret that was moved away");
    return std::span<const std::uint8_t, N>(cell_.data(), N);
  }

  [[nodiscard]] std::span<std::uint8_t, N> writable() {
    SOTTO_CHECK(cell_.data() != nullptr, "use of a secret that was moved away");
    return std::span<std::uint8_t, N>(cell_.data(), N);
  }

  /// Compares in constant time.
  [[nodiscard]] bool equals(const Secret& other) const;

 private:
  SecretCell cell_;
};

using Secret32 = Secret<32>;
using Secret64 = Secret<64>;

/// Compares two ranges in constant time; returns false at once when the sizes differ.
[[nodiscard]] bool constant_time_equal(BytesView a, BytesView b);
/// Zeroes memory in a way that the compiler does not optimise away.
void wipe(std::span<std::uint8_t> bytes);

template <std::size_t N>
bool Secret<N>::equals(const Secret& other) const {
  return constant_time_equal(expose(), other.expose());
}

/// Initialises libsodium and turns core dumps and ptrace attachment off. A program calls it once at
/// start-up. Throws StartupError when one of these fails or when the CPU has no AES instructions
/// (table-based AES is not constant time).
void initialize_process();
/// The check of the CPU alone: throws StartupError unless `cpu_has_aes`.
void require_aes(bool cpu_has_aes);

}  // namespace sotto::crypto
