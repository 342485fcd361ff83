// Microdata is a table in the form that the algorithms use: rows that agree in all
// quasi-identifiers are one tuple, because no generalisation can separate them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "participant/deidentify/anonymisation/class_rules.h"
#include "participant/deidentify/anonymisation/plan.h"
#include "participant/deidentify/anonymisation/scale.h"
#include "participant/deidentify/tables/table.h"

namespace sotto::anonymisation {

/// A sensitive column and its requirements.
struct Sensitive {
  std::string name;
  SpreadRule rule;
  std::vector<std::uint32_t> value_of_row;  // index in the values' order
  std::vector<std::uint64_t> whole;         // rows of each value

  [[nodiscard]] bool is_ordered() const { return rule.distance == Distance::kOrdered; }
};

struct QuasiIdentifier {
  std::string name;
  Scale scale;
};

struct Microdata {
  std::uint32_t k = 1;
  std::vector<QuasiIdentifier> quasi;
  std::vector<Rank> ranks;                          // tuples x quasi
  std::vector<std::vector<std::uint32_t>> rows_of;  // by tuple; each row is in one of them
  std::vector<Sensitive> sensitive;
  std::size_t rows = 0;

  [[nodiscard]] std::size_t tuples() const { return rows_of.size(); }

  [[nodiscard]] Rank rank(std::size_t tuple, std::size_t column) const {
    return ranks[tuple * quasi.size() + column];
  }
};

/// Makes the microdata of a table. Returns an Error where the plan and the table do not have the
/// same columns, at the first cell whose value the plan's scale or order does not contain, and
/// where a hierarchy cannot be read.
Result<Microdata> microdata_of(const tables::Table& table, const AnonymisationPlan& plan);

/// Returns only the sensitive columns of the plan.
Result<std::vector<Sensitive>> sensitive_of(const tables::Table& table,
                                            const AnonymisationPlan& plan);

/// Judge counts the sensitive values of tuples and decides whether the tuples may form one class.
class ClassRules {
 public:
  /// `data` must outlive this object.
  explicit ClassRules(const Microdata& data) : data_(data) {}

  using Counts = std::vector<std::vector<std::uint64_t>>;  // by sensitive column and value

  [[nodiscard]] std::size_t rows(std::span<const std::uint32_t> tuples) const;
  [[nodiscard]] Counts counts(std::span<const std::uint32_t> tuples) const;
  /// Returns whether the tuples have at least k rows and meet every rule against `whole`.
  [[nodiscard]] bool fits(std::span<const std::uint32_t> tuples, const Counts& whole) const;

 private:
  const Microdata& data_;
};

}  // namespace sotto::anonymisation
