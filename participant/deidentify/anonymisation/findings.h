// What a table has, measured on the table alone: how many rows share each combination of
// quasi-identifiers, and how the sensitive values lie in these classes. Nothing here trusts how the
// table was made.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "participant/deidentify/anonymisation/microdata.h"
#include "participant/deidentify/anonymisation/plan.h"
#include "participant/deidentify/tables/table.h"

namespace sotto::anonymisation {

struct SensitiveFindings {
  std::string name;
  Spread worst;  // least distinct and entropy_l, largest t, each over all classes
  Distance distance = Distance::kEqual;
  bool meets = true;  // the rule of the plan, in every class
};

struct Findings {
  std::size_t rows = 0, classes = 0;
  std::size_t k = 0;  // rows of the smallest class
  std::size_t unique_rows = 0;
  std::size_t rows_below_five = 0;  // in classes of fewer than five
  std::vector<SensitiveFindings> sensitive;

  /// Whom an attacker who knows the quasi-identifiers of someone in the table picks out, on average
  /// over its rows.
  [[nodiscard]] double mean_risk() const {
    return static_cast<double>(classes) / static_cast<double>(rows);
  }

  [[nodiscard]] bool meets(const Plan& plan) const;
};

/// Every quasi-identifier of the plan and every sensitive column must be there; others are not
/// looked at. Quasi-identifiers are compared as text.
Result<Findings> check(const table::Table& table, const Plan& plan);

}  // namespace sotto::anonymisation
