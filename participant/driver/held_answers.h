// HeldAnswers delays the answers of a site to the points of a fixed grid of times. The time that a
// site computes depends on its data, so an answer that is sent as soon as it is ready is a timing
// channel. An answer that waits for the next point of the grid tells only which point that was.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "common/base/ids.h"

namespace sotto::participant {

/// Holds functions of the driver and calls each of them once, when its time has come. Use from one
/// thread.
class HeldAnswers {
 public:
  /// `every` is the distance between two points of the grid. With 0 no answer is delayed.
  explicit HeldAnswers(Duration every) : every_(every) {}

  /// Returns the first of began + every, began + 2 every, ... that is not before `now`, or `now` if
  /// `every` is 0.
  [[nodiscard]] TimePoint due(TimePoint began, TimePoint now) const;

  /// Calls `answer` at once if it is due, otherwise from the run_due() that is called at due() or
  /// later.
  void hold(TimePoint began, TimePoint now, std::function<void()> answer);

  /// Calls the functions that are due, in the order of their times.
  void run_due(TimePoint now);

  [[nodiscard]] std::optional<TimePoint> next() const;

 private:
  struct Held {
    TimePoint at;
    std::function<void()> answer;
  };

  Duration every_;
  std::vector<Held> held_;  // ascending
};

}  // namespace sotto::participant
