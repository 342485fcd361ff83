// Records that do not fit a job. They are left out rather than refused: a refusal would tell the
// coordinator what is in the data.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sotto::learning {

/// For the site's own people; never sent. Holds places and causes, never a record.
struct LeftOut {
  static constexpr std::size_t kNamed = 5;

  std::uint64_t count = 0;
  std::vector<std::string> first{};  // of the first kNamed: place and cause

  void add(std::string place_and_cause) {
    if (++count <= kNamed) first.push_back(std::move(place_and_cause));
  }

  void add(const LeftOut& more) {
    count += more.count;
    for (const std::string& line : more.first)
      if (first.size() < kNamed) first.push_back(line);
  }

  /// A line for a log, or nothing where nothing was left out.
  [[nodiscard]] std::string warning(const std::string& what) const {
    if (count == 0) return {};
    std::string out = std::to_string(count) + " " + what + " do not fit the job and are left out: ";
    for (std::size_t i = 0; i < first.size(); ++i)
      out += (i == 0 ? "" : "; ") + first[i];
    return count > first.size() ? out + "; and " + std::to_string(count - first.size()) + " more"
                                : out;
  }
};

}  // namespace sotto::learning
