// A bar on the terminal for work that takes longer than two seconds. Nothing is drawn where
// standard error is no terminal.
#pragma once

#include <chrono>
#include <string>

namespace sotto::participant {

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
