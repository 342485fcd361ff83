// The data that a run reports while it runs and afterwards, as plain structs, with their JSON lines
// and the console line.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/host.h"
#include "common/base/ids.h"
#include "common/encoding/noisy_encoding.h"
#include "common/tasks/task.h"
#include "common/wire/messages.h"
#include "coordinator/protocol/phase.h"

namespace sotto::coordinator {

/// The duration in seconds, as in reports.
inline double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

/// A finished attempt at a round: one line of metrics.jsonl.
struct RoundRecord {
  std::uint64_t server_round = 0;
  std::uint32_t attempt = 0;
  bool closing_evaluation = false;
  wire::RoundStatus status{};
  std::string reason;  // why there is no sum; empty when done
  std::uint32_t cohort = 0;
  std::uint32_t survivors = 0;
  /// The evaluation of the model that the round started from, summed over the survivors' declared
  /// evaluation splits.
  std::optional<tasks::Evaluation> evaluation;
  std::string no_evaluation;          // why a done round has no evaluation
  std::uint64_t evaluated_round = 0;  // the round whose result that model is
  /// The sum of the sizes that the survivors declared for their evaluation splits. It is public and
  /// is shown instead of the number of examples that were evaluated.
  std::uint64_t declared_evaluation_examples = 0;
  std::map<std::string, double> phase_s;
  std::uint64_t upload_bytes = 0;  // of all survivors' masked vectors
  std::uint64_t values = 0;        // number of floats in an update
  /// Example-level, after this attempt, at the job's delta; absent without DP.
  std::optional<double> epsilon;
  /// Participant-level, after this attempt, at distributed_privacy.target_delta. It is separate
  /// from epsilon.
  std::optional<double> participant_epsilon;
  std::optional<encoding::NoisyEncoding> noise;  // inside the sum of a training round
  double wall_s = 0;                             // since the run began
};

/// The state of a run. The last three are final.
enum class RunState : std::uint8_t {
  kGathering,  // waiting for members to accept the job, or between two rounds
  kRunning,
  kPaused,
  kFinished,
  kFailed,
  kStopped
};

/// A request of the operator that the coordinator has not carried out yet.
enum class PendingRequest : std::uint8_t { kNone, kPause, kStop };

enum class MemberState : std::uint8_t {
  kAbsent,
  kOffered,
  kAccepted,
  kRefused,
  kOffender,  // by evidence: in no further round of the run
  kSuspended  // it alone explains lost sums: in no round until one is lost without it
};

/// The progress of a member in the attempt under way, or in the last one.
enum class RoundPart : std::uint8_t {
  kNone,       // not in the cohort
  kPreparing,  // keys and shares
  kTraining,
  kUploading,  // its header has arrived, its bytes are being pulled
  kUploaded,   // in the sum
  kLate,       // silent until the end of a phase
  kGone        // it left or its connection ended
};

struct MemberStatus {
  MemberId id{};
  std::string name;
  MemberState state{};
  bool connected = false;  // has sent a Hello lately
  /// The reason of a refusal, a conviction or a suspension, or of its absence when it uses another
  /// roster.
  std::string reason;
  bool suspected = false;              // may have spoiled a sum
  std::vector<std::string> conflicts;  // sentences on complaints by it and about it in this run
  std::uint64_t violations = 0;        // protocol violations, since the process began
  std::uint64_t links_ended = 0;       // connections that ended, since the process began
  RoundPart part{};
  std::string part_reason;  // for kLate and kGone
  std::string left_out;     // "left out of the next 4 rounds: ..."; empty when it is in them
};

/// The current state, for the console line and status.json.
struct RunStatus {
  RunState state{};
  std::string detail;
  PendingRequest asked{};
  std::uint64_t server_round = 0;
  std::uint64_t num_server_rounds = 0;
  std::uint32_t attempt = 0;
  std::optional<Phase> phase;  // of the attempt under way
  std::uint32_t done = 0;
  std::uint32_t cohort = 0;
  std::uint64_t upload_bytes = 0;
  tasks::FigureKind headline{};  // the task's main figure, also before the first evaluation
  std::optional<tasks::Evaluation> evaluation;
  std::string_view unit = "example";  // what epsilon is about: differential_privacy.unit
  std::optional<double> epsilon;
  double delta = 0;
  std::optional<double> participant_epsilon;
  double participant_delta = 0;
  std::optional<double> eta_s;
  double wall_s = 0;  // since the run began
  /// Seconds of each phase of the attempt under way, including the current phase so far.
  std::map<std::string, double> phase_s;
  std::uint32_t lost_attempts = 0;  // consecutive, up to now
  std::uint32_t roster_version = 0;
  std::uint64_t roster_expiry_unix_s = 0;
  std::string roster_warning;  // set in its last 30 days and afterwards
  std::vector<MemberStatus> members;
  UnauthenticatedConnections unauthenticated;
};

/// The names that JSON and Prometheus use.
std::string_view name(RunState state);
std::string_view name(PendingRequest request);
std::string_view name(MemberState state);
std::string_view name(RoundPart part);

/// The speed of a process in a run.
struct Pace {
  std::uint64_t finished_at_start = 0;  // finished rounds when this process began
  std::uint64_t finished = 0;
  std::uint64_t num_server_rounds = 0;
  double seconds = 0;  // time that this process has taken
};

/// Returns the estimated seconds until the closing evaluation is done; nothing before this process
/// has finished a round.
std::optional<double> time_left_s(const Pace& pace);

[[nodiscard]] constexpr bool is_final(RunState state) {
  return state == RunState::kFinished || state == RunState::kFailed || state == RunState::kStopped;
}

[[nodiscard]] inline bool is_done(const RoundRecord& record) {
  return record.status == wire::RoundStatus::kDone;
}

/// One JSON object in one line, with sorted keys.
std::string to_json(const RoundRecord& record);
std::string to_json(const RunStatus& status);
/// "round 3/20 · upload 2/4 · 0.6 MB · accuracy 81.2 % · epsilon 3.1 · 0:41 left"
std::string console_line(const RunStatus& status);
/// The line of a finished round, for output without a terminal; for a closing evaluation followed
/// by the table of its entities.
std::string round_line(const RoundRecord& record, const RunStatus& status);
/// Precision, recall, F1 and support of every kind of entity and of the averages, one line each.
std::string entity_table(const tasks::EntityReport& report);
/// The content of status.json as text of several lines.
std::string describe_status(const std::string& status_json);
/// Returns the value at "a.b" of a JSON object, strings without quotes. Throws StartupError when
/// there is none.
std::string value_at(const std::string& object, const std::string& path);

/// The reason why the run ends after so many consecutive attempts at a round without a sum.
std::string lost_too_often(RoundNumber round, std::uint32_t attempts);
/// The same for the coordinator's operator, with the reason why the last attempt had no sum.
std::string lost_too_often(const RoundRecord& last, std::uint32_t attempts);

/// "3", or "3 (attempt 2)".
std::string label(RoundNumber round);

}  // namespace sotto::coordinator
