#include "coordinator/observability/round_board.h"

#include <utility>

#include "common/base/printable.h"

namespace sotto::coordinator {

namespace {

/// Returns true when the member takes no further part in the round.
bool ends_part(RoundEvent::Kind kind) {
  using Kind = RoundEvent::Kind;
  return kind == Kind::kSilent || kind == Kind::kGone || kind == Kind::kDropout;
}

}  // namespace

void RoundBoard::begin(RoundNumber round, const std::vector<MemberId>& cohort, TimePoint now) {
  round_ = round;
  parts_.clear();
  for (MemberId id : cohort)
    parts_[id] = {};
  spent_s_.clear();
  phase_.reset();
  since_ = now;
}

void RoundBoard::on_event(const RoundEvent& event, TimePoint now) {
  using Kind = RoundEvent::Kind;
  if (event.kind == Kind::kPhase) {
    enter(event.phase, now);
    for (auto& [id, p] : parts_)
      if (event.phase == Phase::kUpload && p.part == RoundPart::kPreparing)
        p.part = RoundPart::kTraining;
    return;
  }
  const auto found = parts_.find(event.member);
  if (found == parts_.end()) return;
  Part& p = found->second;
  if (ends_part(event.kind)) {
    drop(event);
  } else if (event.kind == Kind::kUploadProgress) {
    p.part = RoundPart::kUploaded;
  } else if (event.kind == Kind::kAccepted && event.phase == Phase::kUpload &&
             p.part == RoundPart::kTraining) {
    p.part = RoundPart::kUploading;
  }
}

void RoundBoard::drop(const RoundEvent& event) {
  Part& p = parts_.at(event.member);
  if (p.part == RoundPart::kUploaded) return;  // its update is in the sum
  p.part = event.kind == RoundEvent::Kind::kSilent ? RoundPart::kLate : RoundPart::kGone;
  p.reason = printable(event.detail);
}

void RoundBoard::enter(std::optional<Phase> phase, TimePoint now) {
  if (phase_) spent_s_[std::string(name(*phase_))] += seconds(now - since_);
  phase_ = phase;
  since_ = now;
}

std::map<std::string, double> RoundBoard::end(TimePoint now) {
  enter({}, now);
  return std::exchange(spent_s_, {});
}

RunStatus RoundBoard::running(RunStatus status, const RoundProgress& progress,
                              TimePoint now) const {
  status.state = RunState::kRunning;
  status.server_round = round_.server_round();
  status.attempt = round_.attempt();
  status.phase = progress.phase;
  status.done = progress.done;
  status.cohort = progress.cohort;
  status.upload_bytes = progress.upload_bytes;
  status.phase_s = spent_s_;
  if (phase_) status.phase_s[std::string(name(*phase_))] += seconds(now - since_);
  return resting(std::move(status));
}

RunStatus RoundBoard::resting(RunStatus status) const {
  for (MemberStatus& m : status.members) {
    const auto found = parts_.find(m.id);
    if (found == parts_.end()) continue;
    m.part = found->second.part;
    m.part_reason = found->second.reason;
  }
  return status;
}

std::optional<std::string> line_for_log(const RoundEvent& event, RoundNumber round,
                                        Members& members) {
  using Kind = RoundEvent::Kind;
  const std::string phase = std::string(name(event.phase)) + ": ";
  const std::string where = "round " + label(round) + ", " + phase;
  // The detail begins with the name of the message, which may be that of the phase.
  if (event.kind == Kind::kRejected)
    return members.report_violation(
        event.member, event.detail.substr(event.detail.starts_with(phase) ? phase.size() : 0),
        where);
  if (!ends_part(event.kind) && event.kind != Kind::kFailed) return std::nullopt;
  return where + (raw(event.member) == 0 ? "" : members.name_of(event.member) + ": ") +
         printable(event.detail);
}

}  // namespace sotto::coordinator
