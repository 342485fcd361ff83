#include "common/identity/roster_expiry.h"

#include <algorithm>
#include <chrono>

namespace sotto::config {

namespace {

constexpr std::uint64_t kDay = 86400;
constexpr std::uint64_t kWarnedBefore = 30 * kDay;

std::string two_digits(unsigned value) {
  return (value < 10 ? "-0" : "-") + std::to_string(value);
}

}  // namespace

std::string utc_date(std::uint64_t unix_s) {
  constexpr std::uint64_t kEndOfYear9999 = 253402300799;
  const auto days = static_cast<int>(std::min(unix_s, kEndOfYear9999) / kDay);
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{days}}};
  return std::to_string(static_cast<int>(date.year())) +
         two_digits(static_cast<unsigned>(date.month())) +
         two_digits(static_cast<unsigned>(date.day()));
}

std::string RosterExpiry::warning(std::uint64_t now_unix_s) const {
  const std::string roster = "the roster (version " + std::to_string(version_) + ")";
  const std::string date = utc_date(expiry_unix_s_), remedy(remedy_);
  if (is_over(now_unix_s))
    return roster + " expired on " + date + ", so no round begins under it: " + remedy;
  const std::uint64_t left = expiry_unix_s_ - now_unix_s;
  if (left > kWarnedBefore) return {};
  const std::uint64_t days = (left + kDay - 1) / kDay;
  return roster + " expires on " + date + ", in " + std::to_string(days) +
         (days == 1 ? " day" : " days") + ", and no round begins afterwards: " + remedy;
}

std::optional<std::string> RosterExpiry::daily_warning(std::uint64_t now_unix_s) {
  const bool is_due = !warned_unix_s_ || now_unix_s >= *warned_unix_s_ + kDay ||
                      (is_over(now_unix_s) && !is_over(*warned_unix_s_));
  if (!is_due) return std::nullopt;
  std::string text = warning(now_unix_s);
  if (text.empty()) return std::nullopt;
  warned_unix_s_ = now_unix_s;
  return text;
}

}  // namespace sotto::config
