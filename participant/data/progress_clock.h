// What reads the clock for the participant's commands: a bar on the terminal for work that takes
// longer than two seconds, nothing where standard error is no terminal; the age of opened records.
#pragma once

#include <chrono>
#include <string>

#include "common/base/ids.h"

namespace sotto::participant {

TimePoint steady_now();

class ProgressBar {
 public:
  explicit ProgressBar(std::string what);
  /// Takes the bar off the terminal.
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// `part` from 0 to 1. Cheap: draws at most five times a second.
  void show(double part);

 private:
  std::string what_;
  std::chrono::steady_clock::time_point next_;
  bool drawn_ = false;
  bool is_terminal_;
};

}  // namespace sotto::participant
