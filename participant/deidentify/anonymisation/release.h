// Release is a generalised table before it is written: which rows form a class, what replaces their
// quasi-identifiers, and how much information was lost.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "participant/deidentify/anonymisation/microdata.h"
#include "participant/deidentify/anonymisation/plan.h"
#include "participant/deidentify/tables/table.h"

namespace sotto::anonymisation {

struct ReleasedClass {
  std::vector<Label> labels;  // one for each quasi-identifier
  std::vector<std::uint32_t> rows;
};

struct Release {
  std::vector<ReleasedClass> classes;
  std::vector<std::uint32_t> suppressed;  // rows that are left out
};

struct Utility {
  /// The mean normalised certainty penalty of each quasi-identifier over all rows (see Label); a
  /// row that was left out counts as 1.
  std::vector<double> ncp;
  double gcp = 0;  // their mean: global certainty penalty (Ghinita et al., VLDB 2007)
  /// The sum of the squared class sizes, plus the number of rows of the table for each row left out
  /// (Bayardo and Agrawal, ICDE 2005).
  double discernibility = 0;
  double mean_class_over_k = 0;  // of the rows that were kept (LeFevre et al., ICDE 2006)
};

Utility utility_of(const Release& release, const Microdata& data);

/// Returns the table that may be published: without the columns whose role is removed, and sorted,
/// because the order of rows can reveal to whom they belong.
std::string released_text(const Release& release, const tables::Table& table,
                          const AnonymisationPlan& plan);

}  // namespace sotto::anonymisation
