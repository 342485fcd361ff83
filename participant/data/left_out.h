// LeftOut counts the records that do not fit a job. They are left out instead of the job being
// refused, because a refusal would reveal to the coordinator what is in the data.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sotto::data {

/// For the site's own people; never sent. It contains places and causes, never a record.
struct LeftOut {
  static constexpr std::size_t kNamed = 5;

  std::uint64_t count = 0;
  std::vector<std::string> first{};  // place and cause of the first kNamed records

  void add(std::string place_and_cause) {
    if (++count <= kNamed) first.push_back(std::move(place_and_cause));
  }

  void add(const LeftOut& more) {
    count += more.count;
    for (const std::string& line : more.first)
      if (first.size() < kNamed) first.push_back(line);
  }

  /// Returns a line for a log; empty where nothing was left out.
  [[nodiscard]] std::string warning(const std::string& what) const {
    if (count == 0) return {};
    std::string out = std::to_string(count) + " " + what + " do not fit the job and are skipped: ";
    for (std::size_t i = 0; i < first.size(); ++i)
      out += (i == 0 ? "" : "; ") + first[i];
    return count > first.size() ? out + "; and " + std::to_string(count - first.size()) + " more"
                                : out;
  }
};

}  // namespace sotto::data
