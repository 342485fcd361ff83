// Hours is a set of windows of local time in a week, as policy.hours has them: "Mon-Fri
// 20:00-06:00".
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace sotto::config {

/// A local time of the week. A window is compared with local time alone: when clocks are set back,
/// an hour occurs twice and both count; when they are set forward, an hour is missing.
struct LocalTime {
  std::uint32_t weekday = 0;  // 0 = Monday
  std::uint32_t minute = 0;   // of the day, below 1440

  bool operator==(const LocalTime&) const = default;
};

/// Returns the local time in the time zone of this process (TZ).
LocalTime local_time(std::uint64_t unix_seconds);

/// Returns the time as in "Mon 20:05".
std::string to_text(const LocalTime& time);

/// The windows of a week. A value type.
class Hours {
 public:
  /// Parses a list of windows; an empty list means always. The Error quotes the malformed window.
  static Result<Hours> parse(const std::vector<std::string>& windows);

  /// Returns whether a window contains `time`. A window contains its first minute and not its end.
  [[nodiscard]] bool holds(const LocalTime& time) const;
  /// Returns the first time from `time` on that a window contains, which may be `time` itself.
  [[nodiscard]] LocalTime next(const LocalTime& time) const;

 private:
  static constexpr std::uint32_t kDay = 1440;
  static constexpr std::uint32_t kWeek = 7 * kDay;

  Status add(std::string_view window);

  std::bitset<kWeek> minutes_;
};

}  // namespace sotto::config
