#include "participant/deidentify/anonymisation/findings.h"

#include <algorithm>
#include <map>

namespace sotto::anonymisation {

namespace {

SensitiveFindings findings_of(
    const Sensitive& s,
    const std::map<std::vector<std::uint32_t>, std::vector<std::uint32_t>>& classes) {
  SensitiveFindings out{.name = s.name,
                        .worst = {.distinct = SIZE_MAX, .entropy_l = 1e300},
                        .distance = s.rule.distance};
  for (const auto& [unused, rows] : classes) {
    std::vector<std::uint64_t> counts(s.whole.size());
    for (const std::uint32_t row : rows)
      ++counts[s.value_of_row[row]];
    const Spread spread = spread_of(counts, s.whole, s.rule.distance);
    out.worst.distinct = std::min(out.worst.distinct, spread.distinct);
    out.worst.entropy_l = std::min(out.worst.entropy_l, spread.entropy_l);
    out.worst.t = std::max(out.worst.t, spread.t);
  }
  out.meets = s.rule.met_by(out.worst);
  return out;
}

}  // namespace

bool Findings::meets(const AnonymisationPlan& plan) const {
  return k >= plan.k && std::ranges::all_of(sensitive, &SensitiveFindings::meets);
}

Result<Findings> check(const tables::Table& table, const AnonymisationPlan& plan) {
  std::vector<std::size_t> columns;
  for (const auto& [name, column] : plan.columns) {
    if (column.role != Role::kQuasiIdentifier) continue;
    SOTTO_ASSIGN_OR_RETURN(const auto at, table.find(name));
    columns.push_back(at);
  }
  std::map<std::vector<std::uint32_t>, std::vector<std::uint32_t>> classes;
  for (std::uint32_t row = 0; row < table.rows(); ++row) {
    std::vector<std::uint32_t> codes;
    for (const std::size_t column : columns)
      codes.push_back(table.columns()[column].codes[row]);
    classes[std::move(codes)].push_back(row);
  }
  Findings out{.rows = table.rows(), .classes = classes.size(), .k = table.rows()};
  for (const auto& [unused, rows] : classes) {
    out.k = std::min(out.k, rows.size());
    out.unique_rows += rows.size() == 1 ? 1U : 0U;
    out.rows_below_five += rows.size() < 5 ? rows.size() : 0U;
  }
  SOTTO_ASSIGN_OR_RETURN(const auto sensitive, sensitive_of(table, plan));
  for (const Sensitive& s : sensitive)
    out.sensitive.push_back(findings_of(s, classes));
  return out;
}

}  // namespace sotto::anonymisation
