// The values that a number may have. The class that refuses other values declares the range as a
// constant in its header and checks against it; the configuration's table of fields uses the same
// constant, so that what a file may say and what the code accepts cannot differ.
#pragma once

namespace sotto {

struct Range {
  double min = 0, max = 0;  // both included ...
  bool above_min = false;   // ... unless these exclude them
  bool below_max = false;

  /// False for NaN. Integers above 2^53 are rounded.
  template <class Number>
  [[nodiscard]] constexpr bool contains(Number value) const {
    const auto v = static_cast<double>(value);
    return (above_min ? v > min : v >= min) && (below_max ? v < max : v <= max);
  }
};

}  // namespace sotto
