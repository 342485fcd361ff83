// Discretised PLD: the privacy loss of one release on an evenly spaced grid (Doroshenko, Ghazi,
// Kamath, Kumar, Manurangsi 2022, "connect the dots"). The result is the least pair of
// distributions on the grid that dominates the true pair, for both directions at once. The
// functions are pure and may be called from any thread.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/result.h"
#include "common/privacy/accounting/mechanism.h"

namespace sotto::privacy {

/// LossGrid is the distribution under P of the loss L = ln(P/Q), on the multiples of `interval`.
/// Mass outside the range is placed at a loss of +infinity. The grid is conservative: every mass is
/// rounded up, and every loss towards less privacy.
struct LossGrid {
  double interval = 0;
  std::int64_t first = 0;      // the least loss, in intervals
  std::vector<double> mass{};  // mass[i]: of loss (first + i) * interval
  double infinite = 0;

  [[nodiscard]] double loss(std::size_t i) const {
    return static_cast<double>(first + static_cast<std::int64_t>(i)) * interval;
  }
};

/// Exponentials returns exp(start + i step) for i = 0, 1, ... to 64 units in the last place.
class Exponentials {
 public:
  Exponentials(double start, double step) : start_(start), step_(step), ratio_(std::exp(step)) {}

  double next() {
    value_ =
        at_ % kExact == 0 ? std::exp(start_ + static_cast<double>(at_) * step_) : value_ * ratio_;
    ++at_;
    return value_;
  }

 private:
  static constexpr std::size_t kExact = 32;

  double start_;
  double step_;
  double ratio_;
  double value_ = 0;
  std::size_t at_ = 0;
};

/// The losses of both directions of a mechanism's adjacency.
struct LossGrids {
  LossGrid remove;  // ln(P/Q) under P
  LossGrid add;     // ln(Q/P) under Q
};

/// Discretises the loss of a mechanism. The range leaves out about `tail` of either distribution,
/// which is counted as an infinite loss. Returns an Error when the grid would have more than 2^23
/// points.
Result<LossGrids> discretise(const Mechanism& mechanism, double interval, double tail);

}  // namespace sotto::privacy
