// GuardedSlots allocates pieces of one guarded memory region. A region with a page and two guard
// pages for each record would need a system call and a mapping for each.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>

#include "common/crypto/guarded_memory.h"

namespace sotto::data {

/// An allocator within one guarded region. One thread at a time may use it. Memory that is not
/// allocated is zero.
class GuardedSlots {
 public:
  explicit GuardedSlots(crypto::GuardedMemory memory);

  /// Allocates a piece; size > 0. Returns nothing where no free piece is large enough.
  std::optional<std::span<std::uint8_t>> take(std::size_t size);
  /// Wipes and frees a piece that take() returned.
  void give_back(std::span<std::uint8_t> slot);

 private:
  crypto::GuardedMemory memory_;
  std::map<std::size_t, std::size_t> free_;  // offset to size, both multiples of a granule
};

}  // namespace sotto::data
