// RunView is a sink that holds what is shown of a run, for the dashboard, the commands and
// Prometheus. It uses no socket, file or clock, and it keeps a bounded number of rounds and events.
// One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/observability/run_events.h"

namespace sotto::coordinator::dashboard {

struct RunIdentity {
  std::string federation;
  std::string job;     // canonical, JSON
  std::string folder;  // of the run
  std::string version;
  std::uint64_t started_unix_s = 0;  // when this process began
};

/// An event of the run. Ids ascend, also over restarts that are at least a second apart.
struct StreamEvent {
  std::uint64_t id = 0;
  std::string kind;  // "note" or "round"
  std::string data;  // a JSON object in one line
};

/// A condition that needs attention. docs/operations.md describes what to do about each code.
struct Alert {
  std::string code;
  std::string text;
};

/// The position of a reader in the stream of events.
struct Cursor {
  std::uint64_t event = 0;   // the last event that the reader has seen
  std::uint64_t status = 0;  // version of the last status that the reader has seen

  bool operator==(const Cursor&) const = default;
};

struct StreamPart {
  std::string text;  // as Server-sent events; empty when there is nothing new
  Cursor cursor;
};

class RunView final : public RunEventSink {
 public:
  explicit RunView(RunIdentity identity);

  /// Adds the rounds of earlier processes: metrics.jsonl as the coordinator left it.
  void restore(std::string_view metrics_jsonl);

  void on_event(const RunEvent& event, std::uint64_t unix_s) override;
  void on_status(const RunStatus& status, std::uint64_t unix_s) override;

  /// The object of status.json, with the run's names, the alerts and the time since which the state
  /// holds.
  [[nodiscard]] std::string status_json() const;
  /// {"members": [...]}
  [[nodiscard]] std::string members_json() const;

  /// The job as it was signed.
  [[nodiscard]] const std::string& job_json() const { return identity_.job; }

  /// {"rounds": [lines of metrics.jsonl], "next": `from` of the next call, "more": bool}; `from`
  /// counts attempts from 0.
  [[nodiscard]] std::string rounds_json(std::uint64_t from) const;
  /// {"events": [...], "next": id} of the events after `after`.
  [[nodiscard]] std::string events_json(std::uint64_t after) const;
  /// Returns the events that a reader at `cursor` has not seen, with the newest status last.
  [[nodiscard]] StreamPart stream(Cursor cursor) const;
  /// The text format of Prometheus, version 0.0.4.
  [[nodiscard]] std::string prometheus() const;
  [[nodiscard]] std::vector<Alert> alerts() const;

 private:
  struct Totals {
    std::uint64_t done = 0;
    std::uint64_t lost = 0;
    std::uint64_t upload_bytes = 0;
    std::map<std::string, double> phase_s;
  };

  void add_round(const std::string& line);
  void add_event(std::string kind, std::string data);

  RunIdentity identity_;
  RunStatus status_;
  std::uint64_t now_unix_s_ = 0;
  std::uint64_t state_since_unix_s_ = 0;
  std::uint64_t status_version_ = 0;
  std::deque<std::string> rounds_;  // the newest, as lines of metrics.jsonl
  std::uint64_t dropped_rounds_ = 0;
  std::deque<StreamEvent> events_;  // the newest
  std::uint64_t last_event_ = 0;
  std::string why_lost_;  // the status of the last lost attempt
  Totals totals_;
};

}  // namespace sotto::coordinator::dashboard
