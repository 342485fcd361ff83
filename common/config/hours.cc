#include "common/config/hours.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <optional>

namespace sotto::config {

namespace {

constexpr std::array<std::string_view, 7> kDays{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

std::optional<std::uint32_t> two_digits(std::string_view text) {
  if (text.size() != 2 || text.find_first_not_of("0123456789") != text.npos) return std::nullopt;
  return static_cast<std::uint32_t>((text[0] - '0') * 10 + (text[1] - '0'));
}

/// Returns "20:05" as minutes of the day; "24:00" is the end of the day.
std::optional<std::uint32_t> clock_time(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const auto hours = two_digits(text.substr(0, 2)), minutes = two_digits(text.substr(3));
  if (!hours || !minutes || *minutes > 59 || *hours * 60 + *minutes > 24 * 60) return std::nullopt;
  return *hours * 60 + *minutes;
}

std::optional<std::uint32_t> day(std::string_view text) {
  const auto* at = std::find(kDays.begin(), kDays.end(), text);
  if (at == kDays.end()) return std::nullopt;
  return static_cast<std::uint32_t>(at - kDays.begin());
}

/// Returns the days, from 0, that "daily", "Sat,Sun" or "Fri-Mon" names; none when the text is
/// malformed.
std::vector<std::uint32_t> days(std::string_view text) {
  std::vector<std::uint32_t> out;
  if (text == "daily") text = "Mon-Sun";
  for (bool more = true; more;) {
    const std::size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    more = comma != std::string_view::npos;
    if (more) text.remove_prefix(comma + 1);
    const std::size_t dash = part.find('-');
    const auto first = day(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : day(part.substr(dash + 1));
    if (!first || !last) return {};
    for (std::uint32_t d = *first;; d = (d + 1) % std::uint32_t{kDays.size()}) {
      out.push_back(d);
      if (d == *last) break;
    }
  }
  return out;
}

}  // namespace

LocalTime local_time(std::uint64_t unix_seconds) {
  const auto time = static_cast<std::time_t>(unix_seconds);
  std::tm parts{};
  ::localtime_r(&time, &parts);
  return {.weekday = static_cast<std::uint32_t>((parts.tm_wday + 6) % 7),
          .minute = static_cast<std::uint32_t>(parts.tm_hour * 60 + parts.tm_min)};
}

std::string to_text(const LocalTime& time) {
  const auto two = [](std::uint32_t v) { return (v < 10 ? "0" : "") + std::to_string(v); };
  return std::string(kDays.at(time.weekday)) + " " + two(time.minute / 60) + ":" +
         two(time.minute % 60);
}

Status Hours::add(std::string_view window) {
  const Error no_window{"\"" + std::string(window) +
                        "\" is not a time window; allowed: days and two times, as in \"Mon-Fri "
                        "20:00-06:00\", \"Sat,Sun 00:00-24:00\", \"daily 01:00-05:00\""};
  const std::size_t blank = window.find(' ');
  if (blank == std::string_view::npos) return no_window;
  const std::string_view times = window.substr(blank + 1);
  if (times.size() != 11 || times[5] != '-') return no_window;
  const std::vector<std::uint32_t> on = days(window.substr(0, blank));
  const auto begin = clock_time(times.substr(0, 5)), end = clock_time(times.substr(6));
  if (on.empty() || !begin || !end || *begin == kDay) return no_window;
  if (*begin == *end)
    return Error{"\"" + std::string(window) +
                 "\" ends when it begins; write a whole day as 00:00-24:00"};
  const std::uint32_t length = *end > *begin ? *end - *begin : *end + kDay - *begin;
  for (const std::uint32_t d : on)
    for (std::uint32_t i = 0; i < length; ++i)
      minutes_.set((d * kDay + *begin + i) % kWeek);
  return {};
}

Result<Hours> Hours::parse(const std::vector<std::string>& windows) {
  Hours out;
  if (windows.empty()) out.minutes_.set();
  for (const std::string& window : windows)
    SOTTO_TRY(out.add(window));
  return out;
}

bool Hours::holds(const LocalTime& time) const {
  return minutes_.test((time.weekday * kDay + time.minute) % kWeek);
}

LocalTime Hours::next(const LocalTime& time) const {
  const std::uint32_t now = time.weekday * kDay + time.minute;
  std::uint32_t wait = 0;
  while (wait < kWeek && !minutes_.test((now + wait) % kWeek))
    ++wait;
  const std::uint32_t at = (now + wait) % kWeek;
  return {.weekday = at / kDay, .minute = at % kDay};
}

}  // namespace sotto::config
