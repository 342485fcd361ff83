// LossWatch decides from the losses of a run's local steps whether training makes progress, with
// robust statistics. There is one object for each run and site. Its results never leave the site.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sotto::learning {

class LossWatch {
 public:
  /// `steps` is the number of local steps of the whole run.
  explicit LossWatch(std::uint64_t steps);

  /// Adds the mean loss of the examples drawn in step `step` (from 0). The loss is finite; a step
  /// that drew no example is not added. A step that comes again, in another attempt at its round,
  /// replaces the points from that step on.
  ///
  /// Returns a warning at each eighth of the run, from its first quarter on, if the median of the
  /// newest losses has not fallen below that of the first ones; from half of the run on, if it has
  /// not fallen by more than their own spread. At a site that joined after the run's first step the
  /// loss may have no room left to fall, so there only a rise is reported.
  std::optional<std::string> add(std::uint64_t step, double mean_loss);

 private:
  struct Point {
    std::uint64_t step;
    double loss;
  };

  [[nodiscard]] std::optional<std::string> judge() const;

  std::uint64_t steps_;
  std::size_t start_, window_;  // points at the beginning and at the end that are compared
  std::vector<Point> points_;   // ascending
};

}  // namespace sotto::learning
