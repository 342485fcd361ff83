// The operator's wish that no new round begins, kept in a run's folder (as the file `paused`) so
// that it outlives the process: who paused a run for a reason would not want a reboot to end it.
// One thread.
#pragma once

#include <filesystem>

#include "common/base/result.h"

namespace sotto::coordinator {

class StandingPause {
 public:
  /// As an earlier process left it in `folder`.
  void open(const std::filesystem::path& folder);

  [[nodiscard]] bool holds() const { return holds_; }

  /// Durable when they return without an Error; with one nothing has changed.
  Status begin();
  Status end();

 private:
  std::filesystem::path file_;
  bool holds_ = false;
};

}  // namespace sotto::coordinator
