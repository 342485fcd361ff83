// The units that a step of DP-SGD draws: examples, or persons with all of their used examples.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sotto::learning {

/// Immutable; any thread.
class DrawUnits {
 public:
  /// Each of so many examples is a unit.
  explicit DrawUnits(std::size_t examples) : size_(examples) {}

  /// Each person is a unit: the indices of her used examples, none of them empty, of `examples`
  /// examples in all. No index is in two of them.
  DrawUnits(std::vector<std::vector<std::uint64_t>> persons, std::size_t examples);

  [[nodiscard]] std::size_t size() const { return size_; }

  /// Returns the examples of these units, in the order of the units.
  [[nodiscard]] std::vector<std::uint64_t> examples_of(std::vector<std::uint64_t> units) const;

  /// Returns the weight of the clipped gradient of each example: 1/n if its person has n used
  /// examples, so that the weights of a person add up to 1, and 0 if it is not used. Empty where
  /// each example is a unit: all weights are 1.
  [[nodiscard]] std::span<const double> weights() const { return weights_; }

  /// Returns the number of examples that belong to no unit.
  [[nodiscard]] std::size_t unused() const;

 private:
  std::size_t size_;
  std::vector<std::vector<std::uint64_t>> persons_;
  std::vector<double> weights_;
};

}  // namespace sotto::learning
