#include "coordinator/driver/coordinator.h"

#include <algorithm>
#include <utility>

#include "common/job/saved_model.h"
#include "common/secagg/shared/transcript.h"
#include "common/wire/codec.h"
#include "coordinator/driver/coordinator_state.h"
#include "coordinator/driver/job_terms.h"

namespace sotto::coordinator {

namespace {

/// The time between two ticks, and between two samples of the status while a round runs.
constexpr Duration kBeat{250};
constexpr Duration kRestingReport{1000};

}  // namespace

Coordinator::Impl::Impl(CoordinatorOptions o, Host& h, const crypto::SigningKey& s,
                        crypto::SecureRandom& r, const RunEvents& e)
    : options(std::move(o)),
      host(h),
      signing(s),
      random(r),
      events(e),
      members(options.roster),
      expiry(options.roster.version, options.roster.expiry_unix_s, config::kOperatorRenews),
      folder(options.folder, options.job, std::move(options.initial_model), random),
      training(options.job, folder, options.keep) {
  members.open_conflicts(folder.path() / "conflicts.json").or_stop();
  backoff = Backoff::open(folder.path() / "backoff.json").or_stop();
  show_exclusions();
  shared_randomness = open_shared_randomness(job(), options.roster, folder.checkpoint.run,
                                             folder.path(), signing, random);
}

// ---- members

void Coordinator::Impl::send(MemberId peer, RoundNumber about, const wire::Message& message) {
  if (!host.send(peer, wire::encode(kCoordinatorId, about, message))) members.unreachable(peer);
}

void Coordinator::Impl::log(std::string line) {
  events.emit(LogLine{Severity::kInfo, std::move(line)});
}

void Coordinator::Impl::warn(std::optional<std::string> line) {
  if (line) events.emit(LogLine{Severity::kWarning, std::move(*line)});
}

void Coordinator::Impl::on_hello(MemberId peer, const wire::Hello& hello, TimePoint now) {
  if (hello.protocol != wire::kProtocol)
    return warn(members.report_other_protocol(peer, hello.protocol));
  if (!members.shares_roster(hello)) {
    warn(members.has_other_roster(peer, hello));
    return send_hello(peer);
  }
  const bool returned = members.on_message(peer, now);
  if (ended) return send_finished(peer);
  if (members.accepted(peer) && hello.run == folder.checkpoint.run) {
    if (shared_randomness && returned) apply(shared_randomness->connected(peer));
    if (machine && returned) apply(machine->member_connected(peer, now));
    return;
  }
  members.offered(peer);
  wire::JobOffer offer{.run = folder.checkpoint.run, .job = job().canonical};
  secagg::sign_job_offer(signing, offer);
  send(peer, {}, offer);
}

void Coordinator::Impl::send_hello(MemberId peer) {
  send(peer, {},
       wire::Hello{.roster_version = options.roster.version, .roster_hash = members.roster_hash()});
}

void Coordinator::Impl::on_reply(MemberId peer, const wire::JobReply& reply) {
  if (reply.id != peer || reply.run != folder.checkpoint.run || reply.job_hash != job().hash ||
      !secagg::verify_job_reply(options.roster.find(peer)->signing_key, reply)) {
    return warn(members.report_violation(
        peer, "it sent an answer to the job that does not verify; the answer was ignored"));
  }
  const Members::Answered answered = members.answered(peer, reply, host.now());
  warn(answered.violation);
  if (answered.change) events.emit(*answered.change);
  const bool accepts = reply.answer == wire::JobAnswer::kAccept;
  if (answered.change && answered.change->answer == MemberAnswer::kWithdrew)
    withdrawn = training.stopping().when_budget_spent();
  // A participant process that restarted is sent the current state of the run. If it cannot
  // continue the round, it reports that.
  if (accepts && (answered.awaited || answered.change)) {
    if (shared_randomness) apply(shared_randomness->connected(peer));
    if (machine) apply(machine->member_connected(peer, host.now()));
  }
  if (machine && !accepts && answered.awaited) lose(peer, "its program was restarted", host.now());
  if (answered.change) tick_members();
}

void Coordinator::Impl::lose_absent(TimePoint now) {
  for (MemberId id : members.take_lost(now))
    if (machine) lose(id, "its connection ended", now);
}

void Coordinator::Impl::lose(MemberId id, const std::string& why, TimePoint now) {
  apply(machine->member_lost(id, why, now));
}

// ---- gathering

void Coordinator::Impl::tick_members() {
  const TimePoint now = host.now();
  lose_absent(now);
  if (options.unix_now)
    if (auto warning = expiry.daily_warning(options.unix_now()))
      events.emit(RosterExpires{std::move(*warning)});
  folder.commit_waiting(now);
  if (!ended && shared_randomness) apply(shared_randomness->tick(now));
  if (!ended && !machine) gather(now);
  report(now);
  schedule();
}

void Coordinator::Impl::gather(TimePoint now) {
  if (folder.standing_pause.holds()) return gather_until.reset();
  if (options.unix_now && expiry.is_over(options.unix_now()))
    return fail(expiry.warning(options.unix_now()));
  if (std::exchange(withdrawn, false)) training.end_early("a participant withdrew from the job");
  const std::vector<MemberId> possible = members.not_refused();
  const std::vector<MemberId> could = could_join(possible);
  if (could.size() < needed()) {
    const std::string why =
        "too few members accept the job (" + std::to_string(needed()) + " are needed)";
    if (training.only_closing_evaluation_is_left()) {
      training.end_without_closing_evaluation(why);
      return complete();
    }
    return fail(why + ": " + members.refusals() + demands(possible, could), why);
  }
  const bool everybody = members.ready().size() + members.refused() == members.size();
  std::vector<MemberId> ready = joinable(members.ready());
  if (ready.size() < needed()) {
    gather_until.reset();
    return;
  }
  if (!gather_until) gather_until = now + options.gather;
  if ((!everybody && now < *gather_until) || now < not_before) return;
  log_demands(ready);
  if (shared_randomness && !shared_randomness->shared_randomness())
    return apply(shared_randomness->start(backoff.choose(ready, needed()), now));
  start_round(std::move(ready), now);
}

void Coordinator::Impl::apply(RandomnessOutput output) {
  for (const std::string& line : output.log_lines)
    log(line);
  for (const auto& [member, what] : output.violations)
    warn(members.report_violation(member, what));
  std::vector<Fault> faults;
  for (MemberId id : output.silent) {
    warn(members.name_of(id) +
         " committed to the shared randomness of the run and did not reveal its value");
    faults.push_back({.member = id,
                      .cost = Fault::Cost::kWaited,
                      .what = "silent while the shared randomness of the run was generated"});
  }
  if (!faults.empty()) log_faults(backoff.add(faults), faults);
  for (const wire::Envelope& e : output.send)
    send(e.peer, e.round, e.message);
  if (output.failed) fail(*output.failed);
}

// ---- the end

void Coordinator::Impl::send_finished(MemberId peer) {
  wire::RunFinished m{.run = folder.checkpoint.run,
                      .completed = state == RunState::kFinished,
                      .model_hash = folder.checkpoint.model.hash(),
                      .reason = public_reason.value_or(detail)};
  secagg::sign_run_finished(signing, m);
  send(peer, {}, m);
}

void Coordinator::Impl::end(RunState how, std::string why, RunEnd code) {
  if (std::exchange(ended, true)) return;
  state = how;
  detail = std::move(why);
  machine.reset();
  events.emit(RunEnded{state, detail, folder.checkpoint.finished_rounds});
  for (const MemberStatus& m : members.status())
    send_finished(m.id);
  show();
  host.finish(static_cast<int>(code));
}

job::RunFacts Coordinator::Impl::run_facts() const {
  job::RunFacts facts{
      .rounds = training.trained_rounds(),
      .members = members.size(),
      .evaluation = training.evaluation(),
      .epsilon = training.epsilon(),
      .participant_epsilon = folder.participant_epsilon(job().distributed_privacy.target_delta),
      .early_end = training.early_end()};
  if (options.unix_now) facts.finished_unix_s = options.unix_now();
  return facts;
}

void Coordinator::Impl::complete() {
  if (Status saved =
          job::save_model(folder.path() / "model", job(), folder.checkpoint.model, run_facts());
      !saved.ok())
    return fail("cannot save the model: " + saved.error().message);
  end(RunState::kFinished, training.early_end(), RunEnd::kCompleted);
}

void Coordinator::Impl::stop() {
  end(RunState::kStopped, "the operator stopped the run; the same command resumes it",
      RunEnd::kStopped);
}

void Coordinator::Impl::fail(const std::string& why, std::optional<std::string> public_why) {
  public_reason = std::move(public_why);
  end(RunState::kFailed, why, RunEnd::kFailed);
}

// ---- display

RunStatus Coordinator::Impl::status(TimePoint now) const {
  RunStatus s{
      .state = state,
      .detail = detail,
      .server_round = folder.checkpoint.finished_rounds,
      .num_server_rounds = job().rounds.num_server_rounds,
      .headline = job().make_task()->headline(),
      .evaluation = training.evaluation(),
      .unit = config::word_of(job().unit()),
      .epsilon = training.epsilon(),
      .delta = job().differential_privacy.target_delta,
      .participant_epsilon = folder.participant_epsilon(job().distributed_privacy.target_delta),
      .participant_delta = job().distributed_privacy.target_delta,
      .wall_s = wall_s(),
      .lost_attempts = failed_attempts + lost_sum_attempts,
      .roster_version = options.roster.version,
      .roster_expiry_unix_s = options.roster.expiry_unix_s,
      .roster_warning = options.unix_now ? expiry.warning(options.unix_now()) : "",
      .members = members.status(),
      .unauthenticated = host.unauthenticated()};
  for (MemberStatus& m : s.members)
    if (const auto at = backoff.records().find(m.id); at != backoff.records().end())
      m.left_out = describe(at->second);
  if (ended) return board.resting(std::move(s));
  s.eta_s = time_left_s({.finished_at_start = folder.at_start().finished_rounds,
                         .finished = folder.checkpoint.finished_rounds,
                         .num_server_rounds = job().rounds.num_server_rounds,
                         .seconds = seconds(now - started)});
  const bool paused = folder.standing_pause.holds();
  if (paused && !machine) s.state = RunState::kPaused;
  if (machine)
    s.asked = stop_after_round ? PendingRequest::kStop
              : paused         ? PendingRequest::kPause
                               : PendingRequest::kNone;
  return machine ? board.running(std::move(s), machine->progress(), now)
                 : board.resting(std::move(s));
}

Status Coordinator::Impl::asked(Status written, OperatorAsked::What what) {
  if (!written.ok()) {
    warn(written.error().message);
    return written;
  }
  events.emit(OperatorAsked{what});
  show();
  return written;
}

void Coordinator::Impl::show() {
  report(host.now(), true);
}

void Coordinator::Impl::report(TimePoint now, bool at_once) {
  // Between rounds little changes, and the status of a thousand members is long.
  if (!at_once && now < reported + (machine ? kBeat : kRestingReport)) return;
  reported = now;
  events.show(status(now));
}

void Coordinator::Impl::schedule() {
  if (ended) return;
  TimePoint next = host.now() + kBeat;
  if (machine_wake && *machine_wake < next) next = *machine_wake;
  host.wake_at(next);
}

Coordinator::Coordinator(CoordinatorOptions options, Host& host, const crypto::SigningKey& signing,
                         crypto::SecureRandom& random, const RunEvents& events)
    : impl_(std::make_unique<Impl>(std::move(options), host, signing, random, events)) {}

Coordinator::~Coordinator() = default;

void Coordinator::start() {
  Impl& self = *impl_;
  self.started = self.host.now();
  self.events.emit(RunStarted{.resumed = self.folder.resumed(),
                              .folder = self.folder.path(),
                              .finished_rounds = self.folder.checkpoint.finished_rounds,
                              .job = self.job().name,
                              .job_hash = self.job().hash,
                              .roster_version = self.options.roster.version,
                              .roster_hash = self.members.roster_hash()});
  if (self.folder.standing_pause.holds())
    self.log("the operator paused the run: no round begins until sotto-coordinator resume " +
             self.folder.path().string());
  if (self.training.complete()) return self.complete();
  if (auto attempt = self.folder.take_unfinished()) self.take_up(std::move(*attempt), self.started);
  self.tick_members();
}

void Coordinator::on_frame(MemberId peer, BytesView frame) {
  Impl& self = *impl_;
  const TimePoint now = self.host.now();
  const auto admitted = self.members.admit(peer, now);
  self.warn(admitted.line);
  if (!admitted.taken) return;
  auto decoded = wire::decode(frame);
  self.warn(self.members.on_frame(peer, decoded));
  // A program with another protocol version learns this one from the version in this frame.
  if (wire::is_of_another_protocol(frame)) self.send_hello(peer);
  if (!decoded.ok() || decoded->sender != peer || !self.members.contains(peer)) return;
  if (const auto* hello = std::get_if<wire::Hello>(&decoded->message)) {
    self.on_hello(peer, *hello, now);
  } else if (const auto* reply = std::get_if<wire::JobReply>(&decoded->message)) {
    self.on_reply(peer, *reply);
  } else if (wire::is_about_shared_randomness(decoded->message)) {
    if (self.shared_randomness)
      self.apply(self.shared_randomness->handle(peer, decoded->message, now));
  } else if (self.machine && !self.is_left_out(peer)) {
    self.apply(self.machine->handle(
        {.peer = peer, .round = decoded->round, .message = std::move(decoded->message)}, now));
  }
}

void Coordinator::on_wake() {
  Impl& self = *impl_;
  const TimePoint now = self.host.now();
  if (self.machine && self.machine_wake && now >= *self.machine_wake)
    self.apply(self.machine->tick(now));
  self.tick_members();
}

void Coordinator::on_too_many_links(MemberId peer) {
  impl_->warn(impl_->members.report_violation(
      peer,
      "it opens connections again and again; more connections than its work needs are rejected"));
}

void Coordinator::on_link_ended(MemberId peer) {
  impl_->warn(impl_->members.link_ended(peer));
}

void Coordinator::on_stop_requested() {
  if (impl_->ended) return;
  impl_->events.emit(OperatorAsked{OperatorAsked::What::kStopNow});
  impl_->stop();
}

Status Coordinator::pause() {
  return impl_->asked(impl_->folder.standing_pause.begin(), OperatorAsked::What::kPause);
}

Status Coordinator::resume() {
  return impl_->asked(impl_->folder.standing_pause.end(), OperatorAsked::What::kResume);
}

void Coordinator::finish_and_stop() {
  if (impl_->ended) return;
  impl_->events.emit(OperatorAsked{OperatorAsked::What::kStopAfterRound});
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
