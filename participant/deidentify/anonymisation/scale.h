// The values of one quasi-identifier in an order, and how they may be made coarser. Numbers stand
// in their own order and are joined into intervals; categories stand in the order of a tree and are
// joined into its branches. So a range of values always has a name and a loss, and an algorithm
// need not know which of the two it works on.
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

/// Place of a value in its scale's order.
using Rank = std::uint32_t;

/// What stands in a cell instead of its value, and the normalised certainty penalty (Xu et al.,
/// Utility-based anonymization using local recoding, 2006) of that: 0 for the value itself, 1 for
/// "*". A number's interval loses its width, a branch its leaves, each as a part of all.
struct Label {
  std::string text;
  double loss = 0;
};

class Scale {
 public:
  /// Numbers that the column holds; `widths` are those of the levels above them, each a multiple of
  /// the one before. An Error at the first cell that is no finite decimal number.
  static Result<Scale> of_numbers(const table::Table& table, std::size_t column,
                                  const std::vector<std::uint32_t>& widths);
  /// A tree, from a table whose first column are the values and whose others, left to right, the
  /// coarser and coarser groups that a value is in. An Error at a value that stands there twice,
  /// and at a group that lies in two coarser ones.
  static Result<Scale> of_tree(const table::Table& tree);
  /// No groups: the value or "*". In the order of the values' bytes.
  static Scale of_values(std::vector<std::string> values);

  /// Nothing for a value that the scale does not know.
  [[nodiscard]] std::optional<Rank> rank(std::string_view value) const;

  [[nodiscard]] std::size_t size() const { return levels_.front().node_of_rank.size(); }

  /// From 0, the values themselves, to levels() - 1, which is "*" for all.
  [[nodiscard]] std::size_t levels() const { return levels_.size(); }

  /// The group of a value at a level, numbered from 0 within the level.
  [[nodiscard]] std::uint32_t group(std::size_t level, Rank value) const {
    return levels_[level].node_of_rank[value];
  }

  [[nodiscard]] const Label& label(std::size_t level, Rank value) const {
    return levels_[level].nodes[group(level, value)];
  }

  /// The least coarse name for all values from `first` to `last`.
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
