// How far the sensitive values of a class hide which of its rows is whose. A class is the rows of a
// table that agree in all quasi-identifiers.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sotto::anonymisation {

/// What a sensitive value costs to be moved into another one, for the earth mover's distance: 1 for
/// every pair, or how many values lie between two in their order, as a part of all.
enum class Distance : std::uint8_t { kEqual, kOrdered };

struct Spread {
  std::size_t distinct = 0;  // distinct l-diversity (Machanavajjhala et al., ICDE 2006)
  double entropy_l = 0;      // e to the entropy of the values: entropy l-diversity, ibidem
  double t =
      0;  // earth mover's distance to the whole table (Li, Li, Venkatasubramanian, ICDE 2007)
};

/// `counts` of each sensitive value in a class, in their order, at least one not zero; `whole` in
/// the table, which the class is a part of. Both have one entry a value; one that the table does
/// not have is no step in the order.
Spread spread_of(std::span<const std::uint64_t> counts, std::span<const std::uint64_t> whole,
                 Distance distance);

struct SpreadRule {
  double distinct_l = 1;
  double entropy_l = 1;
  double t = 1;
  Distance distance = Distance::kEqual;

  /// Whether anything is asked that a class may fail.
  [[nodiscard]] bool asks() const { return distinct_l > 1 || entropy_l > 1 || t < 1; }

  /// Up to rounding errors of 1e-9.
  [[nodiscard]] bool met_by(const Spread& spread) const;
};

}  // namespace sotto::anonymisation
