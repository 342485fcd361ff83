// Repeats counts how often each message occurred. A log prints a message at its 1st, 2nd, 4th, 8th
// occurrence and so on, so that a peer cannot fill a disk with its mistakes.
#pragma once

#include <bit>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace sotto {

class Repeats {
 public:
  /// The first `most_keys` different keys are counted separately; all others share one count,
  /// because peers determine the keys.
  explicit Repeats(std::size_t most_keys = 1000) : most_keys_(most_keys) {}

  /// Counts one occurrence of `key`. Returns the count when it is a power of two, so that it is to
  /// be logged, else nothing.
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
