// Memory for plaintext that must stay here: locked against swapping, between two pages that cannot
// be touched, left out of core dumps. Wiped when it goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/base/result.h"

namespace sotto::crypto {

/// Some zeroed pages. Move-only; empty once moved from. No lock: who shares it guards it.
class GuardedMemory {
 public:
  /// At least `bytes`, in whole pages. An Error where the system gives no memory; memory that it
  /// does not lock (RLIMIT_MEMLOCK) is memory all the same, see is_locked().
  static Result<GuardedMemory> map(std::size_t bytes);

  GuardedMemory(GuardedMemory&& other) noexcept;
  GuardedMemory& operator=(GuardedMemory&& other) noexcept;
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;
  ~GuardedMemory();

  [[nodiscard]] std::span<std::uint8_t> bytes() const { return bytes_; }

  /// False: it may be swapped to disk; lock_error() is the errno of the attempt.
  [[nodiscard]] bool is_locked() const { return lock_error_ == 0; }

  [[nodiscard]] int lock_error() const { return lock_error_; }

 private:
  GuardedMemory(std::span<std::uint8_t> bytes, int lock_error)
      : bytes_(bytes), lock_error_(lock_error) {}

  void unmap();

  std::span<std::uint8_t> bytes_;
  int lock_error_ = 0;
};

}  // namespace sotto::crypto
