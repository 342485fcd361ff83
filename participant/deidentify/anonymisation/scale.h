// Scale orders the values of one quasi-identifier and defines how they can be generalised. Numbers
// have their own order and are joined into intervals; categories have the order of a tree and are
// joined into its branches. Every range of values therefore has a label and a loss, and an
// algorithm need not distinguish numbers from categories.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/result.h"
#include "participant/deidentify/tables/table.h"

namespace sotto::anonymisation {

/// The position of a value in its scale's order.
using Rank = std::uint32_t;

/// Label is the text that replaces a value in a cell, and its normalised certainty penalty (Xu et
/// al., Utility-based anonymization using local recoding, 2006): 0 for the value itself, 1 for "*".
/// The loss of an interval is its width, and that of a branch its number of leaves, as a fraction
/// of all.
struct Label {
  std::string text;
  double loss = 0;
};

class Scale {
 public:
  /// Makes a scale of the numbers that the column contains; `widths` are those of the levels above
  /// them, each a multiple of the one before. Returns an Error at the first cell that is not a
  /// finite decimal number.
  static Result<Scale> of_numbers(const tables::Table& table, std::size_t column,
                                  const std::vector<std::uint32_t>& widths);
  /// Makes a scale from a table whose first column contains the values and whose other columns
  /// contain, from left to right, the increasingly coarse groups of a value. Returns an Error at a
  /// repeated value and at a group that is in two coarser ones.
  static Result<Scale> of_tree(const tables::Table& tree);
  /// Makes a scale without groups: the levels are the value and "*". The order is that of the
  /// values' bytes.
  static Scale of_values(std::vector<std::string> values);

  /// Returns the position of a value, or nothing for a value that the scale does not contain.
  [[nodiscard]] std::optional<Rank> rank(std::string_view value) const;

  [[nodiscard]] std::size_t size() const { return levels_.front().node_of_rank.size(); }

  /// The number of levels: level 0 has the values themselves; level levels() - 1 is "*" for all.
  [[nodiscard]] std::size_t levels() const { return levels_.size(); }

  /// Returns the group of a value at a level, numbered from 0 within the level.
  [[nodiscard]] std::uint32_t group(std::size_t level, Rank value) const {
    return levels_[level].node_of_rank[value];
  }

  [[nodiscard]] const Label& label(std::size_t level, Rank value) const {
    return levels_[level].nodes[group(level, value)];
  }

  /// Returns the least coarse label that covers all values from `first` to `last`.
  [[nodiscard]] Label cover(Rank first, Rank last) const;

 private:
  struct Level {
    std::vector<std::uint32_t> node_of_rank;
    std::vector<Label> nodes;
  };

  Scale() = default;

  std::vector<Level> levels_;
  std::vector<double> numbers_;  // of each rank; empty for categories
  std::unordered_map<std::string, Rank> ranks_;
};

}  // namespace sotto::anonymisation
