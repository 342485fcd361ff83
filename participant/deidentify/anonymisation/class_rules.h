// How well the sensitive values of a class hide which of its rows belongs to whom. A class is the
// set of rows of a table that agree in all quasi-identifiers.
#pragma once

#include <cstdint>
#include <span>

namespace sotto::anonymisation {

/// The ground distance of the earth mover's distance between two sensitive values: 1 for every
/// pair, or the number of steps between the two in their order, as a fraction of all.
enum class Distance : std::uint8_t { kEqual, kOrdered };

struct Spread {
  std::size_t distinct = 0;  // distinct l-diversity (Machanavajjhala et al., ICDE 2006)
  double entropy_l = 0;      // e to the entropy of the values: entropy l-diversity, ibidem
  double t = 0;  // earth mover's distance to the whole table (Li, Li, Venkatasubramanian 2007)
};

/// Computes the spread of a class. `counts` has the rows of each sensitive value in the class, in
/// the values' order, at least one not zero; `whole` has those in the table, which contains the
/// class. Both have one entry for each value; a value that the table does not contain is no step in
/// the order.
Spread spread_of(std::span<const std::uint64_t> counts, std::span<const std::uint64_t> whole,
                 Distance distance);

struct SpreadRule {
  double distinct_l = 1;
  double entropy_l = 1;
  double t = 1;
  Distance distance = Distance::kEqual;

  /// Returns whether the rule has a requirement that a class may fail.
  [[nodiscard]] bool asks() const { return distinct_l > 1 || entropy_l > 1 || t < 1; }

  /// Returns whether `spread` meets the rule, up to rounding errors of 1e-9.
  [[nodiscard]] bool met_by(const Spread& spread) const;
};

}  // namespace sotto::anonymisation
