// How often the same thing was complained about: so that a log says it at the 1st, 2nd, 4th, 8th
// time and a peer cannot fill a disk with its mistakes.
#pragma once

#include <bit>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace sotto {

class Repeats {
 public:
  /// Keys come from outside: the `most_keys` that were seen first have counts of their own, all
  /// others share one.
  explicit Repeats(std::size_t most_keys = 1000) : most_keys_(most_keys) {}

  /// Counts once more. How often until now when that is worth a line, else nothing.
  std::optional<std::uint64_t> again(const std::string& key) {
    ++total_;
    const bool known = counts_.contains(key) || counts_.size() < most_keys_;
    const std::uint64_t count = ++counts_[known ? key : std::string()];
    return std::has_single_bit(count) ? std::optional(count) : std::nullopt;
  }

  [[nodiscard]] std::uint64_t total() const { return total_; }

 private:
  std::size_t most_keys_;
  std::map<std::string, std::uint64_t> counts_;
  std::uint64_t total_ = 0;
};

}  // namespace sotto
