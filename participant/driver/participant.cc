#include "participant/driver/participant.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/base/printable.h"
#include "common/config/model_files.h"
#include "common/config/parse.h"
#include "common/job/plan.h"
#include "common/job/privacy_statement.h"
#include "common/secagg/shared/transcript.h"
#include "participant/admission/job_kind.h"
#include "participant/driver/participant_state.h"

namespace sotto::participant {

namespace {

/// Interval of the Hello messages. The coordinator leaves members that send none out of cohorts.
constexpr Duration kHelloEvery{5000};

/// Longest reason that is sent to the coordinator, in bytes.
constexpr std::size_t kMaxReason = 4000;

/// After this time without an offer the log says where to look for the cause.
constexpr Duration kOfferTimeout{30000};

/// Returns a sentence on how the coordinator's roster differs from this site's, and who has to do
/// what.
std::string about_other_roster(std::uint32_t theirs, std::uint32_t ours) {
  const std::string both = "no job is offered: the coordinator uses version " +
                           std::to_string(theirs) + " of the roster, but this site uses version " +
                           std::to_string(ours);
  if (theirs > ours)
    return both +
           ". Get the newest federation.json from the operator, run `sotto-participant join` with "
           "it and start again";
  if (theirs < ours)
    return both + ". The operator must start the coordinator again with the newest federation.json";
  return both +
         ", and the two rosters differ: two rosters were signed under one version. Ask the "
         "operator for a renewed federation.json, compare it with other members, then run "
         "`sotto-participant join` with it";
}

}  // namespace

void Participant::Impl::send_hello() {
  if (const auto line = expiry.daily_warning(options.unix_now())) warn(*line);
  if (run) reassess();
  if (!run && !coordinator_seen && host.now() >= started + kOfferTimeout) {
    coordinator_seen = true;  // log it once
    warn("the coordinator has offered no job for " + std::to_string(kOfferTimeout.count() / 1000) +
         " s. Its log names the reason: it may have no run, not know this site, or use another "
         "protocol than " +
         std::to_string(wire::kProtocol));
  }
  send({}, wire::Hello{.run = run ? run->id : RunId{},
                       .roster_version = options.roster.version,
                       .roster_hash = options.roster.hash()});
  next_hello = host.now() + kHelloEvery;
  schedule();
}

void Participant::Impl::schedule() {
  TimePoint next = next_hello;
  if (session_wake && *session_wake < next) next = *session_wake;
  for (const auto& held : {offers.next(), run ? run->held.next() : std::nullopt})
    if (held && *held < next) next = *held;
  host.wake_at(next);
}

void Participant::Impl::on_job_offer(const wire::JobOffer& offer) {
  if (!secagg::verify_job_offer(options.roster.coordinator_signing_key, offer)) {
    return log("a job offer does not have the coordinator's signature; the offer was ignored");
  }
  coordinator_seen = true;
  if (run && run->id == offer.run && run->job.canonical == offer.job) return send({}, run->reply);
  // The worker still uses the former run, or an answer is being held. The coordinator repeats the
  // offer.
  if (busy || offers.next()) return;
  const TimePoint began = host.now();
  run.reset();
  session_wake.reset();
  wire::JobReply reply{.run = offer.run,
                       .id = options.self,
                       .training_examples = options.site.data.training_examples,
                       .least_sum = policy().min_cohort};
  auto parsed = config::parse_received_job(offer.job);
  if (const auto* errors = std::get_if<config::ConfigErrors>(&parsed)) {
    reply.job_hash = crypto::hash("SOTTO job", {view_of(offer.job)});
    reply.reason = errors->joined();
    return answer({.reply = std::move(reply)});
  }
  config::JobConfig job = std::get<config::JobConfig>(std::move(parsed));
  job.model.path = options.site.model_path.string();
  reply.job_hash = job.hash;
  reply.training_examples = options.site.data.declared(job.unit());
  const Bytes32 kind = kind_of(job, options.roster.coordinator_signing_key);
  if (roster_is_over()) {
    reply.answer = Answer::kPostpone;
    reply.reason = expiry.warning(options.unix_now());
    return answer({.reply = std::move(reply), .kind = kind});
  }
  Assessment found = evaluator.assess(job, offer.run);
  std::vector<std::string> details = found.warnings;
  reply.answer = found.answer;
  reply.reason = found.reason;
  if (found.obstacle) details.push_back(*found.obstacle);
  std::shared_ptr<Run> agreed;
  if (reply.answer == Answer::kPostpone) evaluator.ask(job, found.policy_results);
  offers = HeldAnswers(answer_every(job));
  if (reply.answer == Answer::kAccept) {
    reply.evaluation_examples = found.trainer->evaluation_examples();
    agreed = agree(std::move(job), offer.run, std::move(found));
  }
  // A Hello before that time would reveal that the assessment has ended.
  next_hello = std::max(next_hello, offers.due(began, host.now()));
  offers.hold(began, host.now(),
              [this, next = OfferAnswer{reply, kind, details, agreed}] { answer(next); });
  schedule();
}

void Participant::Impl::on_hello(const wire::Hello& hello) {
  if (hello.roster_hash == options.roster.hash()) return;
  coordinator_seen = true;
  const std::string line = about_other_roster(hello.roster_version, options.roster.version);
  if (other_rosters.again(line)) warn(line);
}

Duration Participant::Impl::answer_every(const config::JobConfig& job) const {
  return std::chrono::seconds(std::max(job.rounds.answer_every_s, policy().answer_every_s));
}

void Participant::Impl::answer(OfferAnswer next) {
  if (next.agreed) run = std::move(next.agreed);
  wire::JobReply& reply = next.reply;
  reply.reason.resize(std::min(reply.reason.size(), kMaxReason));
  secagg::sign_job_reply(signing, reply);
  const bool accepts = reply.answer == Answer::kAccept;
  const bool later = reply.answer == Answer::kPostpone;
  if (last_reply.run != reply.run || last_reply.answer != reply.answer ||
      last_reply.reason != reply.reason) {
    audit_answer(next);
    if (!accepts) log((later ? "postponed the job: " : "declined the job: ") + reply.reason);
  }
  // The coordinator repeats the offer every few seconds; unchanged details are not logged again.
  if (last_reply.run != reply.run || logged_details != next.details)
    for (const std::string& line : next.details)
      warn(line);
  last_reply = reply;
  logged_details = std::move(next.details);
  if (run) run->reply = reply;
  send({}, reply);
  if (!accepts && !later && options.once) host.finish(3);
}

void Participant::Impl::audit_answer(const OfferAnswer& next) {
  if (!observer.on_audit) return;  // computing the privacy statement takes time
  const wire::JobReply& reply = next.reply;
  const bool accepts = reply.answer == Answer::kAccept;
  observability::AuditEvent event{
      accepts                             ? "job_accepted"
      : reply.answer == Answer::kPostpone ? "job_postponed"
                                          : "job_refused",
      {{"job_hash", to_hex(reply.job_hash)},
       {"run", to_hex(reply.run)},
       {"kind", to_hex(next.kind)},
       {"training_examples", std::to_string(reply.training_examples)},
       {"evaluation_examples", std::to_string(reply.evaluation_examples)},
       {"least_sum", std::to_string(reply.least_sum)},
       {"reason", reply.reason}}};
  std::string details;
  for (const std::string& line : next.details)
    details += (details.empty() ? "" : "; ") + line;
  if (!details.empty()) event.fields.emplace_back("not_sent", std::move(details));
  if (accepts)
    for (auto& field : job::statement_audit_fields(run->job))
      event.fields.push_back(std::move(field));
  audit(event);
}

void Participant::Impl::reassess() {
  if (run->withdrawn) return;
  const std::vector<PolicyResult> policy_results = evaluator.evaluate_again(run->job, run->context);
  const bool is_over = roster_is_over();
  const bool stands = !is_over && answer_of(policy_results) == Answer::kAccept;
  if (stands == run->accepts()) return;
  wire::JobReply reply = run->reply;
  reply.answer = stands ? Answer::kAccept : Answer::kPostpone;
  reply.reason = stands    ? ""
                 : is_over ? expiry.warning(options.unix_now())
                           : reasons_of(policy_results);
  if (!stands && !is_over) evaluator.ask(run->job, policy_results);
  answer({.reply = std::move(reply),
          .kind = kind_of(run->job, options.roster.coordinator_signing_key)});
  if (stands) log("this site takes part in the job again");
}

bool Participant::Impl::may_join(const wire::Offer& offer) {
  if (run->session->current_round() == offer.header.round) return true;
  reassess();
  if (run->accepts()) return true;
  send(offer.header.round, wire::LeaveRound{run->reply.reason});
  return false;
}

std::shared_ptr<Run> Participant::Impl::agree(config::JobConfig job, const RunId& id,
                                              Assessment found) {
  auto made = std::make_shared<Run>();
  made->held = HeldAnswers(answer_every(job));
  made->job_hash = job.hash;
  made->id = id;
  made->account = std::move(found.account);
  made->context = std::move(found.context);
  const std::vector<secagg::CohortMember> roster = job::signers(options.roster);
  Agreement agreement{.run = id,
                      .config_hash = job.hash,
                      .roster_hash = options.roster.hash(),
                      .num_server_rounds = job.rounds.num_server_rounds,
                      .parameters = found.initial->values.size(),
                      .encoding = job::encoding_of(job),
                      .noise = found.noise,
                      .min_colluders = policy().max_colluders,
                      .min_cohort = policy().min_cohort,
                      .max_round = std::chrono::seconds(policy().max_round_s),
                      .threads = options.site.resources.threads,
                      .graph = job::graph_rules(job),
                      .drawn_cohort_size = job::drawn_cohort_size(job, roster.size())};
  made->layout = found.initial->layout;
  if (job.secure_aggregation.model_lineage)
    agreement.lineage =
        LineageTerms{.optimizer = job.server_optimizer,
                     .first = std::make_shared<const FlatParameters>(std::move(*found.initial))};
  if (agreement.drawn_cohort_size) {
    made->shared_randomness.emplace(
        secagg::RandomnessContext{.run = id,
                                  .roster_hash = options.roster.hash(),
                                  .roster = roster,
                                  .coordinator = options.roster.coordinator_signing_key,
                                  .min_members = policy().min_cohort,
                                  .colluders = job.secure_aggregation.max_colluders},
        options.self, signing, random, randomness_log);
    agreement.shared_randomness = made->shared_randomness->known();
  }
  made->session = std::make_unique<ParticipantSession>(
      agreement, options.self, job::signers(options.roster), options.roster.coordinator_signing_key,
      signing, options.preshared, random, guard.state());
  made->trainer = std::move(found.trainer);
  made->job = std::move(job);
  log("this site accepted the job '" + made->job.name + "'");
  return made;
}

void Participant::Impl::on_finished(const wire::RunFinished& m) {
  if (!secagg::verify_run_finished(options.roster.coordinator_signing_key, m)) {
    return log(
        "a message about the end of the run does not have the coordinator's signature; the message "
        "was ignored");
  }
  if (!run || run->id != m.run) return;
  audit({"run_ended",
         {{"run", to_hex(m.run)},
          {"how", m.completed ? "finished" : "failed"},
          {"reason", m.reason},
          {"model_hash", to_hex(m.model_hash)}}});
  if (observer.on_run_ended) observer.on_run_ended();
  log(m.completed ? "the run is complete" : "the run ended: " + printable(m.reason));
  if (options.once) host.finish(m.completed ? 0 : 3);
}

void Participant::Impl::on_randomness_message(const wire::Message& message) {
  RandomnessExchange::Outcome outcome = run->shared_randomness->handle(message, options.unix_now());
  if (!outcome.log_line.empty()) log(outcome.log_line);
  if (outcome.shared_randomness)
    run->session->set_shared_randomness(std::move(*outcome.shared_randomness));
  if (outcome.answer) send({}, *outcome.answer);
}

Participant::Participant(ParticipantOptions options, Host& host, const crypto::SigningKey& signing,
                         crypto::SecureRandom& random, Guard& guard, RandomnessLog& randomness_log,
                         privacy::PrivacyLedger& ledger, ParticipantObserver observer)
    : impl_(std::make_unique<Impl>(std::move(options), host, signing, random, guard, randomness_log,
                                   ledger, std::move(observer))) {}

Participant::~Participant() = default;

void Participant::start() {
  impl_->started = impl_->host.now();
  impl_->send_hello();
}

void Participant::on_frame(MemberId peer, BytesView frame) {
  Impl& self = *impl_;
  if (peer != kCoordinatorId) return;
  auto decoded = wire::decode(frame);
  if (!decoded.ok()) {
    const std::string line = "a frame cannot be decoded: " + decoded.error().message;
    if (self.undecodable.again(line)) self.log(line);
    return;
  }
  if (const auto* offer = std::get_if<wire::JobOffer>(&decoded->message))
    return self.on_job_offer(*offer);
  if (const auto* finished = std::get_if<wire::RunFinished>(&decoded->message))
    return self.on_finished(*finished);
  if (const auto* hello = std::get_if<wire::Hello>(&decoded->message)) return self.on_hello(*hello);
  if (!self.run) return;
  if (self.run->shared_randomness && wire::is_about_shared_randomness(decoded->message))
    return self.on_randomness_message(decoded->message);
  if (const auto* offer = std::get_if<wire::Offer>(&decoded->message))
    if (!self.may_join(*offer)) return;
  self.apply(self.run->session->handle(
      {.peer = peer, .round = decoded->round, .message = std::move(decoded->message)},
      self.host.now()));
}

void Participant::on_wake() {
  Impl& self = *impl_;
  const TimePoint now = self.host.now();
  self.offers.run_due(now);
  if (self.run) self.run->held.run_due(now);
  if (self.run && self.session_wake && now >= *self.session_wake)
    self.apply(self.run->session->tick(now));
  if (now >= self.next_hello) self.send_hello();
  self.schedule();
}

void Participant::on_connected() {
  impl_->send_hello();
  if (impl_->run) impl_->apply(impl_->run->session->reconnected(impl_->host.now()));
}

void Participant::on_stop_requested() {
  impl_->log("the participant stops; charges to the ledger remain");
  impl_->host.finish(130);
}

}  // namespace sotto::participant
