// Windows of local time in a week, as policy.hours names them: "Mon-Fri 20:00-06:00".
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace sotto::config {

/// What a clock on the wall shows. Where clocks are set back an hour is there twice, where they are
/// set forward one is missing: a window holds what the wall shows.
struct LocalTime {
  std::uint32_t weekday = 0;  // 0 = Monday
  std::uint32_t minute = 0;   // of the day, below 1440

  bool operator==(const LocalTime&) const = default;
};

/// In the time zone of this process (TZ).
LocalTime local_time(std::uint64_t unix_seconds);

/// "Mon 20:05".
std::string to_text(const LocalTime& time);

class Hours {
 public:
  /// An Error that quotes the window that is none. No windows: always.
  static Result<Hours> parse(const std::vector<std::string>& windows);

  /// The first minute of a window is inside, its end is not.
  [[nodiscard]] bool holds(const LocalTime& time) const;
  /// The next time from `time` on that is inside; `time` itself when it is.
  [[nodiscard]] LocalTime next(const LocalTime& time) const;

 private:
  static constexpr std::uint32_t kDay = 1440;
  static constexpr std::uint32_t kWeek = 7 * kDay;

  Status add(std::string_view window);

  std::bitset<kWeek> minutes_;
};

}  // namespace sotto::config
