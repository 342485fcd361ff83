#include "coordinator/coordinator.h"

#include <algorithm>
#include <utility>

#include "common/run/evidence_folder.h"
#include "common/run/plan.h"
#include "common/run/saved_model.h"
#include "common/secagg/transcript.h"
#include "common/wire/codec.h"
#include "coordinator/job_terms.h"
#include "coordinator/members.h"
#include "coordinator/round.h"
#include "coordinator/round_board.h"
#include "coordinator/round_plan.h"
#include "coordinator/run_folder.h"
#include "coordinator/training_progress.h"

namespace sotto::coordinator {

namespace {

/// Between two looks at who is there while gathering, and between two status reports of a round.
constexpr Duration kBeat{250};
constexpr Duration kRestingReport{1000}, kStatusFile{1000}, kRestingStatusFile{5000};
/// Before a lost round is tried again, so that members that were cut off can return.
constexpr Duration kRetryPause{1000};

}  // namespace

struct Coordinator::Impl {
  Impl(CoordinatorOptions o, Host& h, const crypto::SigningKey& s, crypto::SecureRandom& r,
       CoordinatorObserver obs)
      : options(std::move(o)),
        host(h),
        signing(s),
        random(r),
        observer(std::move(obs)),
        members(options.roster),
        folder(options.folder, options.job, std::move(options.initial_model), random,
               options.drill),
        training(options.job, folder, options.keep) {
    if (Status opened = members.open_conflicts(folder.path() / "conflicts.json"); !opened.ok())
      throw StartupError(opened.error().message);
    genesis =
        open_genesis(job(), options.roster, folder.checkpoint.run, folder.path(), signing, random);
  }

  const config::JobConfig& job() const { return options.job; }

  // ---- members

  void send(MemberId peer, RoundNumber about, const wire::Message& message) {
    if (!host.send(peer, wire::encode(kCoordinatorId, about, message))) members.unreachable(peer);
  }

  void note(const std::string& line) {
    if (observer.on_note) observer.on_note(line);
  }

  /// What members do wrong is not said each time.
  void say(const std::optional<std::string>& line) {
    if (line) note(*line);
  }

  void on_hello(MemberId peer, const wire::Hello& hello, TimePoint now) {
    if (hello.protocol != wire::kProtocol) return say(members.speaks(peer, hello.protocol));
    const bool returned = members.heard(peer, now);
    if (ended) return send_finished(peer);
    if (members.accepted(peer) && hello.run == folder.checkpoint.run) {
      if (genesis && returned) apply(genesis->connected(peer));
      if (machine && returned) apply(machine->member_connected(peer, now));
      return;
    }
    members.offered(peer);
    wire::JobOffer offer{.run = folder.checkpoint.run, .job = job().canonical};
    secagg::sign_job_offer(signing, offer);
    send(peer, {}, offer);
  }

  void on_reply(MemberId peer, const wire::JobReply& reply) {
    if (reply.id != peer || reply.run != folder.checkpoint.run || reply.job_hash != job().hash ||
        !secagg::verify_job_reply(options.roster.find(peer)->signing_key, reply)) {
      return say(members.blame(peer, "an answer to the job that does not verify; ignored"));
    }
    const bool had_accepted = members.accepted(peer);
    const auto line = members.answered(peer, reply);
    if (!line) return;
    note(*line);
    const bool accepts = reply.answer == wire::JobAnswer::kAccept;
    if (had_accepted && reply.answer == wire::JobAnswer::kDecline)
      withdrawn = training.stopping().when_budget_spent();
    if (genesis && accepts) apply(genesis->connected(peer));
    if (machine && accepts) apply(machine->member_connected(peer, host.now()));
    beat();
  }

  /// A member that is lost is a dropout of the round under way unless it returns in time.
  void lose_absent(TimePoint now) {
    for (MemberId id : members.take_lost(now))
      if (machine) lose(id, now);
  }

  void lose(MemberId id, TimePoint now) {
    apply(machine->handle(
        {.peer = id, .round = round, .message = wire::LeaveRound{"the link is down"}}, now));
  }

  // ---- gathering

  void beat() {
    const TimePoint now = host.now();
    lose_absent(now);
    folder.commit_waiting(now);
    if (!ended && genesis) apply(genesis->tick(now));
    if (!ended && !machine) gather(now);
    report(now);
    schedule();
  }

  void gather(TimePoint now) {
    if (folder.standing_pause.holds()) return gather_until.reset();
    if (std::exchange(withdrawn, false)) training.end_early("a participant withdrew from the job");
    const std::size_t needed = std::max<std::size_t>(job().rounds.min_available_participants, 2);
    if (members.size() - members.refused() < needed) {
      if (!training.early_end().empty()) return complete();  // nobody is left to evaluate it
      const std::string why =
          "too few members accept the job (" + std::to_string(needed) + " needed)";
      return fail(why + ": " + members.refusals(), why);
    }
    std::vector<MemberId> ready = members.ready();
    if (ready.size() < needed) {
      gather_until.reset();
      return;
    }
    if (!gather_until) gather_until = now + options.gather;
    const bool everybody = ready.size() + members.refused() == members.size();
    if ((!everybody && now < *gather_until) || now < not_before) return;
    if (genesis && !genesis->genesis()) return apply(genesis->start(std::move(ready), now));
    start_round(std::move(ready), now);
  }

  void apply(GenesisOutput output) {
    for (const std::string& line : output.notes)
      note(line);
    for (const wire::Envelope& e : output.send)
      send(e.peer, e.round, e.message);
    if (output.failed) fail(*output.failed);
  }

  // ---- rounds

  void start_round(std::vector<MemberId> ready, TimePoint now) {
    gather_until.reset();
    auto number = folder.next_attempt();
    if (!number.ok()) return fail(number.error().message);
    if (training.closing_evaluation_is_lost()) return complete();
    const EvaluationCounters counters = folder.counters_of(*number);
    auto plan = plan_of(*number, members_of_round(job(), genesis, ready, random), counters);
    if (!plan.ok()) return fail(plan.error().message);
    folder.begin_attempt({.run = plan->header.run,
                          .round = *number,
                          .counters = counters,
                          .cohort = plan->cohort,
                          .declared = members.declared_sizes(plan->cohort),
                          .header_hash = secagg::header_hash(plan->header)});
    begin_attempt(std::move(*plan), now);
    apply(machine->start(now));
    // A drawn cohort may name members that are not there; nobody waits for them.
    for (MemberId id : std::vector(cohort))
      if (machine && !std::ranges::binary_search(ready, id)) lose(id, now);
  }

  Result<RoundPlan> plan_of(RoundNumber number, const RoundMembers& who,
                            EvaluationCounters counters) {
    auto plan = make_round_plan(job(), options.roster, folder.checkpoint.run, number, who,
                                folder.checkpoint.model, counters);
    if (!plan.ok()) return plan;
    plan->threads = options.threads;
    plan->uploads = folder.uploads();
    plan->sums = folder.sums();
    plan->earlier_conflicts = members.conflicts_before(number);
    return plan;
  }

  void begin_attempt(RoundPlan plan, TimePoint now) {
    round = plan.header.round;
    cohort = plan.cohort;
    round_noise = run::is_closing_evaluation(job(), round) ? std::nullopt : plan.encoding.noise;
    board.begin(round, cohort, now);
    machine.emplace(std::move(plan), signing);
  }

  /// The round that an earlier process left in its middle goes on where it was; what its members
  /// said and what it had decided stands.
  void take_up(UnfinishedAttempt attempt, TimePoint now) {
    const AttemptBegun& begun = attempt.begun;
    const auto give_up = [&](const std::string& why) {
      machine.reset();
      folder.drop_attempt();
      note("round " + label(begun.round) + " cannot go on after the restart: " + why +
           ". It is tried again under a new number");
    };
    auto plan = plan_of(begun.round,
                        genesis && genesis->genesis() ? members_of_round(job(), genesis, {}, random)
                                                      : RoundMembers(begun.cohort),
                        begun.counters);
    if (!plan.ok()) return give_up(plan.error().message);
    if (secagg::header_hash(plan->header) != begun.header_hash)
      return give_up("this program, roster or job plans it otherwise");
    members.remember_sizes(begun.cohort, begun.declared);
    begin_attempt(std::move(*plan), now);
    auto resumed = machine->resume(attempt.facts, now);
    if (!resumed.ok()) return give_up(resumed.error().message);
    note("round " + label(round) + " goes on in phase " +
         std::string(name(machine->progress().phase)));
    apply(std::move(resumed).value());
  }

  void apply(RoundOutput output) {
    const TimePoint now = host.now();
    for (const RoundEvent& event : output.events) {
      if (event.kind == RoundEvent::Kind::kPhase)
        folder.enter_phase(event.phase, round, round_noise);  // before its message leaves
      board.on_event(event, now);
      say(line_for_log(event, round, members));
    }
    if (Status kept = members.add_conflicts(round, output.conflicts); !kept.ok())
      note("conflicts of this round are not kept: " + kept.error().message);
    for (const secagg::Evidence& e : output.evidence)
      note(run::keep_evidence(folder.path() / "evidence", e, options.roster));
    if (output.store_failed) throw StartupError(folder.cannot_write(*output.store_failed));
    folder.keep(output.facts, output.decided);
    for (const wire::Envelope& e : output.send)
      send(e.peer, e.round, e.message);
    machine_wake = output.wake_at;
    if (output.sum) open_sum(std::move(*output.sum));
    if (output.outcome) finish_attempt(std::move(*output.outcome), now);
    report(now);
    schedule();
  }

  void open_sum(SumRequest request) {
    auto box = std::make_shared<SumRequest>(std::move(request));
    auto sum = std::make_shared<codec::RingUpdate>();
    const RoundNumber of = round;
    host.compute(
        [box, sum, threads = options.threads] {
          *sum = std::move(box->job).run(std::move(box->masked_sum), threads);
        },
        [this, sum, of] {
          if (machine && round == of) apply(machine->summed(std::move(*sum), host.now()));
        });
  }

  void finish_attempt(RoundOutcome outcome, TimePoint now) {
    RoundRecord record{
        .server_round = round.server_round(),
        .attempt = round.attempt(),
        .closing_evaluation = run::is_closing_evaluation(job(), round),
        .status = outcome.status == wire::RoundStatus::kDone ? "done" : outcome.reason,
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
      failed_attempts = 0;
      training.accept(round, outcome, record);
      if (!training.early_end().empty() && !record.closing_evaluation)
        note("training ends after round " + label(round) + ": " + training.early_end());
    } else {
      training.lose(outcome.status, record);
      ++failed_attempts;
      not_before = now + kRetryPause;
      note("round " + label(round) + " has no sum: " + outcome.reason);
    }
    members.forget_silent(cohort, outcome.survivors);
    close_round(record, now);
    if (training.complete() || training.closing_evaluation_is_lost()) return complete();
    if (failed_attempts >= job().rounds.attempts_per_round)
      return fail(lost_too_often(record, failed_attempts), lost_too_often(round, failed_attempts));
    if (stop_after_round) return stop();
    if (outcome.status == wire::RoundStatus::kDone) gather(now);  // at once, not at the next beat
  }

  void close_round(RoundRecord& record, TimePoint now) {
    RoundOutput closing = machine->close(folder.checkpoint.model.hash(), now);
    for (const wire::Envelope& e : closing.send)
      send(e.peer, e.round, e.message);
    machine.reset();
    machine_wake.reset();
    if (observer.on_round) observer.on_round(record);
  }

  double wall_s() const { return folder.at_start().wall_s + seconds(host.now() - started); }

  // ---- the end

  void send_finished(MemberId peer) {
    wire::RunFinished m{.run = folder.checkpoint.run,
                        .completed = state == "finished",
                        .model_hash = folder.checkpoint.model.hash(),
                        .reason = told.value_or(detail)};
    secagg::sign_run_finished(signing, m);
    send(peer, {}, m);
  }

  void end(std::string how, std::string why, RunEnd code) {
    if (std::exchange(ended, true)) return;
    state = std::move(how);
    detail = std::move(why);
    machine.reset();
    for (const MemberStatus& m : members.status())
      send_finished(m.id);
    show();
    host.finish(static_cast<int>(code));
  }

  void complete() {
    if (Status saved = run::save_model(folder.path() / "model", job(), folder.checkpoint.model);
        !saved.ok())
      return fail("cannot save the model: " + saved.error().message);
    end("finished", training.early_end(), RunEnd::kCompleted);
  }

  void stop() {
    end("stopped", "stopped by the operator; the same command resumes the run", RunEnd::kStopped);
  }

  /// Members are told `public_why` where it is given: never what one of them said.
  void fail(const std::string& why, std::optional<std::string> public_why = std::nullopt) {
    note("the run stops: " + why);
    told = std::move(public_why);
    end("failed", why, RunEnd::kFailed);
  }

  // ---- showing

  RunStatus status(TimePoint now) const {
    RunStatus s{
        .state = state,
        .detail = detail,
        .server_round = folder.checkpoint.finished_rounds,
        .num_server_rounds = job().rounds.num_server_rounds,
        .evaluation = training.evaluation(),
        .epsilon = training.epsilon(),
        .delta = job().differential_privacy.target_delta,
        .participant_epsilon = folder.participant_epsilon(job().distributed_privacy.target_delta),
        .participant_delta = job().distributed_privacy.target_delta,
        .wall_s = wall_s(),
        .lost_attempts = failed_attempts,
        .members = members.status(),
        .strangers = host.strangers()};
    if (ended) return board.resting(std::move(s));
    s.eta_s = time_left_s({.finished_at_start = folder.at_start().finished_rounds,
                           .finished = folder.checkpoint.finished_rounds,
                           .num_server_rounds = job().rounds.num_server_rounds,
                           .seconds = seconds(now - started)});
    const bool paused = folder.standing_pause.holds();
    if (paused && !machine) s.state = "paused";
    if (machine) s.asked = stop_after_round ? "stop" : paused ? "pause" : "";
    return machine ? board.running(std::move(s), machine->progress(), now)
                   : board.resting(std::move(s));
  }

  void show() { report(host.now(), true); }

  void report(TimePoint now, bool at_once = false) {
    // Between rounds little happens, and a thousand members are a long report.
    if (!at_once && now < reported + (machine ? kBeat : kRestingReport)) return;
    reported = now;
    const RunStatus s = status(now);
    if (observer.on_status) observer.on_status(s);
    if (!at_once && now < wrote_status + (machine ? kStatusFile : kRestingStatusFile)) return;
    wrote_status = now;
    write_status_file(s, folder.path());
  }

  void schedule() {
    if (ended) return;
    TimePoint next = host.now() + kBeat;
    if (machine_wake && *machine_wake < next) next = *machine_wake;
    host.wake_at(next);
  }

  CoordinatorOptions options;
  Host& host;
  const crypto::SigningKey& signing;
  crypto::SecureRandom& random;
  CoordinatorObserver observer;
  Members members;
  RunFolder folder;
  TrainingProgress training;

  TimePoint started;

  std::string state = "gathering";
  std::string detail;               // for the operator
  std::optional<std::string> told;  // members, in its place
  bool ended = false;
  bool stop_after_round = false;
  bool withdrawn = false;  // a member, where that ends the run
  std::optional<TimePoint> gather_until;
  TimePoint not_before;
  TimePoint reported;
  TimePoint wrote_status;

  std::optional<RunGenesis> genesis;  // when the job's rounds are drawn
  std::optional<RoundStateMachine> machine;
  std::optional<TimePoint> machine_wake;
  RoundNumber round;
  std::vector<MemberId> cohort;
  std::uint32_t failed_attempts = 0;
  std::optional<codec::NoisyEncoding> round_noise;  // of the attempt under way, where it trains
  RoundBoard board;
};

Coordinator::Coordinator(CoordinatorOptions options, Host& host, const crypto::SigningKey& signing,
                         crypto::SecureRandom& random, CoordinatorObserver observer)
    : impl_(
          std::make_unique<Impl>(std::move(options), host, signing, random, std::move(observer))) {}

Coordinator::~Coordinator() = default;

void Coordinator::start() {
  Impl& self = *impl_;
  self.started = self.host.now();
  if (self.folder.standing_pause.holds())
    self.note("paused by the operator: no round begins until sotto-coordinator resume " +
              self.folder.path().string());
  if (self.training.complete()) return self.complete();
  if (auto attempt = self.folder.take_unfinished()) self.take_up(std::move(*attempt), self.started);
  self.beat();
}

void Coordinator::on_frame(MemberId peer, BytesView frame) {
  Impl& self = *impl_;
  const TimePoint now = self.host.now();
  auto decoded = wire::decode(frame);
  self.say(self.members.came(peer, decoded, now));
  // A program that speaks another protocol learns from this frame's version which one we speak.
  if (wire::is_of_another_protocol(frame)) self.send(peer, {}, wire::Hello{});
  if (!decoded.ok() || decoded->sender != peer || !self.members.contains(peer)) return;
  if (const auto* hello = std::get_if<wire::Hello>(&decoded->message)) {
    self.on_hello(peer, *hello, now);
  } else if (const auto* reply = std::get_if<wire::JobReply>(&decoded->message)) {
    self.on_reply(peer, *reply);
  } else if (wire::is_about_genesis(decoded->message)) {
    if (self.genesis) self.apply(self.genesis->handle(peer, decoded->message, now));
  } else if (self.machine) {
    self.apply(self.machine->handle(
        {.peer = peer, .round = decoded->round, .message = std::move(decoded->message)}, now));
  }
}

void Coordinator::on_wake() {
  Impl& self = *impl_;
  const TimePoint now = self.host.now();
  if (self.machine && self.machine_wake && now >= *self.machine_wake)
    self.apply(self.machine->tick(now));
  self.beat();
}

void Coordinator::on_stop_requested() {
  impl_->stop();
}

Status Coordinator::pause() {
  Status written = impl_->folder.standing_pause.begin();
  if (written.ok()) impl_->show();
  return written;
}

Status Coordinator::resume() {
  Status written = impl_->folder.standing_pause.end();
  if (written.ok()) impl_->show();
  return written;
}

void Coordinator::finish_and_stop() {
  if (!impl_->machine) return impl_->stop();
  impl_->stop_after_round = true;
  impl_->show();
}

const FlatParameters& Coordinator::model() const {
  return impl_->folder.checkpoint.model;
}

bool Coordinator::resumed() const {
  return impl_->folder.resumed();
}

}  // namespace sotto::coordinator
