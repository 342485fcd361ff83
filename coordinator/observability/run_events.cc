#include "coordinator/observability/run_events.h"

namespace sotto::coordinator {

namespace {

std::string sentence(const MemberAnswered& e) {
  switch (e.answer) {
    case MemberAnswer::kAccepted:
      return e.name + " accepts the job";
    case MemberAnswer::kPostponed:
      return e.name + " postpones the job: " + e.reason;
    case MemberAnswer::kDeclined:
      return e.name + " declines the job: " + e.reason;
    case MemberAnswer::kWithdrew:
      return e.name + " withdraws from the job: " + e.reason;
  }
  return "";
}

std::string sentence(const OperatorAsked& e) {
  switch (e.what) {
    case OperatorAsked::What::kPause:
      return "the operator pauses the run";
    case OperatorAsked::What::kResume:
      return "the operator resumes the run";
    case OperatorAsked::What::kStopAfterRound:
      return "the operator stops the run after the current round";
    case OperatorAsked::What::kStopNow:
      return "the operator stops the run";
  }
  return "";
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names)
    out += (out.empty() ? "" : ", ") + name;
  return out;
}

RoundNumber number_of(const RoundRecord& record) {
  return RoundNumber::of(record.server_round, static_cast<std::uint16_t>(record.attempt));
}

struct Describe {
  LogLine operator()(const RunStarted&) const { return {}; }

  LogLine operator()(const MemberAnswered& e) const { return {Severity::kInfo, sentence(e)}; }

  LogLine operator()(const MemberExcluded& e) const {
    if (e.state == MemberState::kOffender) return {};  // EvidenceKept has a line about it
    return {Severity::kWarning, e.name + " is suspended: " + e.reason};
  }

  LogLine operator()(const MemberReturned& e) const {
    return {Severity::kInfo, e.name + " is no longer suspended: a sum was lost without it"};
  }

  LogLine operator()(const MembersLeftOut& e) const {
    return {Severity::kInfo, "the next attempt leaves out " + joined(e.names) +
                                 ", to find the member that causes the lost sums"};
  }

  LogLine operator()(const EvidenceKept& e) const { return {Severity::kWarning, e.finding}; }

  LogLine operator()(const RoundBegan& e) const {
    if (!e.resumed) return {};
    return {Severity::kInfo,
            "round " + label(e.round) + " continues in phase " + std::string(name(e.phase))};
  }

  LogLine operator()(const PhaseEntered&) const { return {}; }

  LogLine operator()(const RoundEnded& e) const {
    if (is_done(e.record)) return {};
    return {Severity::kWarning,
            "round " + label(number_of(e.record)) + " has no sum: " + e.record.reason};
  }

  LogLine operator()(const OperatorAsked& e) const { return {Severity::kInfo, sentence(e)}; }

  LogLine operator()(const RosterExpires& e) const { return {Severity::kWarning, e.warning}; }

  LogLine operator()(const RunEnded& e) const {
    if (e.state != RunState::kFailed) return {};
    return {Severity::kWarning, "the run stops: " + e.reason};
  }

  LogLine operator()(const LogLine& e) const { return e; }
};

}  // namespace

LogLine describe(const RunEvent& event) {
  return std::visit(Describe{}, event);
}

void RunEvents::emit(const RunEvent& event) const {
  const std::uint64_t now = unix_now_();
  for (RunEventSink* sink : sinks_)
    sink->on_event(event, now);
}

void RunEvents::show(const RunStatus& status) const {
  const std::uint64_t now = unix_now_();
  for (RunEventSink* sink : sinks_)
    sink->on_status(status, now);
}

}  // namespace sotto::coordinator
