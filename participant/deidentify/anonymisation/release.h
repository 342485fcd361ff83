// A generalised table before it is written: which rows form a class, what stands in their
// quasi-identifiers, and what that cost.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "participant/deidentify/anonymisation/microdata.h"
#include "participant/deidentify/anonymisation/plan.h"
#include "participant/deidentify/tables/table.h"

namespace sotto::anonymisation {

struct ReleasedClass {
  std::vector<Label> labels;  // one a quasi-identifier
  std::vector<std::uint32_t> rows;
};

struct Release {
  std::vector<ReleasedClass> classes;
  std::vector<std::uint32_t> suppressed;  // rows that are left out
};

struct Utility {
  /// Mean normalised certainty penalty of each quasi-identifier over all rows (see Label); 1 for a
  /// row that was left out.
  std::vector<double> ncp;
  double gcp = 0;  // their mean: global certainty penalty (Ghinita et al., VLDB 2007)
  /// Sum of the squared class sizes, and of rows of the table for each row left out (Bayardo and
  /// Agrawal, ICDE 2005).
  double discernibility = 0;
  double mean_class_over_k = 0;  // of the rows that stayed (LeFevre et al., ICDE 2006)
};

Utility utility_of(const Release& release, const Microdata& data);

/// The table that may leave: without the columns whose role is removed, and sorted, because the
/// order of rows can tell whose they are.
std::string released_text(const Release& release, const table::Table& table, const Plan& plan);

}  // namespace sotto::anonymisation
