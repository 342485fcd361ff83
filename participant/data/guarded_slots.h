// Pieces of one guarded memory, handed out and taken back: a page and two guards for each record
// would cost the kernel a call and a mapping each.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>

#include "common/crypto/guarded_memory.h"

namespace sotto::records {

/// One thread at a time. What is not handed out is zero.
class GuardedSlots {
 public:
  explicit GuardedSlots(crypto::GuardedMemory memory);

  /// Nothing where no piece is large enough. size > 0.
  std::optional<std::span<std::uint8_t>> take(std::size_t size);
  /// Wipes it. What take() returned.
  void give_back(std::span<std::uint8_t> slot);

 private:
  crypto::GuardedMemory memory_;
  std::map<std::size_t, std::size_t> free_;  // offset to size, both multiples of a granule
};

}  // namespace sotto::records
