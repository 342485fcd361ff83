// Range describes the values that a number may have. The class that rejects other values declares
// the range as a constant in its header and checks against it; the configuration's table of fields
// uses the same constant, so that the files and the code always allow the same values.
#pragma once

namespace sotto {

struct Range {
  double min = 0, max = 0;
  bool above_min = false;  // excludes min
  bool below_max = false;  // excludes max

  /// Returns whether `value` is in the range; false for NaN. Integers above 2^53 are rounded.
  template <class Number>
  [[nodiscard]] constexpr bool contains(Number value) const {
    const auto v = static_cast<double>(value);
    return (above_min ? v > min : v >= min) && (below_max ? v < max : v <= max);
  }
};

}  // namespace sotto
