// What a run says about itself while it runs and afterwards: plain structs, their JSON lines, the
// console line.
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
#include "common/job/plan.h"
#include "common/tasks/task.h"
#include "common/wire/messages.h"
#include "coordinator/protocol/phase.h"

namespace sotto::coordinator {

/// As reports say it.
inline double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

/// A finished attempt at a round: one line of metrics.jsonl.
struct RoundRecord {
  std::uint64_t server_round = 0;
  std::uint32_t attempt = 0;
  bool closing_evaluation = false;
  wire::RoundStatus status{};
  std::string reason;  // why it has no sum; empty when done
  std::uint32_t cohort = 0;
  std::uint32_t survivors = 0;
  /// Of the model that the round started from, summed over the survivors' declared evaluation
  /// splits.
  std::optional<tasks::Evaluation> evaluation;
  std::string no_evaluation;          // why a done round has none
  std::uint64_t evaluated_round = 0;  // the round after which the model was that
  /// What the survivors declared as the sizes of their evaluation splits: public, and all that is
  /// shown instead of the number of examples that were evaluated.
  std::uint64_t declared_evaluation_examples = 0;
  std::map<std::string, double> phase_s;
  std::uint64_t upload_bytes = 0;  // all survivors' masked vectors
  std::uint64_t values = 0;        // floats in an update
  std::optional<double>
      epsilon;  // example-level, after this attempt, at the job's delta; absent without DP
  /// Participant-level, after this attempt, at distributed_privacy.target_delta: apart from
  /// epsilon.
  std::optional<double> participant_epsilon;
  std::optional<codec::NoisyEncoding> noise;  // inside the sum of a training round
  double wall_s = 0;                          // since the run began
};

/// What a run is doing. The last three are final.
enum class RunState : std::uint8_t {
  kGathering,  // waiting for members to accept the job, or between two rounds
  kRunning,
  kPaused,
  kFinished,
  kFailed,
  kStopped
};

/// What the operator asked for and the coordinator has not done yet.
enum class PendingRequest : std::uint8_t { kNone, kPause, kStop };

enum class MemberState : std::uint8_t {
  kAbsent,
  kOffered,
  kAccepted,
  kRefused,
  kConvicted,  // by evidence: in no further round of the run
  kSuspended  // sums were lost and it alone explains them: in no round until one is lost without it
};

/// What a member is doing in the attempt under way, or did in the last one.
enum class RoundPart : std::uint8_t {
  kNone,       // not in the cohort
  kPreparing,  // keys and shares
  kTraining,
  kUploading,  // its signed head is here, its bytes are being pulled
  kUploaded,   // in the sum
  kLate,       // silent until the end of a phase
  kGone        // left, or the link is down
};

struct MemberStatus {
  MemberId id{};
  std::string name;
  MemberState state{};
  bool connected = false;  // heard of lately
  /// Of a refusal, a conviction, a suspension, or why it is absent: it has another roster.
  std::string reason;
  bool suspected = false;              // one of those who may have spoiled a sum
  std::vector<std::string> conflicts;  // complaints by it and about it in this run, in words
  std::uint64_t misdeeds = 0;     // frames that break the protocol, and floods, since the start
  std::uint64_t links_ended = 0;  // connections, since the start; not by us
  RoundPart part{};
  std::string part_reason;  // of kLate and kGone
  std::string left_out;     // "left out of the next 4 rounds: ..."; empty: it is in them
};

/// Now: the console line, status.json.
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
  tasks::FigureKind headline{};  // what the task is followed by, before there is an evaluation too
  std::optional<tasks::Evaluation> evaluation;
  std::optional<double> epsilon;
  double delta = 0;
  std::optional<double> participant_epsilon;
  double participant_delta = 0;
  std::optional<double> eta_s;
  double wall_s = 0;                      // since the run began
  std::map<std::string, double> phase_s;  // of the attempt under way, this phase's so far included
  std::uint32_t lost_attempts = 0;        // one after the other, up to now
  std::uint32_t roster_version = 0;
  std::uint64_t roster_expiry_unix_s = 0;
  std::string roster_warning;  // in its last 30 days and afterwards
  std::vector<MemberStatus> members;
  Strangers strangers;
};

/// The words that JSON and Prometheus use.
std::string_view name(RunState state);
std::string_view name(PendingRequest request);
std::string_view name(MemberState state);
std::string_view name(RoundPart part);

/// How fast a process goes through a run.
struct Pace {
  std::uint64_t finished_at_start = 0;  // rounds, when this process began
  std::uint64_t finished = 0;
  std::uint64_t num_server_rounds = 0;
  double seconds = 0;  // that this process took
};

/// Until the closing evaluation is done; nothing before this process has finished a round.
std::optional<double> time_left_s(const Pace& pace);

[[nodiscard]] constexpr bool is_final(RunState state) {
  return state == RunState::kFinished || state == RunState::kFailed || state == RunState::kStopped;
}

[[nodiscard]] inline bool is_done(const RoundRecord& record) {
  return record.status == wire::RoundStatus::kDone;
}

/// One object a line, keys sorted.
std::string to_json(const RoundRecord& record);
std::string to_json(const RunStatus& status);
/// "round 3/20 · upload 2/4 · 0.6 MB · accuracy 81.2 % · epsilon 3.1 · 0:41 left"
std::string console_line(const RunStatus& status);
/// The same for a finished round, where there is no terminal to rewrite a line on; of a closing
/// evaluation with the table of its entities.
std::string round_line(const RoundRecord& record, const RunStatus& status);
/// Precision, recall, F1 and support of every kind of entity and of their averages, a line each.
std::string entity_table(const tasks::EntityReport& report);
/// status.json for people, several lines.
std::string describe_status(const std::string& status_json);
/// The value at "a.b" of a JSON object, strings without quotes. Throws StartupError when there is
/// none.
std::string value_at(const std::string& object, const std::string& path);

/// Why the run ends after so many attempts at a round, one after the other, without a sum.
std::string lost_too_often(RoundNumber round, std::uint32_t attempts);
/// The same for the coordinator's people, with why the last of them had none.
std::string lost_too_often(const RoundRecord& last, std::uint32_t attempts);

/// "3", or "3 (attempt 2)".
std::string label(RoundNumber round);

}  // namespace sotto::coordinator
