#include "coordinator/members/members.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <utility>

#include "common/base/printable.h"

namespace sotto::coordinator {

namespace {

/// A member sends a Hello every few seconds. A member without one for longer than this is absent.
constexpr Duration kSilence{20000};

MemberState state_after(wire::JobAnswer answer) {
  switch (answer) {
    case wire::JobAnswer::kAccept:
      return MemberState::kAccepted;
    case wire::JobAnswer::kPostpone:
      return MemberState::kOffered;
    case wire::JobAnswer::kDecline:
      return MemberState::kRefused;
  }
  return MemberState::kRefused;
}

MemberAnswer kind_of_answer(wire::JobAnswer answer, bool had_accepted) {
  switch (answer) {
    case wire::JobAnswer::kAccept:
      return MemberAnswer::kAccepted;
    case wire::JobAnswer::kPostpone:
      return MemberAnswer::kPostponed;
    case wire::JobAnswer::kDecline:
      return had_accepted ? MemberAnswer::kWithdrew : MemberAnswer::kDeclined;
  }
  return MemberAnswer::kDeclined;
}

/// Describes how a member's roster differs from the coordinator's, and which of the two has to act.
std::string about_other_roster(std::uint32_t theirs, std::uint32_t ours) {
  const std::string both = "uses version " + std::to_string(theirs) +
                           " of the roster, but this coordinator uses version " +
                           std::to_string(ours);
  if (theirs < ours)
    return both +
           ". Hand the newest federation.json to the member, which runs `sotto-participant join` "
           "with it and starts again";
  if (theirs > ours) return both + ". Start this coordinator again with the newest federation.json";
  return both +
         ", and the two rosters differ: two rosters were signed under one version. Run "
         "`sotto-coordinator renew`, hand the new federation.json to every member and start again";
}

/// Returns true when a member in this state takes part in no round.
bool takes_no_part(MemberState state) {
  return state == MemberState::kRefused || state == MemberState::kOffender ||
         state == MemberState::kSuspended;
}

}  // namespace

Members::Members(const config::Roster& roster)
    : roster_version_(roster.version), roster_hash_(roster.hash()) {
  for (const config::RosterMember& m : roster.members) {
    if (m.role == 0) members_[m.id].status = {.id = m.id, .name = m.name};
  }
}

std::string Members::name_of(MemberId id) const {
  const auto found = members_.find(id);
  return found == members_.end() ? "coordinator" : found->second.status.name;
}

std::vector<MemberStatus> Members::status() const {
  std::vector<MemberStatus> out;
  for (const auto& [id, m] : members_) {
    out.push_back(shown(m));
    out.back().connected = m.last_hello.has_value();
    for (const auto& [conflict, times] : conflicts_.counts())
      if (conflict.holder == id || conflict.dealer == id)
        out.back().conflicts.push_back(
            sentence_about(conflict) +
            (times > 1 ? " (" + std::to_string(times) + " times)" : std::string()));
  }
  return out;
}

std::optional<std::string> Members::has_other_roster(MemberId id, const wire::Hello& hello) {
  Member& m = members_.at(id);
  m.status.state = MemberState::kAbsent;
  m.status.reason = about_other_roster(hello.roster_version, roster_version_);
  const std::string line = m.status.name + " is offered no job: it " + m.status.reason;
  return other_rosters_.again(line) ? std::optional(line) : std::nullopt;
}

MemberStatus Members::shown(const Member& member) const {
  MemberStatus status = member.status;
  status.suspected = suspected_.contains(status.id);
  if (const auto at = excluded_.find(status.id); at != excluded_.end()) {
    status.state = at->second.state;
    status.reason = at->second.reason;
  }
  return status;
}

void Members::exclude(std::map<MemberId, Exclusion> excluded, std::set<MemberId> suspected) {
  excluded_ = std::move(excluded);
  suspected_ = std::move(suspected);
}

bool Members::on_message(MemberId id, TimePoint now) {
  Member& m = members_.at(id);
  unreachable_.erase(id);
  // Frames in flight to the member are lost when its connection ends.
  const bool reconnected = ended_links_.erase(id) > 0;
  return !std::exchange(m.last_hello, now).has_value() || reconnected;
}

Members::Admission Members::admit(MemberId id, TimePoint now) {
  const auto found = members_.find(id);
  if (found == members_.end()) return {};
  Member& m = found->second;
  if (now - m.second_began >= Duration(1000)) {
    m.second_began = now;
    m.frames = 0;
  }
  if (++m.frames <= kMostFrames) return {};
  Admission ignored{.taken = false};
  if (m.frames == kMostFrames + 1)
    ignored.line = report_violation(
        id, "it sends more than " + std::to_string(kMostFrames) +
                " frames a second; the remaining frames of that second are ignored");
  return ignored;
}

std::optional<std::string> Members::on_frame(MemberId id, const Result<wire::Decoded>& frame) {
  if (!contains(id)) return std::nullopt;
  if (!frame.ok())
    return report_violation(id, "it sent a frame that cannot be decoded", "",
                            ": " + frame.error().message);
  if (frame->sender != id)
    return report_violation(id,
                            "it sent a frame in the name of another member; the frame was ignored");
  return std::nullopt;
}

std::optional<std::string> Members::report_violation(MemberId id, const std::string& violation,
                                                     const std::string& where,
                                                     const std::string& detail) {
  const auto found = members_.find(id);
  if (found == members_.end()) return std::nullopt;
  ++found->second.status.violations;
  const auto count = found->second.violations.again(violation);
  if (!count) return std::nullopt;
  const std::string line = name_of(id) + ": " + printable(where + violation + detail);
  return *count == 1 ? line : line + " (" + std::to_string(*count) + " times so far)";
}

std::optional<std::string> Members::link_ended(MemberId id) {
  const auto found = members_.find(id);
  if (found == members_.end()) return std::nullopt;
  ended_links_.insert(id);
  const std::uint64_t count = ++found->second.status.links_ended;
  if (!std::has_single_bit(count)) return std::nullopt;
  return name_of(id) + ": its connection ended" +
         (count == 1 ? "" : " (" + std::to_string(count) + " times so far)") +
         ": its program stopped, its network failed, or it sent a frame that is too long";
}

std::optional<std::string> Members::report_other_protocol(MemberId id, std::uint32_t protocol) {
  return report_violation(id, "it uses protocol " + std::to_string(protocol) +
                                  ", but this coordinator uses protocol " +
                                  std::to_string(wire::kProtocol));
}

bool Members::accepted(MemberId id) const {
  return members_.at(id).status.state == MemberState::kAccepted;
}

void Members::offered(MemberId id) {
  Member& member = members_.at(id);
  member.offered = true;
  if (member.status.state != MemberState::kAbsent) return;
  member.status.state = MemberState::kOffered;
  member.status.reason.clear();
}

Members::Answered Members::answered(MemberId id, const wire::JobReply& reply, TimePoint now) {
  Member& member = members_.at(id);
  Answered out{.awaited = std::exchange(member.offered, false)};
  MemberStatus& status = member.status;
  // A member that withdraws in the middle of a round is still in its sum, with the size that it had
  // declared.
  if (reply.answer == wire::JobAnswer::kAccept) {
    member.evaluation_examples = reply.evaluation_examples;
    least_sums_[id] = reply.least_sum;
  }
  const MemberState state = state_after(reply.answer);
  const std::string reason = printable(reply.reason);  // text from a peer that people will read
  if (status.state == state && status.reason == reason) return out;
  const bool had_accepted = status.state == MemberState::kAccepted;
  if (now - member.hour_began >= std::chrono::hours(1)) {
    member.hour_began = now;
    member.answers = 0;
  }
  if (++member.answers > kMostAnswers) {
    out.violation = report_violation(id, "it changes its answer to the job more than " +
                                             std::to_string(kMostAnswers) + " times an hour");
    if (!had_accepted || state == MemberState::kAccepted) return out;
  }
  status.state = state;
  status.reason = reason;
  out.change = MemberAnswered{id, status.name, kind_of_answer(reply.answer, had_accepted), reason};
  return out;
}

std::optional<std::uint64_t> Members::declared_evaluation(const std::vector<MemberId>& of) const {
  std::uint64_t sum = 0;
  for (MemberId id : of) {
    const auto found = members_.find(id);
    if (found == members_.end() || !found->second.evaluation_examples) return std::nullopt;
    sum += *found->second.evaluation_examples;
  }
  return sum;
}

std::vector<std::uint64_t> Members::declared_sizes(const std::vector<MemberId>& of) const {
  std::vector<std::uint64_t> sizes;
  for (MemberId id : of)
    sizes.push_back(declared_evaluation({id}).value_or(0));
  return sizes;
}

void Members::remember_sizes(const std::vector<MemberId>& of,
                             const std::vector<std::uint64_t>& sizes) {
  for (std::size_t i = 0; i < std::min(of.size(), sizes.size()); ++i) {
    const auto found = members_.find(of[i]);
    if (found == members_.end() || found->second.evaluation_examples) continue;
    found->second.evaluation_examples = sizes[i];
  }
}

std::vector<MemberId> Members::take_lost(TimePoint now) {
  std::vector<MemberId> lost;
  for (auto& [id, m] : members_) {
    if (!m.last_hello || (now - *m.last_hello < kSilence && !unreachable_.contains(id))) continue;
    m.last_hello.reset();
    lost.push_back(id);
  }
  unreachable_.clear();
  return lost;
}

void Members::mark_silent_absent(const std::vector<MemberId>& cohort,
                                 const std::vector<MemberId>& survivors) {
  if (survivors.empty()) return;
  for (MemberId id : cohort)
    if (std::ranges::find(survivors, id) == survivors.end()) forget(id);
}

std::vector<MemberId> Members::ready() const {
  std::vector<MemberId> out;
  for (const auto& [id, m] : members_) {
    if (shown(m).state == MemberState::kAccepted && m.last_hello) out.push_back(id);
  }
  return out;
}

std::string Members::sentence_about(const secagg::Conflict& conflict) const {
  return secagg::sentence(conflict.end, name_of(conflict.holder), name_of(conflict.dealer));
}

std::optional<std::string> Members::line_about(const secagg::Conflict& conflict) const {
  const auto times = conflicts_.counts().find(conflict);
  if (times != conflicts_.counts().end() && !std::has_single_bit(times->second))
    return std::nullopt;
  return sentence_about(conflict);
}

Status Members::open_conflicts(const std::filesystem::path& file) {
  SOTTO_ASSIGN_OR_RETURN(auto log, ConflictLog::open(file));
  conflicts_ = std::move(log);
  return {};
}

std::size_t Members::refused() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      members_, [this](const auto& m) { return takes_no_part(shown(m.second).state); }));
}

std::vector<MemberId> Members::not_refused() const {
  std::vector<MemberId> out;
  for (const auto& [id, m] : members_)
    if (!takes_no_part(shown(m).state)) out.push_back(id);
  return out;
}

std::string Members::refusals() const {
  std::string out;
  for (const auto& [id, m] : members_) {
    const MemberStatus status = shown(m);
    if (!takes_no_part(status.state)) continue;
    out += (out.empty() ? "" : "; ") + status.name + ": ";
    if (status.state != MemberState::kRefused) out += std::string(name(status.state)) + ": ";
    out += status.reason;
  }
  return out;
}

std::size_t cohort_size(const config::RoundsSection& rounds, std::size_t ready) {
  const auto wanted =
      static_cast<std::size_t>(std::ceil(rounds.fraction_train * static_cast<double>(ready)));
  return std::min(ready, std::max<std::size_t>(wanted, rounds.min_available_participants));
}

std::vector<MemberId> draw_cohort(const config::RoundsSection& rounds, std::vector<MemberId> ready,
                                  crypto::SecureRandom& random) {
  const std::size_t size = cohort_size(rounds, ready.size());
  crypto::StreamRandom draw(random);
  for (std::size_t i = 0; i < size; ++i)
    std::swap(ready[i], ready[i + draw.below(ready.size() - i)]);
  ready.resize(size);
  std::sort(ready.begin(), ready.end());
  return ready;
}

}  // namespace sotto::coordinator
