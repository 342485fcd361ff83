// Whether training learns anything: what the losses of a run's local steps say, robustly. One per
// run and site; never leaves the site.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sotto::learning {

class LossWatch {
 public:
  /// `steps`: local steps of the whole run.
  explicit LossWatch(std::uint64_t steps);

  /// The mean loss of the examples drawn in step `step` (from 0), finite; nothing drawn is nothing
  /// to add. A step again, in another attempt at its round, replaces what came from it on. From a
  /// quarter of the run on, at every eighth of it, a sentence for people where the median of the
  /// newest losses has not fallen below that of the first ones; from half of the run on, where it
  /// has not fallen by more than their own spread. A site that came later than the run's first step
  /// may find a loss that has nowhere left to fall: there only a rise is told.
  std::optional<std::string> add(std::uint64_t step, double mean_loss);

 private:
  struct Point {
    std::uint64_t step;
    double loss;
  };

  [[nodiscard]] std::optional<std::string> judge() const;

  std::uint64_t steps_;
  std::size_t start_, window_;  // steps at the beginning and at the end that are compared
  std::vector<Point> points_;   // ascending
};

}  // namespace sotto::learning
