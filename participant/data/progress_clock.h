// The clock of the participant's commands: a progress bar for work that takes longer than two
// seconds (none where standard error is not a terminal), and the time source for the age of opened
// records.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "common/base/ids.h"

namespace sotto::participant {

TimePoint steady_now();

class ProgressBar {
 public:
  explicit ProgressBar(std::string what);
  /// Removes the bar from the terminal.
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// Updates the bar; `part` is from 0 to 1. Cheap: it draws at most five times a second.
  void show(double part) { show(part, {}); }

  /// Adds the rate of `done` units so far ("texts") and the time that the rest will take. A
  /// negative `part` is unknown: the bar then shows what is done alone.
  void show(double part, std::uint64_t done, const char* units);

 private:
  void show(double part, const std::string& note);

  std::string what_;
  std::chrono::steady_clock::time_point begin_;
  std::chrono::steady_clock::time_point next_;
  bool drawn_ = false;
  bool is_terminal_;
};

}  // namespace sotto::participant
