// Sink: the lines of a run on standard error, or one JSON object a round on standard output. On a
// terminal one line is rewritten with the run's state; elsewhere each round gets a line. One
// thread.
#pragma once

#include <functional>

#include "coordinator/observability/run_events.h"

namespace sotto::coordinator {

struct ConsoleOptions {
  bool json = false;
  bool terminal = false;  // standard error is one, and a line may be rewritten
  /// Seconds since the run began, for what the lines say about time: the simulator's run passes in
  /// virtual time, its user waits in real time. Without it the run's own time is shown.
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
