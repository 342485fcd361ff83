// Strong types for identifiers, and the time types of the core.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

#include "common/base/bytes.h"

namespace sotto {

/// A member's number in the roster, from 1; 0 is the coordinator. It is not an index in a cohort.
enum class MemberId : std::uint32_t {};
inline constexpr MemberId kCoordinatorId{0};

constexpr std::uint32_t raw(MemberId id) {
  return static_cast<std::uint32_t>(id);
}

/// Identifies one run of one job: fresh random bytes at every `run` that is not a resumption.
using RunId = Bytes32;

/// RoundNumber identifies an attempt at a round and increases strictly within a run. The upper 48
/// bits are the server round (from 1; num_server_rounds + 1 is the closing evaluation), the lower
/// 16 count the attempts at it. A lost round is tried again under a new number, because the guard
/// accepts only a number that is greater than the last one.
struct RoundNumber {
  std::uint64_t value = 0;

  static constexpr RoundNumber of(std::uint64_t server_round, std::uint16_t attempt) {
    return {server_round << 16 | attempt};
  }

  [[nodiscard]] constexpr std::uint64_t server_round() const { return value >> 16; }

  [[nodiscard]] constexpr std::uint16_t attempt() const {
    return static_cast<std::uint16_t>(value & 0xffff);
  }

  auto operator<=>(const RoundNumber&) const = default;
};

/// Monotonic time. The core does not read a clock: the time is an argument.
using Duration = std::chrono::milliseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

/// The largest number of examples that a site may declare, in its configuration and on the wire.
inline constexpr std::uint64_t kMaxDeclaredExamples = std::uint64_t{1} << 40;

}  // namespace sotto
