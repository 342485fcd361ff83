#include "participant/deidentify/anonymisation/scale.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <numeric>

#include "common/base/check.h"

namespace sotto::anonymisation {

namespace {

std::optional<double> number_in(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

std::string shown(double number) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, number);
  SOTTO_CHECK(error == std::errc(), "a number may have at most 24 characters");
  return {text, end};
}

/// Returns the rows of a tree ordered by their groups from the root down, so that every branch is
/// one range. Groups keep the order of their first row.
std::vector<std::uint32_t> tree_order(const tables::Table& tree) {
  std::vector<std::uint32_t> order(tree.rows());
  std::iota(order.begin(), order.end(), 0U);
  const auto& columns = tree.columns();
  std::ranges::stable_sort(order, [&](std::uint32_t a, std::uint32_t b) {
    for (std::size_t level = columns.size(); level-- > 1;)
      if (columns[level].codes[a] != columns[level].codes[b])
        return columns[level].codes[a] < columns[level].codes[b];
    return false;
  });
  return order;
}

Status check_tree(const tables::Table& tree) {
  const auto& columns = tree.columns();
  for (std::size_t row = 0; row < tree.rows(); ++row)
    if (columns[0].codes[row] != row) return tree.error_at(row, 0, "this value has a second row");
  for (std::size_t level = 1; level + 1 < columns.size(); ++level) {
    std::map<std::uint32_t, std::uint32_t> parent;
    for (std::size_t row = 0; row < tree.rows(); ++row) {
      const std::uint32_t above = columns[level + 1].codes[row];
      if (parent.try_emplace(columns[level].codes[row], above).first->second != above)
        return tree.error_at(row, level, "this group belongs to another coarser group further up");
    }
  }
  return {};
}

}  // namespace

Result<Scale> Scale::of_numbers(const tables::Table& table, std::size_t column,
                                const std::vector<std::uint32_t>& widths) {
  const auto& values = table.columns()[column].values;
  std::vector<std::pair<double, std::uint32_t>> sorted;
  for (std::uint32_t code = 0; code < values.size(); ++code) {
    const auto number = number_in(values[code]);
    if (!number)
      return table.error_at_code(
          column, code, "the plan declares this column as a number, but this cell is not one");
    sorted.emplace_back(*number, code);
  }
  std::ranges::sort(sorted);
  Scale scale;
  Level exact;
  // "7" and "7.0" are the same number and get the same rank and the same name.
  for (const auto& [number, code] : sorted) {
    if (scale.numbers_.empty() || scale.numbers_.back() != number) {
      exact.node_of_rank.push_back(static_cast<std::uint32_t>(exact.nodes.size()));
      exact.nodes.push_back({values[code], 0});
      scale.numbers_.push_back(number);
    }
    scale.ranks_.emplace(values[code], static_cast<Rank>(scale.numbers_.size() - 1));
  }
  scale.levels_.push_back(std::move(exact));
  const double extent = scale.numbers_.back() - scale.numbers_.front();
  for (const std::uint32_t width : widths) {
    Level level;
    double last = 0;
    for (const double number : scale.numbers_) {
      const double start = std::floor(number / width) * width + 0.0;  // no "-0"
      if (level.nodes.empty() || start != last)
        level.nodes.push_back({shown(start) + " to below " + shown(start + width),
                               extent > 0 ? std::min(1.0, width / extent) : 0});
      last = start;
      level.node_of_rank.push_back(static_cast<std::uint32_t>(level.nodes.size() - 1));
    }
    scale.levels_.push_back(std::move(level));
  }
  scale.levels_.push_back({std::vector<std::uint32_t>(scale.numbers_.size(), 0), {{"*", 1}}});
  return scale;
}

Result<Scale> Scale::of_tree(const tables::Table& tree) {
  SOTTO_TRY(check_tree(tree));
  const std::vector<std::uint32_t> order = tree_order(tree);
  Scale scale;
  for (std::size_t level = 0; level < tree.columns().size(); ++level) {
    const auto& column = tree.columns()[level];
    Level out;
    std::vector<std::size_t> leaves;
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
      const std::uint32_t code = column.codes[order[rank]];
      if (rank == 0 || code != column.codes[order[rank - 1]]) {
        out.nodes.push_back({column.values[code], 0});
        leaves.push_back(0);
      }
      ++leaves.back();
      out.node_of_rank.push_back(static_cast<std::uint32_t>(out.nodes.size() - 1));
    }
    for (std::size_t node = 0; node < leaves.size(); ++node)
      if (leaves[node] > 1)
        out.nodes[node].loss =
            static_cast<double>(leaves[node]) / static_cast<double>(order.size());
    scale.levels_.push_back(std::move(out));
  }
  for (Rank rank = 0; rank < order.size(); ++rank)
    scale.ranks_.emplace(tree.cell(order[rank], 0), rank);
  scale.levels_.push_back({std::vector<std::uint32_t>(order.size(), 0), {{"*", 1}}});
  return scale;
}

Scale Scale::of_values(std::vector<std::string> values) {
  std::ranges::sort(values);
  Scale scale;
  Level exact;
  for (std::string& value : values) {
    const auto rank = static_cast<Rank>(exact.nodes.size());
    scale.ranks_.emplace(value, rank);
    exact.node_of_rank.push_back(rank);
    exact.nodes.push_back({std::move(value), 0});
  }
  scale.levels_.push_back(std::move(exact));
  scale.levels_.push_back({std::vector<std::uint32_t>(values.size(), 0), {{"*", 1}}});
  return scale;
}

std::optional<Rank> Scale::rank(std::string_view value) const {
  const auto found = ranks_.find(std::string(value));
  if (found == ranks_.end()) return std::nullopt;
  return found->second;
}

Label Scale::cover(Rank first, Rank last) const {
  if (first == last) return levels_[0].nodes[first];
  if (!numbers_.empty())
    return {levels_[0].nodes[first].text + " to " + levels_[0].nodes[last].text,
            (numbers_[last] - numbers_[first]) / (numbers_.back() - numbers_.front())};
  std::size_t level = 1;
  while (group(level, first) != group(level, last))
    ++level;
  return label(level, first);
}

}  // namespace sotto::anonymisation
