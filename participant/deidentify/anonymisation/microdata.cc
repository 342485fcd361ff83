#include "participant/deidentify/anonymisation/microdata.h"

#include <algorithm>
#include <map>

namespace sotto::anonymisation {

namespace {

constexpr std::string_view kUnknownValue =
    "the plan does not contain the value of this cell; compare the spelling";

Status same_columns(const tables::Table& table, const AnonymisationPlan& plan) {
  for (const auto& [name, unused] : plan.columns)
    if (const auto column = table.find(name); !column.ok()) return column.error();
  for (const auto& column : table.columns())
    if (!plan.columns.contains(column.name))
      return Error{table.name() + ":1:1: the plan gives no role to column " + column.name +
                   "; every column needs one of quasi_identifier, sensitive, kept, removed"};
  return {};
}

Result<Scale> scale_of(const tables::Table& table, std::size_t column, const ColumnPlan& plan) {
  if (plan.kind == ColumnKind::kNumber) return Scale::of_numbers(table, column, plan.widths);
  const auto& values = table.columns()[column].values;
  if (plan.hierarchy.empty()) return Scale::of_values(values);
  SOTTO_ASSIGN_OR_RETURN(const auto tree, tables::Table::read(plan.hierarchy));
  SOTTO_ASSIGN_OR_RETURN(auto scale, Scale::of_tree(tree));
  for (std::uint32_t code = 0; code < values.size(); ++code)
    if (!scale.rank(values[code]))
      return table.error_at_code(column, code,
                                 "the value of this cell is not in " + plan.hierarchy.string());
  return scale;
}

/// Returns for each code the position of its value in the order of a sensitive column.
Result<std::vector<std::uint32_t>> places_of(const tables::Table& table, std::size_t column,
                                             const ColumnPlan& plan) {
  const auto& values = table.columns()[column].values;
  std::vector<std::uint32_t> places;
  if (plan.kind == ColumnKind::kNumber) {
    SOTTO_ASSIGN_OR_RETURN(const auto numbers, Scale::of_numbers(table, column, {}));
    for (const std::string& value : values)
      places.push_back(numbers.rank(value).value());
    return places;
  }
  for (std::uint32_t code = 0; code < values.size(); ++code) {
    if (plan.order.empty()) {
      places.push_back(code);
      continue;
    }
    const auto found = std::ranges::find(plan.order, values[code]);
    if (found == plan.order.end()) return table.error_at_code(column, code, kUnknownValue);
    places.push_back(static_cast<std::uint32_t>(found - plan.order.begin()));
  }
  return places;
}

}  // namespace

Result<std::vector<Sensitive>> sensitive_of(const tables::Table& table,
                                            const AnonymisationPlan& plan) {
  std::vector<Sensitive> out;
  for (const auto& [name, column] : plan.columns) {
    if (column.role != Role::kSensitive) continue;
    SOTTO_ASSIGN_OR_RETURN(const auto at, table.find(name));
    SOTTO_ASSIGN_OR_RETURN(const auto places, places_of(table, at, column));
    Sensitive s{.name = name,
                .rule = {.distinct_l = column.distinct_l,
                         .entropy_l = column.entropy_l,
                         .t = column.t,
                         .distance = column.distance}};
    s.whole.resize(std::max<std::size_t>(column.order.size(), 1 + std::ranges::max(places)));
    for (const std::uint32_t code : table.columns()[at].codes) {
      s.value_of_row.push_back(places[code]);
      ++s.whole[places[code]];
    }
    out.push_back(std::move(s));
  }
  return out;
}

Result<Microdata> microdata_of(const tables::Table& table, const AnonymisationPlan& plan) {
  SOTTO_TRY(same_columns(table, plan));
  Microdata data{.k = plan.k, .rows = table.rows()};
  std::vector<std::size_t> columns;
  // Columns are visited in the table's order, which decides ties.
  for (std::size_t at = 0; at < table.columns().size(); ++at) {
    const std::string& name = table.columns()[at].name;
    const ColumnPlan& column = plan.columns.at(name);
    if (column.role != Role::kQuasiIdentifier) continue;
    SOTTO_ASSIGN_OR_RETURN(auto scale, scale_of(table, at, column));
    data.quasi.push_back({name, std::move(scale)});
    columns.push_back(at);
  }
  std::vector<std::vector<Rank>> rank_of_code(columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i)
    for (const std::string& value : table.columns()[columns[i]].values)
      rank_of_code[i].push_back(data.quasi[i].scale.rank(value).value());
  std::map<std::vector<Rank>, std::uint32_t> tuple_of;
  for (std::uint32_t row = 0; row < table.rows(); ++row) {
    std::vector<Rank> ranks;
    for (std::size_t i = 0; i < columns.size(); ++i)
      ranks.push_back(rank_of_code[i][table.columns()[columns[i]].codes[row]]);
    const auto [found, fresh] =
        tuple_of.try_emplace(ranks, static_cast<std::uint32_t>(data.rows_of.size()));
    if (fresh) {
      data.ranks.insert(data.ranks.end(), ranks.begin(), ranks.end());
      data.rows_of.emplace_back();
    }
    data.rows_of[found->second].push_back(row);
  }
  SOTTO_ASSIGN_OR_RETURN(auto sensitive, sensitive_of(table, plan));
  data.sensitive = std::move(sensitive);
  return data;
}

std::size_t ClassRules::rows(std::span<const std::uint32_t> tuples) const {
  std::size_t rows = 0;
  for (const std::uint32_t tuple : tuples)
    rows += data_.rows_of[tuple].size();
  return rows;
}

ClassRules::Counts ClassRules::counts(std::span<const std::uint32_t> tuples) const {
  Counts out;
  for (const Sensitive& s : data_.sensitive) {
    auto& counts = out.emplace_back(s.whole.size(), 0);
    if (!s.rule.asks()) continue;
    for (const std::uint32_t tuple : tuples)
      for (const std::uint32_t row : data_.rows_of[tuple])
        ++counts[s.value_of_row[row]];
  }
  return out;
}

bool ClassRules::fits(std::span<const std::uint32_t> tuples, const Counts& whole) const {
  if (rows(tuples) < data_.k) return false;
  const Counts here = counts(tuples);
  for (std::size_t i = 0; i < here.size(); ++i) {
    const SpreadRule& rule = data_.sensitive[i].rule;
    if (rule.asks() && !rule.met_by(spread_of(here[i], whole[i], rule.distance))) return false;
  }
  return true;
}

}  // namespace sotto::anonymisation
