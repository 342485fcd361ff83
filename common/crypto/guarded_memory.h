// Memory for plaintext that must not leave the process: locked against swapping, between two
// inaccessible guard pages, excluded from core dumps, and wiped when it is freed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/base/result.h"

namespace sotto::crypto {

/// GuardedMemory owns zeroed pages. It is move-only and empty once moved from. It is not
/// synchronised.
class GuardedMemory {
 public:
  /// Maps at least `bytes`, in whole pages. Fails when the system has no memory. Memory that cannot
  /// be locked (RLIMIT_MEMLOCK) is not an error; see is_locked().
  static Result<GuardedMemory> map(std::size_t bytes);

  GuardedMemory(GuardedMemory&& other) noexcept;
  GuardedMemory& operator=(GuardedMemory&& other) noexcept;
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;
  ~GuardedMemory();

  [[nodiscard]] std::span<std::uint8_t> bytes() const { return bytes_; }

  /// Returns false when the memory may be swapped to disk; lock_error() is then the errno of the
  /// attempt to lock it.
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
