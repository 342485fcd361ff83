#include "coordinator/observability/run_report.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/base/printable.h"
#include "common/config/choices.h"

namespace sotto::coordinator {

namespace {

using nlohmann::json;

/// Numbers of evaluated units are published once per run, for the closing evaluation: the
/// difference between the numbers of two rounds would reveal that of a member which was in one of
/// them only.
enum class Counts : std::uint8_t { kLeftOut, kIncluded };

json as_json(const tasks::EntityScore& s, Counts counts) {
  json out = {{"precision", s.precision}, {"recall", s.recall}, {"f1", s.f1}};
  if (counts == Counts::kIncluded) out["support"] = s.support;
  return out;
}

json as_json(const tasks::EntityReport& r, Counts counts) {
  json labels = json::array();  // an array, because an object would lose the job's order
  for (const auto& [label, score] : r.labels) {
    labels.push_back(as_json(score, counts));
    labels.back()["label"] = label;
  }
  return {{"labels", labels},
          {"micro", as_json(r.micro, counts)},
          {"macro", as_json(r.macro, counts)},
          {"weighted", as_json(r.weighted, counts)}};
}

/// A figure that is part of the entity table is written in that table only.
json as_json(const tasks::Evaluation& e, Counts counts = Counts::kLeftOut) {
  json out = json::object();
  for (const tasks::Figure& figure : e.figures)
    if (figure.kind.place.rfind('/') == 0) out[std::string(figure.kind.name)] = figure.value;
  if (e.entities) out["entities"] = as_json(*e.entities, counts);
  return out;
}

/// Returns the fields by which a reader of evaluations finds and shows the figure.
json as_json(const tasks::FigureKind& kind) {
  return {{"title", kind.title}, {"place", kind.place}, {"is_share", kind.is_share}};
}

/// "accuracy 81.2 %"
std::string in_words(const tasks::FigureKind& kind, double value) {
  return std::string(kind.title) + " " + shown(kind, value);
}

/// The same for an evaluation in status.json.
std::string headline_of(const json& headline, const json& evaluation) {
  const std::string title = headline.value("title", "");
  const json::json_pointer place(headline.value("place", ""));
  return in_words({.title = title, .is_share = headline.value("is_share", false)},
                  evaluation.value(place, 0.0));
}

std::string headline_of(const tasks::Evaluation& e) {
  return in_words(e.headline, e.value(e.headline.name));
}

/// JSON has no infinity: null means that there is no bound.
json finite(double value) {
  return std::isfinite(value) ? json(value) : json(nullptr);
}

/// Returns the fields by which a reader repeats the accounting of the round.
json as_json(const encoding::NoisyEncoding& n) {
  return {{"mechanism", config::word_of(n.round.mechanism)},
          {"variance", static_cast<double>(n.round.variance) / privacy::kVarianceUnit},
          {"unknown_noises", n.round.unknown_noises},
          {"squared_sensitivity", n.round.squared_sensitivity},
          {"dimension", n.round.dimension},
          {"steps_per_unit", n.steps_per_unit},
          {"clipping_norm", n.clipping_norm}};
}

}  // namespace

std::string_view name(RunState state) {
  switch (state) {
    case RunState::kGathering:
      return "gathering";
    case RunState::kRunning:
      return "running";
    case RunState::kPaused:
      return "paused";
    case RunState::kFinished:
      return "finished";
    case RunState::kFailed:
      return "failed";
    case RunState::kStopped:
      return "stopped";
  }
  return "";
}

std::string_view name(PendingRequest request) {
  switch (request) {
    case PendingRequest::kNone:
      return "";
    case PendingRequest::kPause:
      return "pause";
    case PendingRequest::kStop:
      return "stop";
  }
  return "";
}

std::string_view name(MemberState state) {
  switch (state) {
    case MemberState::kAbsent:
      return "absent";
    case MemberState::kOffered:
      return "offered";
    case MemberState::kAccepted:
      return "accepted";
    case MemberState::kRefused:
      return "refused";
    case MemberState::kOffender:
      return "convicted";
    case MemberState::kSuspended:
      return "suspended";
  }
  return "";
}

std::string_view name(RoundPart part) {
  switch (part) {
    case RoundPart::kNone:
      return "none";
    case RoundPart::kPreparing:
      return "preparing";
    case RoundPart::kTraining:
      return "training";
    case RoundPart::kUploading:
      return "uploading";
    case RoundPart::kUploaded:
      return "uploaded";
    case RoundPart::kLate:
      return "late";
    case RoundPart::kGone:
      return "gone";
  }
  return "";
}

namespace {

/// A line about unauthenticated connections; empty when there were none.
std::string unauthenticated(const json& counts) {
  const auto at = [&](const char* key) { return counts.value(key, std::uint64_t{0}); };
  if (at("refused_keys") + at("came_to_nothing") + at("shed") == 0) return "";
  return fmt::format(
      "\n  unauthenticated connections: {} with a key that is not in the roster, {} that ended "
      "before they sent a frame, {} closed by the coordinator",
      at("refused_keys"), at("came_to_nothing"), at("shed"));
}

}  // namespace

std::optional<double> time_left_s(const Pace& pace) {
  if (pace.finished <= pace.finished_at_start) return std::nullopt;
  const std::uint64_t all = pace.num_server_rounds + 1;  // and the closing evaluation
  const auto left = static_cast<double>(all - std::min(pace.finished, all));
  return pace.seconds / static_cast<double>(pace.finished - pace.finished_at_start) * left;
}

std::string to_json(const RoundRecord& r) {
  json out = {{"server_round", r.server_round},
              {"attempt", r.attempt},
              {"closing_evaluation", r.closing_evaluation},
              {"status", is_done(r) ? "done" : r.reason},
              {"cohort", r.cohort},
              {"survivors", r.survivors},
              {"phase_s", r.phase_s},
              {"upload_bytes", r.upload_bytes},
              {"values", r.values},
              {"wall_s", r.wall_s}};
  // The evaluation is that of the model with which the round began.
  if (r.evaluation) {
    out["evaluated_round"] = r.evaluated_round;
    out["declared_evaluation_examples"] = r.declared_evaluation_examples;
    out["evaluation"] =
        as_json(*r.evaluation, r.closing_evaluation ? Counts::kIncluded : Counts::kLeftOut);
  }
  if (!r.no_evaluation.empty()) out["no_evaluation"] = r.no_evaluation;
  if (r.epsilon) out["epsilon"] = *r.epsilon;
  if (r.participant_epsilon) out["participant_epsilon"] = finite(*r.participant_epsilon);
  if (r.noise) out["noise"] = as_json(*r.noise);
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string to_json(const RunStatus& s) {
  json out = {{"state", name(s.state)},
              {"detail", s.detail},
              {"asked", name(s.asked)},
              {"server_round", s.server_round},
              {"num_server_rounds", s.num_server_rounds},
              {"attempt", s.attempt},
              {"phase", s.phase ? name(*s.phase) : ""},
              {"phase_s", s.phase_s},
              {"wall_s", s.wall_s},
              {"lost_attempts", s.lost_attempts},
              {"done", s.done},
              {"cohort", s.cohort},
              {"upload_bytes", s.upload_bytes},
              {"unit", s.unit},
              {"delta", s.delta}};
  out["headline"] = as_json(s.headline);
  if (s.evaluation) out["evaluation"] = as_json(*s.evaluation);
  if (s.epsilon) out["epsilon"] = *s.epsilon;
  if (s.participant_epsilon) {
    out["participant_epsilon"] = finite(*s.participant_epsilon);
    out["participant_delta"] = s.participant_delta;
  }
  if (s.eta_s) out["eta_s"] = *s.eta_s;
  out["roster"] = {{"version", s.roster_version},
                   {"expiry_unix_s", s.roster_expiry_unix_s},
                   {"warning", s.roster_warning}};
  out["members"] = json::array();
  for (const MemberStatus& m : s.members) {
    out["members"].push_back({{"id", raw(m.id)},
                              {"name", m.name},
                              {"state", name(m.state)},
                              {"connected", m.connected},
                              {"reason", m.reason},
                              {"suspected", m.suspected},
                              {"conflicts", m.conflicts},
                              {"part", name(m.part)},
                              {"part_reason", m.part_reason},
                              {"left_out", m.left_out},
                              {"links_ended", m.links_ended},
                              {"misdeeds", m.violations}});
  }
  out["strangers"] = {{"refused_keys", s.unauthenticated.refused_keys},
                      {"came_to_nothing", s.unauthenticated.ended_early},
                      {"shed", s.unauthenticated.shed}};
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string console_line(const RunStatus& s) {
  if (s.state == RunState::kGathering) {
    std::size_t accepted = 0;
    for (const MemberStatus& m : s.members)
      accepted += m.state == MemberState::kAccepted ? 1 : 0;
    return fmt::format("waiting for members: {}/{} have accepted the job", accepted,
                       s.members.size());
  }
  if (s.state == RunState::kPaused) return fmt::format("paused after round {}", s.server_round);
  std::string line = s.server_round > s.num_server_rounds
                         ? std::string("closing evaluation")
                         : fmt::format("round {}/{}", s.server_round, s.num_server_rounds);
  if (s.phase) line += fmt::format(" · {} {}/{}", name(*s.phase), s.done, s.cohort);
  if (s.upload_bytes > 0)
    line += fmt::format(" · {:.2f} MB up", static_cast<double>(s.upload_bytes) / 1e6);
  if (s.evaluation) line += " · " + headline_of(*s.evaluation);
  if (s.epsilon) line += fmt::format(" · epsilon {:.2f}", *s.epsilon);
  if (s.participant_epsilon)
    line += fmt::format(" · participant epsilon {:.2f}", *s.participant_epsilon);
  if (s.asked != PendingRequest::kNone)
    return line + fmt::format(" · will {} after this round", name(s.asked));
  if (s.eta_s) {
    const auto left = static_cast<std::uint64_t>(*s.eta_s + 0.5);
    line += fmt::format(" · {}:{:02} left", left / 60, left % 60);
  }
  return line;
}

std::string round_line(const RoundRecord& r, const RunStatus& s) {
  std::string line = r.closing_evaluation
                         ? std::string("closing evaluation")
                         : fmt::format("round {}/{}", r.server_round, s.num_server_rounds);
  line += fmt::format(" · {}/{} participants", r.survivors, r.cohort);
  if (r.upload_bytes > 0)
    line += fmt::format(" · {:.2f} MB up", static_cast<double>(r.upload_bytes) / 1e6);
  if (r.evaluation) {
    line += fmt::format(" · held-out {} (after round {})", headline_of(*r.evaluation),
                        r.server_round - 1);
  }
  if (!r.no_evaluation.empty()) line += " · no evaluation (" + r.no_evaluation + ")";
  if (r.epsilon) line += fmt::format(" · epsilon {:.2f}", *r.epsilon);
  if (r.participant_epsilon)
    line += fmt::format(" · participant epsilon {:.2f}", *r.participant_epsilon);
  line += fmt::format(" · {:.0f} s", r.wall_s);
  if (s.eta_s) line += fmt::format(" · {:.0f} s left", *s.eta_s);
  if (r.closing_evaluation && r.evaluation && r.evaluation->entities)
    line += "\n" + entity_table(*r.evaluation->entities);
  return line;
}

std::string entity_table(const tasks::EntityReport& report) {
  std::string out = fmt::format("  {:<28}{:>10}{:>10}{:>10}{:>10}", "entities", "precision",
                                "recall", "F1", "support");
  const auto row = [&out](const std::string& what, const tasks::EntityScore& s) {
    out += fmt::format("\n  {:<28}{:>8.1f} %{:>8.1f} %{:>8.1f} %{:>10}", what, 100 * s.precision,
                       100 * s.recall, 100 * s.f1, s.support);
  };
  for (const auto& [label, score] : report.labels)
    row(printable(label), score);
  row("micro average", report.micro);
  row("macro average", report.macro);
  row("weighted average", report.weighted);
  return out;
}

std::string describe_status(const std::string& status_json) {
  const json s = json::parse(status_json, nullptr, false);
  if (s.is_discarded()) return "status.json cannot be read";
  const auto round = s.value("server_round", std::uint64_t{0});
  const auto rounds = s.value("num_server_rounds", std::uint64_t{0});
  std::string out =
      round > rounds && s.value("state", "") != name(RunState::kFinished)
          ? fmt::format("{}, closing evaluation", s.value("state", ""))
          : fmt::format("{}, round {}/{}", s.value("state", ""), std::min(round, rounds), rounds);
  if (!s.value("phase", "").empty())
    out +=
        fmt::format(", {} {}/{}", s.value("phase", ""), s.value("done", 0), s.value("cohort", 0));
  if (s.contains("evaluation") && s.contains("headline"))
    out += ", held-out " + headline_of(s["headline"], s["evaluation"]);
  if (s.contains("epsilon"))
    out += fmt::format(", epsilon {:.2f} at delta {:g} for one {}", s.value("epsilon", 0.0),
                       s.value("delta", 0.0), s.value("unit", "example"));
  if (s.contains("participant_epsilon"))
    out +=
        s["participant_epsilon"].is_null()
            ? ", of a whole participant without bound"
            : fmt::format(", of a whole participant {:.2f} at delta {:g}",
                          s.value("participant_epsilon", 0.0), s.value("participant_delta", 0.0));
  if (!s.value("asked", "").empty()) out += ", will " + s.value("asked", "") + " after this round";
  if (!s.value("detail", "").empty()) out += "\n" + s.value("detail", "");
  const std::string warning = s.value("/roster/warning"_json_pointer, "");
  if (!warning.empty() && warning != s.value("detail", "")) out += "\n" + warning;
  for (const json& m : s.value("members", json::array())) {
    out += fmt::format("\n  {:>4}  {:<24} {} {}", m.value("id", 0), m.value("name", ""),
                       m.value("state", ""), m.value("reason", ""));
    if (m.value("suspected", false)) out += " suspected of a lost sum";
    if (const auto violations = m.value("misdeeds", std::uint64_t{0}); violations > 0)
      out += fmt::format(" {} protocol violations", violations);
    if (const auto ended = m.value("links_ended", std::uint64_t{0}); ended > 1)
      out += fmt::format(" {} connections ended", ended);
    if (!m.value("left_out", "").empty()) out += " " + m.value("left_out", "");
    for (const json& conflict : m.value("conflicts", json::array()))
      out += fmt::format("\n{:8}{}", "", conflict.get<std::string>());
  }
  return out + unauthenticated(s.value("strangers", json::object()));
}

std::string value_at(const std::string& object, const std::string& path) {
  std::string pointer = "/" + path;
  for (char& c : pointer)
    c = c == '.' ? '/' : c;
  const json parsed = json::parse(object);
  const json::json_pointer at(pointer);
  if (!parsed.contains(at)) throw StartupError("the job has no key " + path);
  const json& value = parsed.at(at);
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string lost_too_often(RoundNumber round, std::uint32_t attempts) {
  return fmt::format("round {} was lost {} times", round.server_round(), attempts);
}

std::string lost_too_often(const RoundRecord& last, std::uint32_t attempts) {
  return lost_too_often(RoundNumber::of(last.server_round, 0), attempts) +
         "; the last reason: " + last.reason +
         ". Nothing was released in a lost round; the same command resumes the run";
}

std::string label(RoundNumber round) {
  std::string text = std::to_string(round.server_round());
  if (round.attempt() > 0) text += " (attempt " + std::to_string(round.attempt() + 1) + ")";
  return text;
}

}  // namespace sotto::coordinator
