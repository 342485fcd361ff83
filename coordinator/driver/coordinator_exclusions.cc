// The exclusions of a run: members against which there is evidence, and members that may have
// spoiled sums (docs/secure-aggregation.md, 2.7).
#include <algorithm>
#include <utility>

#include "common/observability/evidence_folder.h"
#include "coordinator/driver/coordinator_state.h"

namespace sotto::coordinator {

bool Coordinator::Impl::is_left_out(MemberId id) const {
  return std::ranges::find(left_out, id) != left_out.end();
}

void Coordinator::Impl::judge(const secagg::Evidence& evidence) {
  const auto finding =
      secagg::check_evidence(evidence, observability::evidence_roster(options.roster));
  const bool proves_violation = finding.ok() && finding->offender != kCoordinatorId;
  if (proves_violation) {
    folder.must(folder.exclusions.exclude_offender(finding->offender, finding->rule));
    offender_found = true;
    members.count_violation(finding->offender);
    show_exclusions();
  }
  observability::KeptEvidence kept =
      observability::keep_evidence(folder.path() / "evidence", evidence, options.roster);
  if (proves_violation)
    kept.line +=
        ". " + members.name_of(finding->offender) + " takes part in no further round of this run";
  events.emit(EvidenceKept{kept.finding.has_value(), std::move(kept.line)});
  if (proves_violation)
    events.emit(MemberExcluded{finding->offender, members.name_of(finding->offender),
                               MemberState::kOffender, finding->rule});
}

void Coordinator::Impl::judge_sum(const RoundOutcome& outcome) {
  Exclusions& exclusions = folder.exclusions;
  const Suspicion::State before = exclusions.suspicion().state();
  if (outcome.status == wire::RoundStatus::kDone)
    folder.must(exclusions.good(round, outcome.survivors));
  else if (outcome.lost_sum)
    folder.must(exclusions.lost(round, outcome.survivors));
  const Suspicion::State& after = exclusions.suspicion().state();
  if (after == before) return;
  show_exclusions();
  emit_suspensions(before, after);
}

void Coordinator::Impl::emit_suspensions(const Suspicion::State& before,
                                         const Suspicion::State& after) {
  for (MemberId id : after.suspended)
    if (!before.suspended.contains(id))
      events.emit(MemberExcluded{id, members.name_of(id), MemberState::kSuspended,
                                 "it was in each lost sum, and every other member of these sums "
                                 "was in a good sum since, or was left out of a lost one"});
  for (MemberId id : before.suspended)
    if (!after.suspended.contains(id)) events.emit(MemberReturned{id, members.name_of(id)});
}

void Coordinator::Impl::show_exclusions() {
  std::map<MemberId, Members::Exclusion> excluded;
  const Suspicion::State& suspicion = folder.exclusions.suspicion().state();
  for (MemberId id : suspicion.suspended)
    excluded[id] = {MemberState::kSuspended, "it was in each lost sum"};
  for (const auto& [id, rule] : folder.exclusions.offenders())
    excluded[id] = {MemberState::kOffender, rule};
  std::set<MemberId> suspected = suspicion.suspects;
  suspected.insert(suspicion.set_aside.begin(), suspicion.set_aside.end());
  members.exclude(std::move(excluded), std::move(suspected));
}

std::size_t Coordinator::Impl::room_among(const std::vector<MemberId>& ready) const {
  const std::size_t least =
      std::max<std::size_t>(fewest_of(ready), job().secure_aggregation.max_colluders + 2);
  return ready.size() - std::min(ready.size(), least);
}

void Coordinator::Impl::leave_out_suspects(std::vector<MemberId>& ready, std::size_t room) {
  left_out = folder.exclusions.suspicion().left_out(ready, room, random);
  std::erase_if(ready, [&](MemberId id) { return is_left_out(id); });
  if (!left_out.empty()) {
    MembersLeftOut event;
    for (MemberId id : left_out)
      event.names.push_back(members.name_of(id));
    events.emit(event);
  }
  for (const auto& [id, rule] : folder.exclusions.offenders())
    left_out.push_back(id);
  for (MemberId id : folder.exclusions.suspicion().state().suspended)
    if (!is_left_out(id)) left_out.push_back(id);
}

/// Spoiled sums, and attempts that led to a conviction, are not counted against
/// rounds.attempts_per_round as long as a member can be left out of the next attempt. Their number
/// is bounded by that of the members.
bool Coordinator::Impl::count_lost(const RoundOutcome& outcome) {
  const bool can_leave_out_a_member =
      offender_found ||
      (outcome.lost_sum && (shared_randomness || room_among(members.ready()) > 0));
  ++(can_leave_out_a_member ? lost_sum_attempts : failed_attempts);
  return lost_sum_attempts > members.size() || failed_attempts >= job().rounds.attempts_per_round;
}

}  // namespace sotto::coordinator
