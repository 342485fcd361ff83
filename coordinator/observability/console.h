// Console is a sink that writes the lines of a run to standard error, or one JSON object per round
// to standard output. On a terminal, one line is rewritten with the run's state; elsewhere each
// round has a line. One thread.
#pragma once

#include <functional>

#include "coordinator/observability/run_events.h"

namespace sotto::coordinator {

struct ConsoleOptions {
  bool json = false;
  bool terminal = false;  // standard error is a terminal: one line is rewritten
  /// Seconds since the run began, for the times in the lines. The simulator sets it to real time,
  /// because its run passes in virtual time and its user waits in real time. When empty, the run's
  /// own time is shown.
  std::function<double()> elapsed_s{};
};

class Console final : public RunEventSink {
 public:
  explicit Console(ConsoleOptions options) : options_(std::move(options)) {}

  void on_event(const RunEvent& event, std::uint64_t unix_s) override;
  void on_status(const RunStatus& status, std::uint64_t unix_s) override;

 private:
  void print_round(const RoundRecord& record);
  void print_line(const std::string& text) const;

  [[nodiscard]] bool rewrites() const { return options_.terminal && !options_.json; }

  ConsoleOptions options_;
  RunStatus last_;
};

}  // namespace sotto::coordinator
