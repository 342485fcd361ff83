// Measurement of a table by the table alone: how many rows share each combination of
// quasi-identifiers, and how the sensitive values are distributed in these classes. It does not
// rely on how the table was made.
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
  bool meets = true;  // whether every class meets the rule of the plan
};

struct Findings {
  std::size_t rows = 0, classes = 0;
  std::size_t k = 0;  // rows of the smallest class
  std::size_t unique_rows = 0;
  std::size_t rows_below_five = 0;  // in classes of fewer than five rows
  std::vector<SensitiveFindings> sensitive;

  /// Returns the mean probability, over the rows of the table, that an attacker who knows the
  /// quasi-identifiers of a person in the table identifies the person's row.
  [[nodiscard]] double mean_risk() const {
    return static_cast<double>(classes) / static_cast<double>(rows);
  }

  [[nodiscard]] bool meets(const AnonymisationPlan& plan) const;
};

/// Measures a table. Every quasi-identifier and every sensitive column of the plan must exist;
/// other columns are ignored. Quasi-identifiers are compared as text.
Result<Findings> check(const tables::Table& table, const AnonymisationPlan& plan);

}  // namespace sotto::anonymisation
