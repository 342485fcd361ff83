// StatusFile is a sink that writes FOLDER/status.json, the newest sample of a run's state. The file
// is for people, and for the command `status` where no coordinator runs, so a failure to write it
// is ignored. One thread.
#pragma once

#include <filesystem>
#include <optional>
#include <utility>

#include "coordinator/observability/run_events.h"

namespace sotto::coordinator {

class StatusFile final : public RunEventSink {
 public:
  /// `folder` is that of the run; it exists when the first sample arrives.
  explicit StatusFile(std::filesystem::path folder) : folder_(std::move(folder)) {}

  void on_event(const RunEvent&, std::uint64_t) override {}

  /// Writes at once when the state or the operator's request differs from the file, and otherwise
  /// every second while a round runs and every five seconds between rounds.
  void on_status(const RunStatus& status, std::uint64_t unix_s) override;

 private:
  struct Written {
    RunState state{};
    PendingRequest asked{};
    double wall_s = 0;
  };

  std::filesystem::path folder_;
  std::optional<Written> last_;
};

}  // namespace sotto::coordinator
