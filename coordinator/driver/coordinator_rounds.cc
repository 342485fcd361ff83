// Attempts at rounds: how they begin, continue after a restart, run and end.
#include <algorithm>
#include <iterator>
#include <utility>

#include "common/job/participant_privacy.h"
#include "common/job/plan.h"
#include "common/secagg/shared/transcript.h"
#include "coordinator/driver/coordinator_state.h"
#include "coordinator/driver/job_terms.h"

namespace sotto::coordinator {

namespace {

/// The pause before a lost round is tried again, so that members whose connections ended can
/// return.
constexpr Duration kRetryPause{1000};

}  // namespace

std::size_t Coordinator::Impl::needed() const {
  return std::max<std::size_t>(job().rounds.min_available_participants, 2);
}

std::size_t Coordinator::Impl::fewest_of(const std::vector<MemberId>& ready) const {
  return std::max<std::size_t>(needed(), largest_demand(ready, members.least_sums()));
}

std::vector<MemberId> Coordinator::Impl::waited_for(const RoundPlan& plan,
                                                    const std::vector<MemberId>& ready) const {
  std::vector<MemberId> there;
  std::ranges::set_intersection(plan.cohort, ready, std::back_inserter(there));
  // A drawn member is in the cohort in spite of its faults, but it is not waited for.
  return shared_randomness ? backoff.choose(there, plan.header.s_min) : there;
}

std::vector<MemberId> Coordinator::Impl::could_join(std::vector<MemberId> ready) const {
  return within(std::move(ready), members.least_sums(), [this](std::size_t count) {
    return static_cast<std::uint32_t>(round_size(job(), shared_randomness, count));
  });
}

std::vector<MemberId> Coordinator::Impl::joinable(const std::vector<MemberId>& ready) const {
  std::vector<MemberId> out = could_join(ready);
  // With an s_min above the job's own, one silent member makes the attempt fail, and suspects
  // cannot be left out. So the attempts after a failed one do not raise it, if enough members are
  // left.
  if (failed_attempts + lost_sum_attempts > 0) {
    auto others = within(ready, members.least_sums(), [this](std::size_t count) {
      const auto n = static_cast<std::uint32_t>(round_size(job(), shared_randomness, count));
      const auto own = job::own_s_min(job(), {.n = n, .C = job().secure_aggregation.max_colluders});
      return own.ok() ? *own : n;
    });
    if (others.size() >= needed()) out = std::move(others);
  }
  return out;
}

void Coordinator::Impl::log_demands(const std::vector<MemberId>& kept) {
  std::string demanding = demands(members.ready(), kept);
  if (demanding != logged_demands && !demanding.empty())
    log("the next attempt leaves out members that require larger sums than it will have" +
        demanding);
  logged_demands = std::move(demanding);
}

std::string Coordinator::Impl::demands(const std::vector<MemberId>& of,
                                       const std::vector<MemberId>& kept) const {
  std::string out;
  for (MemberId id : of)
    if (!std::ranges::binary_search(kept, id))
      out += "; " + members.name_of(id) + " takes part only in sums of at least " +
             std::to_string(largest_demand({id}, members.least_sums())) + " (policy.min_cohort)";
  return out;
}

void Coordinator::Impl::start_round(std::vector<MemberId> ready, TimePoint now) {
  gather_until.reset();
  auto number = folder.next_attempt();
  if (!number.ok()) return fail(number.error().message);
  if (training.closing_evaluation_is_lost()) return complete();
  const EvaluationCounters counters = folder.counters_of(*number);
  auto plan = plan_attempt(*number, ready, counters);
  if (!plan.ok()) return fail(plan.error().message);
  folder.must(folder.exclusions.begin(*number, left_out));
  folder.begin_attempt({.run = plan->header.run,
                        .round = *number,
                        .counters = counters,
                        .cohort = plan->cohort,
                        .least_sum = plan->header.s_min,
                        .declared = members.declared_sizes(plan->cohort),
                        .header_hash = secagg::header_hash(plan->header)});
  std::vector<MemberId> unexpected;
  std::ranges::set_difference(plan->cohort, waited_for(*plan, ready),
                              std::back_inserter(unexpected));
  begin_attempt(std::move(*plan), unexpected, now);
  events.emit(RoundBegan{round, static_cast<std::uint32_t>(cohort.size()),
                         machine->progress().phase, false});
  apply(machine->start(now));
  for (MemberId id : unexpected)
    if (machine) lose(id, why_unexpected(id, ready), now);
}

std::string Coordinator::Impl::why_unexpected(MemberId id,
                                              const std::vector<MemberId>& ready) const {
  if (is_left_out(id)) return "left out";
  return std::ranges::binary_search(ready, id) ? describe(backoff.records().at(id))
                                               : "its connection ended";
}

Result<RoundPlan> Coordinator::Impl::plan_attempt(RoundNumber number, std::vector<MemberId>& ready,
                                                  EvaluationCounters counters) {
  left_out.clear();
  if (!shared_randomness) {
    leave_out_suspects(ready, room_among(ready));
    ready = backoff.choose(ready, fewest_of(ready));
  }
  SOTTO_ASSIGN_OR_RETURN(
      auto plan,
      plan_of(number, members_of_round(job(), shared_randomness, ready, random), counters));
  std::vector<MemberId> present;
  std::ranges::set_intersection(plan.cohort, ready, std::back_inserter(present));
  raise_s_min(plan, largest_demand(present, members.least_sums()));
  if (!shared_randomness) return plan;
  std::erase_if(ready, [&](MemberId id) { return !std::ranges::binary_search(plan.cohort, id); });
  const std::size_t absent = plan.cohort.size() - waited_for(plan, ready).size();
  const std::size_t spare = spare_members(plan.header);
  leave_out_suspects(ready, spare - std::min(spare, absent));
  return plan;
}

Result<RoundPlan> Coordinator::Impl::plan_of(RoundNumber number, const RoundMembers& who,
                                             EvaluationCounters counters) {
  SOTTO_ASSIGN_OR_RETURN(auto plan,
                         make_round_plan(job(), options.roster, folder.checkpoint.run, number, who,
                                         folder.checkpoint.model, counters));
  plan.threads = options.threads;
  plan.uploads = folder.uploads();
  plan.sums = folder.sums();
  plan.earlier_keys = members.keys_before(number);
  return plan;
}

void Coordinator::Impl::begin_attempt(RoundPlan plan, const std::vector<MemberId>& unexpected,
                                      TimePoint now) {
  round = plan.header.round;
  cohort = plan.cohort;
  round_noise = job::is_closing_evaluation(job(), round) ? std::nullopt : plan.encoding.noise;
  offender_found = false;
  board.begin(round, cohort, now);
  punctuality.begin({.round = round,
                     .cohort = cohort,
                     .deadline_ms = plan.deadline_ms,
                     .colluders = plan.header.C,
                     .uploads_at_once = plan.uploads_at_once},
                    unexpected);
  machine.emplace(std::move(plan), signing);
}

void Coordinator::Impl::take_up(UnfinishedAttempt attempt, TimePoint now) {
  const AttemptBegun& begun = attempt.begun;
  const auto give_up = [&](const std::string& why) {
    machine.reset();
    folder.drop_attempt();
    warn("round " + label(begun.round) + " cannot continue after the restart: " + why +
         ". It is tried again under a new number");
  };
  auto plan = plan_of(begun.round,
                      shared_randomness && shared_randomness->shared_randomness()
                          ? members_of_round(job(), shared_randomness, {}, random)
                          : RoundMembers(begun.cohort),
                      begun.counters);
  if (!plan.ok()) return give_up(plan.error().message);
  raise_s_min(*plan, begun.least_sum);
  if (secagg::header_hash(plan->header) != begun.header_hash)
    return give_up("this program, roster or job plans the round differently");
  members.remember_sizes(begun.cohort, begun.declared);
  left_out = folder.exclusions.left_out_of(begun.round);
  begin_attempt(std::move(*plan), left_out, now);
  auto resumed = machine->resume(attempt.facts, now);
  if (!resumed.ok()) return give_up(resumed.error().message);
  events.emit(RoundBegan{round, static_cast<std::uint32_t>(cohort.size()),
                         machine->progress().phase, true});
  apply(std::move(resumed).value());
  for (MemberId id : std::vector(left_out))
    if (machine && std::ranges::binary_search(cohort, id)) lose(id, "left out", now);
}

void Coordinator::Impl::apply(RoundOutput output) {
  const TimePoint now = host.now();
  for (const RoundEvent& event : output.events) {
    if (event.kind == RoundEvent::Kind::kPhase) {
      // Durable before the first message of the phase leaves.
      folder.enter_phase(event.phase, round, round_noise);
      events.emit(PhaseEntered{round, event.phase});
    }
    board.on_event(event, now);
    punctuality.on_event(event, now);
    warn(line_for_log(event, round, members));
  }
  if (Status kept = members.add_conflicts(round, output.conflicts); !kept.ok())
    warn("the conflicts of this round cannot be stored: " + kept.error().message);
  for (const secagg::Conflict& conflict : output.conflicts)
    warn(members.line_about(conflict));
  for (const secagg::Evidence& e : output.evidence)
    judge(e);
  if (output.store_failed) throw StartupError(folder.cannot_write(*output.store_failed));
  if (output.outcome) judge_sum(*output.outcome);
  folder.keep(output.facts, output.decided);
  for (const wire::Envelope& e : output.send)
    if (!is_left_out(e.peer)) send(e.peer, e.round, e.message);
  machine_wake = output.wake_at;
  if (output.sum) open_sum(std::move(*output.sum));
  if (output.outcome) finish_attempt(std::move(*output.outcome), now);
  report(now);
  schedule();
}

void Coordinator::Impl::open_sum(SumRequest request) {
  auto box = std::make_shared<SumRequest>(std::move(request));
  auto sum = std::make_shared<encoding::RingUpdate>();
  const RoundNumber of = round;
  host.compute(
      [box, sum, threads = options.threads] {
        *sum = std::move(box->job).run(std::move(box->masked_sum), threads);
      },
      [this, sum, of] {
        if (machine && round == of) apply(machine->summed(std::move(*sum), host.now()));
      });
}

void Coordinator::Impl::finish_attempt(RoundOutcome outcome, TimePoint now) {
  RoundRecord record{
      .server_round = round.server_round(),
      .attempt = round.attempt(),
      .closing_evaluation = job::is_closing_evaluation(job(), round),
      .status = outcome.status,
      .reason = outcome.reason,
      .cohort = static_cast<std::uint32_t>(cohort.size()),
      .survivors = static_cast<std::uint32_t>(outcome.survivors.size()),
      .declared_evaluation_examples = members.declared_evaluation(outcome.survivors).value_or(0),
      .phase_s = board.end(now),
      .upload_bytes = outcome.upload_bytes,
      .values = folder.checkpoint.model.values.size(),
      .participant_epsilon = folder.participant_epsilon(job().distributed_privacy.target_delta),
      .noise = round_noise,
      .wall_s = wall_s()};
  if (outcome.status == wire::RoundStatus::kDone) {
    failed_attempts = lost_sum_attempts = 0;
    training.accept(round, outcome, record);
    if (!training.early_end().empty() && !record.closing_evaluation)
      log("training ends after round " + label(round) + ": " + training.early_end());
  } else {
    training.lose(outcome.status, record);
    not_before = now + kRetryPause;
  }
  const bool gives_up = outcome.status != wire::RoundStatus::kDone && count_lost(outcome);
  std::erase_if(cohort, [&](MemberId id) { return is_left_out(id); });  // they were not waited for
  members.mark_silent_absent(cohort, outcome.survivors);
  settle_faults(outcome.survivors);
  close_round(record, now);
  if (training.complete() || training.closing_evaluation_is_lost()) return complete();
  if (gives_up) return give_up(record);
  if (stop_after_round) return stop();
  // The next round begins at once, without waiting for the next tick.
  if (outcome.status == wire::RoundStatus::kDone) gather(now);
}

void Coordinator::Impl::give_up(const RoundRecord& last) {
  const std::uint32_t attempts = failed_attempts + lost_sum_attempts;
  const std::string why = lost_too_often(round, attempts);
  if (!training.only_closing_evaluation_is_left()) return fail(lost_too_often(last, attempts), why);
  training.end_without_closing_evaluation(why);
  complete();
}

void Coordinator::Impl::close_round(RoundRecord& record, TimePoint now) {
  RoundOutput closing = machine->close(folder.checkpoint.model.hash(), now);
  for (const wire::Envelope& e : closing.send)
    send(e.peer, e.round, e.message);
  machine.reset();
  machine_wake.reset();
  show();  // so that the sinks have the status after this round when they show it
  events.emit(RoundEnded{record});
}

void Coordinator::Impl::settle_faults(const std::vector<MemberId>& survivors) {
  const std::vector<Fault> faults = punctuality.end();
  std::vector<MemberId> in_time;
  for (MemberId id : survivors)
    if (std::ranges::find(faults, id, &Fault::member) == faults.end()) in_time.push_back(id);
  log_faults(backoff.round_over(faults, in_time), faults);
}

void Coordinator::Impl::log_faults(const Status& kept, const std::vector<Fault>& faults) {
  if (!kept.ok())
    warn("the list of members that are left out of rounds cannot be stored: " +
         kept.error().message);
  for (const Fault& fault : faults)
    if (const std::string out = describe(backoff.records().at(fault.member)); !out.empty())
      warn(members.name_of(fault.member) + ": " + out);
}

double Coordinator::Impl::wall_s() const {
  return folder.at_start().wall_s + seconds(host.now() - started);
}

}  // namespace sotto::coordinator
