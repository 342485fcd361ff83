// StandingPause keeps the operator's request that no new round begins, as the file `paused` in a
// run's folder, so that a restart does not end the pause. One thread.
#pragma once

#include <filesystem>

#include "common/base/result.h"

namespace sotto::coordinator {

class StandingPause {
 public:
  /// Reads what an earlier process left in `folder`.
  void open(const std::filesystem::path& folder);

  [[nodiscard]] bool holds() const { return holds_; }

  /// Durable when they return OK. After an Error nothing has changed.
  Status begin();
  Status end();

 private:
  std::filesystem::path file_;
  bool holds_ = false;
};

}  // namespace sotto::coordinator
