// Searching this process for bytes that must not be there: in all writable memory, on the dead part
// of the stack, and in every block at the moment when it is freed (a freed block is soon used
// again, which would hide what was left in it).
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace sotto::image_scan {

/// A secret is known here only XORed with this, so that the search does not find itself.
constexpr std::uint8_t kPad = 0x5a;
using Masked = std::array<std::uint8_t, 32>;

struct Needle {
  std::string name;
  Masked bytes{};
};

/// Half of a needle is enough to be found: either half of a key is too much to leave behind.
class Search {
 public:
  /// One at a time. From here on every freed block is searched.
  explicit Search(const std::vector<Needle>& needles);
  ~Search();
  Search(const Search&) = delete;
  Search& operator=(const Search&) = delete;

  /// Between two steps of a round: its secrets live in the arena, and nowhere else.
  void outside_of_the_arena();
  /// At the end: nowhere.
  void everywhere();

  /// "NAME in PLACE", once each.
  [[nodiscard]] std::set<std::string> found() const;
};

}  // namespace sotto::image_scan
