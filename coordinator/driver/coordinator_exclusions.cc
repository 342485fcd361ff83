// The exclusions of a run: members that evidence convicts, and members that may have spoiled sums
// (docs/secure-aggregation.md, 2.7).
#include <algorithm>
#include <utility>

#include "common/observability/evidence_folder.h"
#include "coordinator/driver/coordinator_state.h"

namespace sotto::coordinator {

bool Coordinator::Impl::is_left_out(MemberId id) const {
  return std::ranges::find(left_out, id) != left_out.end();
}

void Coordinator::Impl::judge(const secagg::Evidence& evidence) {
  const auto finding = secagg::check_evidence(evidence, run::evidence_roster(options.roster));
  const bool convicts = finding.ok() && finding->guilty != kCoordinatorId;
  if (convicts) {
    folder.must(folder.exclusions.convict(finding->guilty, finding->rule));
    convicted_now = true;
    members.count_misdeed(finding->guilty);
    show_exclusions();
  }
  run::KeptEvidence kept = run::keep_evidence(folder.path() / "evidence", evidence, options.roster);
  if (convicts)
    kept.line += ". " + members.name_of(finding->guilty) + " is in no further round of this run";
  events.emit(EvidenceKept{kept.finding.has_value(), std::move(kept.line)});
  if (convicts)
    events.emit(MemberExcluded{finding->guilty, members.name_of(finding->guilty),
                               MemberState::kConvicted, finding->rule});
}

void Coordinator::Impl::judge_sum(const RoundOutcome& outcome) {
  Exclusions& exclusions = folder.exclusions;
  const Suspicion::State before = exclusions.suspicion().state();
  if (outcome.status == wire::RoundStatus::kDone)
    folder.must(exclusions.good(round, outcome.survivors));
  else if (outcome.spoiled)
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
      events.emit(
          MemberExcluded{id, members.name_of(id), MemberState::kSuspended,
                         "each lost sum had it in it, and the others that were in them were in "
                         "good sums since, or were left out of a lost one"});
  for (MemberId id : before.suspended)
    if (!after.suspended.contains(id)) events.emit(MemberReturned{id, members.name_of(id)});
}

void Coordinator::Impl::show_exclusions() {
  std::map<MemberId, Members::Exclusion> excluded;
  const Suspicion::State& doubted = folder.exclusions.suspicion().state();
  for (MemberId id : doubted.suspended)
    excluded[id] = {MemberState::kSuspended, "each lost sum had it in it"};
  for (const auto& [id, rule] : folder.exclusions.convicted())
    excluded[id] = {MemberState::kConvicted, rule};
  std::set<MemberId> suspected = doubted.suspects;
  suspected.insert(doubted.set_aside.begin(), doubted.set_aside.end());
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
  for (const auto& [id, rule] : folder.exclusions.convicted())
    left_out.push_back(id);
  for (MemberId id : folder.exclusions.suspicion().state().suspended)
    if (!is_left_out(id)) left_out.push_back(id);
}

/// Spoiled sums, and attempts that led to a conviction, are not counted against
/// rounds.attempts_per_round as long as a member can be left out of the next attempt. Their number
/// is bounded by that of the members.
bool Coordinator::Impl::count_lost(const RoundOutcome& outcome) {
  const bool somebody_can_be_left_out =
      convicted_now || (outcome.spoiled && (genesis || room_among(members.ready()) > 0));
  ++(somebody_can_be_left_out ? spoiled_attempts : failed_attempts);
  return spoiled_attempts > members.size() || failed_attempts >= job().rounds.attempts_per_round;
}

}  // namespace sotto::coordinator
