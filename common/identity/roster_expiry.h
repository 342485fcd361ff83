// RosterExpiry warns the people of both sides before a roster expires. The operator signs a roster
// again at regular times: without an expiry, the removal of a member would never take effect at a
// site that does not join newer versions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sotto::config {

/// Returns the date in UTC, as in "2027-11-30".
std::string utc_date(std::uint64_t unix_s);

/// These texts tell each side what to do about a roster that ends.
inline constexpr std::string_view kOperatorRenews =
    "run `sotto-coordinator renew`, hand the new federation.json to every member and start again";
inline constexpr std::string_view kSiteJoinsRenewed =
    "ask the operator for the renewed federation.json, run `sotto-participant join` with it and "
    "start again";

/// RosterExpiry watches one roster while a program runs. One thread; the caller passes the time.
class RosterExpiry {
 public:
  RosterExpiry(std::uint32_t version, std::uint64_t expiry_unix_s, std::string_view remedy)
      : version_(version), expiry_unix_s_(expiry_unix_s), remedy_(remedy) {}

  /// Returns true from the expiry on. Nothing new may begin under this roster then.
  [[nodiscard]] bool is_over(std::uint64_t now_unix_s) const {
    return now_unix_s >= expiry_unix_s_;
  }

  /// Returns a sentence in the last 30 days and afterwards, an empty text before.
  [[nodiscard]] std::string warning(std::uint64_t now_unix_s) const;
  /// Returns the warning for a log, at most once a day.
  std::optional<std::string> daily_warning(std::uint64_t now_unix_s);

 private:
  std::uint32_t version_;
  std::uint64_t expiry_unix_s_;
  std::string_view remedy_;
  std::optional<std::uint64_t> warned_unix_s_;
};

}  // namespace sotto::config
