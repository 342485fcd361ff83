// Answers leave at fixed times. How long a site computes depends on its data; an answer that waits
// for the next point of a grid of times tells no more than which point it was.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "common/base/ids.h"

namespace sotto::participant {

/// One thread. What is held is a function of the driver, called once.
class HeldAnswers {
 public:
  /// 0: nothing is held.
  explicit HeldAnswers(Duration every) : every_(every) {}

  /// The first of began + every, began + 2 every, ... that is not before `now`; `now` where nothing
  /// is held.
  [[nodiscard]] TimePoint due(TimePoint began, TimePoint now) const;

  /// Calls `answer` at once where nothing is held, else when run_due() is called at due() or later.
  void hold(TimePoint began, TimePoint now, std::function<void()> answer);

  /// Calls what is due, in the order of the times.
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
