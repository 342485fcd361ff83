// A sink that remembers a run: its events, their lines for people and the newest sample of its
// state.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "coordinator/observability/run_events.h"

namespace sotto::coordinator {

class SeenEvents final : public RunEventSink {
 public:
  void on_event(const RunEvent& event, std::uint64_t) override {
    events.push_back(event);
    if (LogLine line = describe(event); !line.text.empty()) lines.push_back(std::move(line.text));
  }

  void on_status(const RunStatus& sample, std::uint64_t) override { status = sample; }

  /// All events of one type, in order.
  template <class Event>
  [[nodiscard]] std::vector<Event> all() const {
    std::vector<Event> out;
    for (const RunEvent& event : events)
      if (const auto* e = std::get_if<Event>(&event)) out.push_back(*e);
    return out;
  }

  [[nodiscard]] std::string text() const {
    std::string out;
    for (const std::string& line : lines)
      out += line + "\n";
    return out;
  }

  std::vector<RunEvent> events;
  std::vector<std::string> lines;
  RunStatus status;
};

}  // namespace sotto::coordinator
