#include "coordinator/dashboard/run_view.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "coordinator/dashboard/prometheus.h"

namespace sotto::coordinator::dashboard {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxRounds = 20000;
constexpr std::size_t kMaxEvents = 1000;
constexpr std::uint64_t kRoundsAtOnce = 500;
/// Members may need time to start; after so many seconds there is an alert.
constexpr std::uint64_t kPatienceS = 60;

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string names(const std::vector<std::string>& all) {
  constexpr std::size_t kShown = 5;
  std::string out;
  for (std::size_t i = 0; i < std::min(all.size(), kShown); ++i)
    out += (i == 0 ? "" : ", ") + all[i];
  return all.size() > kShown ? out + fmt::format(" and {} more", all.size() - kShown) : out;
}

std::string sse(std::string_view kind, std::string_view data) {
  return fmt::format("event: {}\ndata: {}\n\n", kind, data);
}

}  // namespace

RunView::RunView(RunIdentity identity)
    : identity_(std::move(identity)), last_event_(identity_.started_unix_s * 1000) {}

void RunView::restore(std::string_view metrics_jsonl) {
  while (!metrics_jsonl.empty()) {
    const std::size_t end = std::min(metrics_jsonl.find('\n'), metrics_jsonl.size());
    add_round(std::string(metrics_jsonl.substr(0, end)));
    metrics_jsonl.remove_prefix(std::min(end + 1, metrics_jsonl.size()));
  }
}

void RunView::add_round(const std::string& line) {
  const json record = json::parse(line, nullptr, false);
  if (!record.is_object()) return;
  const bool done = record.value("status", "") == "done";
  ++(done ? totals_.done : totals_.lost);
  if (!done) why_lost_ = record.value("status", "");
  totals_.upload_bytes += record.value("upload_bytes", std::uint64_t{0});
  const json phases = record.value("phase_s", json::object());
  for (const auto& [phase, s] : phases.items())
    totals_.phase_s[phase] += s.is_number() ? s.get<double>() : 0;
  rounds_.push_back(line);
  if (rounds_.size() > kMaxRounds) {
    rounds_.pop_front();
    ++dropped_rounds_;
  }
}

void RunView::add_event(std::string kind, std::string data) {
  events_.push_back({++last_event_, std::move(kind), std::move(data)});
  if (events_.size() > kMaxEvents) events_.pop_front();
}

void RunView::on_status(const RunStatus& status, std::uint64_t unix_s) {
  now_unix_s_ = unix_s;
  if (status.state != status_.state) state_since_unix_s_ = unix_s;
  status_ = status;
  ++status_version_;
}

void RunView::on_event(const RunEvent& event, std::uint64_t unix_s) {
  if (const LogLine line = describe(event); !line.text.empty())
    add_event("note", dump({{"unix_s", unix_s}, {"text", line.text}}));
  if (const auto* ended = std::get_if<RoundEnded>(&event)) {
    const std::string line = to_json(ended->record);
    add_round(line);
    add_event("round", fmt::format(R"({{"unix_s":{},"round":{}}})", unix_s, line));
  }
}

std::vector<Alert> RunView::alerts() const {
  std::vector<Alert> out;
  const RunStatus& s = status_;
  std::vector<std::string> missing, refused, other_roster, left_out;
  for (const MemberStatus& m : s.members) {
    if (m.state == MemberState::kAccepted && !m.connected) missing.push_back(m.name);
    if (m.state == MemberState::kRefused) refused.push_back(m.name + " (" + m.reason + ")");
    if (m.state == MemberState::kAbsent && !m.reason.empty())
      other_roster.push_back(m.name + " (" + m.reason + ")");
    if (m.state == MemberState::kOffender || m.state == MemberState::kSuspended)
      left_out.push_back(fmt::format("{} ({}: {})", m.name, name(m.state), m.reason));
  }
  const bool goes_on = !is_final(s.state);
  if (s.state == RunState::kFailed) out.push_back({"run_failed", "The run failed: " + s.detail});
  if (s.state == RunState::kPaused || s.asked == PendingRequest::kPause)
    out.push_back({"paused", "The operator paused the run: no new round begins until it resumes."});
  if (goes_on && s.lost_attempts > 0)
    out.push_back({"round_lost",
                   fmt::format("{} attempt{} in a row had no sum; the reason of the last one: {}",
                               s.lost_attempts, s.lost_attempts == 1 ? "" : "s", why_lost_)});
  if (s.state == RunState::kGathering && now_unix_s_ - state_since_unix_s_ >= kPatienceS)
    out.push_back({"waiting_for_members",
                   fmt::format("Too few members have been available for a round for {} s.",
                               now_unix_s_ - state_since_unix_s_)});
  if (goes_on && !missing.empty())
    out.push_back(
        {"members_disconnected",
         "These members accepted the job but are not connected: " + names(missing) + "."});
  if (goes_on && !refused.empty())
    out.push_back({"members_refused", "These members decline the job: " + names(refused) + "."});
  if (goes_on && !other_roster.empty())
    out.push_back(
        {"members_other_roster", "These members are offered no job: " + names(other_roster) + "."});
  if (goes_on && !s.roster_warning.empty())
    out.push_back({"roster_expires", "Attention: " + s.roster_warning + "."});
  if (goes_on && !left_out.empty())
    out.push_back({"members_left_out",
                   "These members take part in no further round: " + names(left_out) + "."});
  return out;
}

std::string RunView::status_json() const {
  json out = json::parse(to_json(status_));
  const json job = json::parse(identity_.job, nullptr, false);
  out["federation"] = identity_.federation;
  out["job"] = job.is_object() ? job.value("name", "") : "";
  out["folder"] = identity_.folder;
  out["version"] = identity_.version;
  out["started_unix_s"] = identity_.started_unix_s;
  out["unix_s"] = now_unix_s_;
  out["state_since_unix_s"] = state_since_unix_s_;
  out["attempts_done"] = totals_.done;
  out["attempts_lost"] = totals_.lost;
  out["uploaded_bytes"] = totals_.upload_bytes;
  out["alerts"] = json::array();
  for (const Alert& a : alerts())
    out["alerts"].push_back({{"code", a.code}, {"text", a.text}});
  return dump(out);
}

std::string RunView::members_json() const {
  return dump({{"members", json::parse(to_json(status_))["members"]}});
}

std::string RunView::rounds_json(std::uint64_t from) const {
  const std::uint64_t end = dropped_rounds_ + rounds_.size();
  const std::uint64_t first = std::clamp(from, dropped_rounds_, end);
  const std::uint64_t last = first + std::min(end - first, kRoundsAtOnce);
  std::string out = R"({"rounds":[)";
  for (std::uint64_t i = first; i < last; ++i)
    out += (i == first ? "" : ",") + rounds_[static_cast<std::size_t>(i - dropped_rounds_)];
  return out + fmt::format(R"(],"next":{},"more":{}}})", last, last < end);
}

std::string RunView::events_json(std::uint64_t after) const {
  std::string out;
  for (const StreamEvent& e : events_) {
    if (e.id <= after) continue;
    out += fmt::format(R"({}{{"id":{},"kind":"{}","data":{}}})", out.empty() ? "" : ",", e.id,
                       e.kind, e.data);
  }
  return fmt::format(R"({{"events":[{}],"next":{}}})", out, last_event_);
}

StreamPart RunView::stream(Cursor cursor) const {
  StreamPart part{.text = {}, .cursor = {.event = last_event_, .status = status_version_}};
  for (const StreamEvent& e : events_)
    if (e.id > cursor.event) part.text += fmt::format("id: {}\n", e.id) + sse(e.kind, e.data);
  if (cursor.status != status_version_) part.text += sse("status", status_json());
  return part;
}

std::string RunView::prometheus() const {
  PrometheusText out;
  const RunStatus& s = status_;
  out.gauge("sotto_run_info", "The run of this coordinator.");
  const json job = json::parse(identity_.job, nullptr, false);
  out.sample({{"federation", identity_.federation},
              {"job", job.is_object() ? job.value("name", "") : ""},
              {"version", identity_.version}},
             1);
  out.gauge("sotto_run_state", "1 for the current state of the run.");
  for (RunState state : {RunState::kGathering, RunState::kRunning, RunState::kPaused,
                         RunState::kFinished, RunState::kFailed, RunState::kStopped})
    out.sample({{"state", name(state)}}, s.state == state ? 1 : 0);
  out.gauge("sotto_run_seconds", "Time spent on the run, over all its processes.").sample(s.wall_s);
  out.gauge("sotto_alert", "1 while the alert with this code is active.");
  const std::vector<Alert> raised = alerts();
  for (const char* code :
       {"run_failed", "paused", "round_lost", "waiting_for_members", "members_disconnected",
        "members_refused", "members_other_roster", "roster_expires", "members_left_out"})
    out.sample({{"code", code}},
               std::ranges::any_of(raised, [&](const Alert& a) { return a.code == code; }) ? 1 : 0);
  out.gauge("sotto_rounds_planned", "Number of rounds of the job.")
      .sample(static_cast<double>(s.num_server_rounds));
  out.gauge("sotto_round", "The current round, or the last one.")
      .sample(static_cast<double>(s.server_round));
  out.counter("sotto_round_attempts_total", "Attempts at rounds that have ended, by their outcome.")
      .sample({{"outcome", "done"}}, static_cast<double>(totals_.done))
      .sample({{"outcome", "lost"}}, static_cast<double>(totals_.lost));
  out.counter("sotto_phase_seconds_total", "Time spent in each phase by attempts that have ended.");
  for (const auto& [phase, spent] : totals_.phase_s)
    out.sample({{"phase", phase}}, spent);
  out.counter("sotto_uploaded_bytes_total", "Masked updates in the sums.")
      .sample(static_cast<double>(totals_.upload_bytes));
  out.gauge("sotto_round_cohort", "Members of the current attempt.").sample(s.cohort);
  out.gauge("sotto_round_done", "Members that have completed the current phase.").sample(s.done);
  add_members(out, s.members);
  add_results(out, s);
  return out.text();
}

}  // namespace sotto::coordinator::dashboard
