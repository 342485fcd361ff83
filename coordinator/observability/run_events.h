// The events of a run, as typed facts, and the interface of the sinks that record or show them. The
// coordinator emits an event at the moment of the fact to RunEvents, the list of sinks: the
// console, the signed audit log, TensorBoard and the dashboard (docs/extending.md, "Add a sink").
// The events name types of the coordinator, so they belong to it and not to common/.
//
// metrics.jsonl is not a sink: it is written before the checkpoint of its round and compared with
// it after a crash, so it is part of the run's storage (metrics_log.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "coordinator/observability/run_report.h"
#include "coordinator/protocol/phase.h"

namespace sotto::coordinator {

/// This process drives the run from now on. It is the coordinator's first event; only log lines may
/// precede it.
struct RunStarted {
  bool resumed = false;
  std::filesystem::path folder;       // of the run
  std::uint64_t finished_rounds = 0;  // by the checkpoint that the process starts from
  std::string job;                    // the name of the job
  Bytes32 job_hash{};
  std::uint32_t roster_version = 0;
  Bytes32 roster_hash{};
};

enum class MemberAnswer : std::uint8_t {
  kAccepted,
  kPostponed,
  kDeclined,
  kWithdrew  // declined after it had accepted
};

/// A member's signed answer to the job that differs from its answer before. A member can cause at
/// most Members::kMostAnswers + 1 of them in an hour.
struct MemberAnswered {
  MemberId member{};
  std::string name;
  MemberAnswer answer{};
  std::string reason;  // text from the member, made printable
};

/// The member takes part in no further round, or in none until MemberReturned; durable.
struct MemberExcluded {
  MemberId member{};
  std::string name;
  MemberState state{};  // kOffender or kSuspended
  std::string reason;
};

/// A suspension ended.
struct MemberReturned {
  MemberId member{};
  std::string name;
};

/// Members that the next attempt leaves out, to find out which of them spoiled a sum.
struct MembersLeftOut {
  std::vector<std::string> names;
};

/// Evidence was checked and written to the run's folder, or `finding` gives the reason why it was
/// not.
struct EvidenceKept {
  bool proves = false;  // it proves that a party broke a rule
  std::string finding;  // one sentence: who broke which rule, and the file
};

/// An attempt at a round begins, or continues in the phase in which an earlier process left it.
struct RoundBegan {
  RoundNumber round;
  std::uint32_t cohort = 0;  // members
  Phase phase{};
  bool resumed = false;
};

/// The attempt under way entered a phase. What the phase makes durable is on disk; its first
/// message has not left.
struct PhaseEntered {
  RoundNumber round;
  Phase phase{};
};

/// An attempt ended. The result is durable: the checkpoint where it is done, and its line in
/// metrics.jsonl.
struct RoundEnded {
  RoundRecord record;
};

/// A request of the operator. A pause and its end are durable.
struct OperatorAsked {
  enum class What : std::uint8_t { kPause, kResume, kStopAfterRound, kStopNow } what{};
};

/// The roster expires soon or has expired. Emitted at most once a day.
struct RosterExpires {
  std::string warning;
};

/// The coordinator's last event, unless its process is killed.
struct RunEnded {
  RunState state{};  // is_final()
  std::string reason;
  std::uint64_t finished_rounds = 0;
};

enum class Severity : std::uint8_t { kInfo, kWarning };

/// A line for the operator about anything that has no type of its own.
struct LogLine {
  Severity severity{};
  std::string text;
};

using RunEvent = std::variant<RunStarted, MemberAnswered, MemberExcluded, MemberReturned,
                              MembersLeftOut, EvidenceKept, RoundBegan, PhaseEntered, RoundEnded,
                              OperatorAsked, RosterExpires, RunEnded, LogLine>;

/// Returns the event as a line for people, with its severity. An empty text means that the event
/// needs no line.
LogLine describe(const RunEvent& event);

/// Records or shows a run. Implement it in one file and add it to the list of sinks of the program.
///
/// Thread: all calls come from the coordinator's thread, one at a time. A sink does not call the
/// coordinator or its RunEvents back.
/// Order: events come in the order of the facts, each one before anything that follows from it is
/// sent. Every sink gets every event, in the order in which the sinks were added.
/// Time: the round waits for a sink. A sink may write a file; it does not wait for a network or for
/// another thread.
/// Errors: a sink that the run depends on (the audit log) throws StartupError, which ends the
/// process; later sinks do not get that event. A sink for display handles its own failures.
class RunEventSink {
 public:
  virtual ~RunEventSink() = default;

  /// `unix_s` is the wall clock in seconds since 1970.
  virtual void on_event(const RunEvent& event, std::uint64_t unix_s) = 0;

  /// A sample of the run's state, for display only: at most one every 250 ms while a round runs,
  /// one a second otherwise, and one at once when the state changes by a request or the run ends.
  /// States between two samples are not seen, so nothing durable is derived from it.
  virtual void on_status(const RunStatus& status, std::uint64_t unix_s) {
    (void)status;
    (void)unix_s;
  }
};

/// The list of sinks of one program.
class RunEvents {
 public:
  /// `unix_now` is the wall clock, in seconds since 1970.
  explicit RunEvents(std::function<std::uint64_t()> unix_now) : unix_now_(std::move(unix_now)) {}

  /// `sink` outlives the last emit() and show().
  void add(RunEventSink& sink) { sinks_.push_back(&sink); }

  void emit(const RunEvent& event) const;
  void show(const RunStatus& status) const;

 private:
  std::function<std::uint64_t()> unix_now_;
  std::vector<RunEventSink*> sinks_;
};

}  // namespace sotto::coordinator
