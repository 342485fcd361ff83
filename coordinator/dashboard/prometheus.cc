#include "coordinator/dashboard/prometheus.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace sotto::coordinator::dashboard {

namespace {

std::string escaped(std::string_view label) {
  std::string out;
  for (char c : label) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return out;
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

template <class Predicate>
double count(const std::vector<MemberStatus>& members, Predicate predicate) {
  return static_cast<double>(std::ranges::count_if(members, predicate));
}

}  // namespace

PrometheusText& PrometheusText::begin(std::string_view type, std::string_view name,
                                      std::string_view help) {
  family_ = name;
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  return *this;
}

PrometheusText& PrometheusText::gauge(std::string_view name, std::string_view help) {
  return begin("gauge", name, help);
}

PrometheusText& PrometheusText::counter(std::string_view name, std::string_view help) {
  return begin("counter", name, help);
}

PrometheusText& PrometheusText::sample(Labels labels, double value) {
  std::string inside;
  for (const auto& [key, label] : labels)
    inside += fmt::format("{}{}=\"{}\"", inside.empty() ? "" : ",", key, escaped(label));
  text_ += family_ + (inside.empty() ? "" : "{" + inside + "}") + " " + number(value) + "\n";
  return *this;
}

void add_members(PrometheusText& out, const std::vector<MemberStatus>& members) {
  out.gauge("sotto_members", "Members of the roster by their answer to the job.");
  for (MemberState state : {MemberState::kAbsent, MemberState::kOffered, MemberState::kAccepted,
                            MemberState::kRefused, MemberState::kOffender, MemberState::kSuspended})
    out.sample({{"state", name(state)}},
               count(members, [&](const MemberStatus& m) { return m.state == state; }));
  out.gauge("sotto_members_connected", "Members from which a frame arrived recently.")
      .sample(count(members, [](const MemberStatus& m) { return m.connected; }));
  out.gauge("sotto_round_members", "Members by their state in the round.");
  for (RoundPart part :
       {RoundPart::kNone, RoundPart::kPreparing, RoundPart::kTraining, RoundPart::kUploading,
        RoundPart::kUploaded, RoundPart::kLate, RoundPart::kGone})
    out.sample({{"part", name(part)}},
               count(members, [&](const MemberStatus& m) { return m.part == part; }));
}

void add_results(PrometheusText& out, const RunStatus& s) {
  if (s.evaluation)
    for (const tasks::Figure& figure : s.evaluation->figures)
      out.gauge("sotto_evaluation_" + std::string(figure.kind.name), figure.kind.help)
          .sample(figure.value);
  if (s.epsilon)
    out.gauge("sotto_epsilon",
              "Epsilon spent of one unit (training example or person), at the job's delta.")
        .sample(*s.epsilon);
  if (s.participant_epsilon)
    out.gauge("sotto_participant_epsilon", "Participant-level epsilon spent.")
        .sample(*s.participant_epsilon);
}

}  // namespace sotto::coordinator::dashboard
