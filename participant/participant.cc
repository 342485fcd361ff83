#include "participant/participant.h"

#include <algorithm>
#include <csignal>
#include <optional>
#include <utility>

#include "common/base/printable.h"
#include "common/config/model_files.h"
#include "common/config/parse.h"
#include "common/run/evidence_folder.h"
#include "common/run/job_answer.h"
#include "common/run/plan.h"
#include "common/secagg/transcript.h"
#include "common/wire/codec.h"
#include "participant/job_kind.h"
#include "participant/offer_judge.h"
#include "participant/run_genesis.h"
#include "participant/session.h"
#include "participant/session_line.h"
#include "participant/upload.h"

namespace sotto::participant {

namespace {

/// Says that we are there; the coordinator leaves silent members out of cohorts.
constexpr Duration kHelloEvery{5000};

/// What the other side reads of a reason.
constexpr std::size_t kMaxReason = 4000;

/// Everything that belongs to one run we agreed to.
struct Run {
  config::JobConfig job;
  Bytes32 job_hash{};
  RunId id{};
  SiteAccount account;
  std::unique_ptr<learning::LocalTrainer> trainer;
  std::unique_ptr<ParticipantSession> session;
  std::optional<RunGenesis> genesis;  // when the job's rounds are drawn
  wire::JobReply reply;
  JobContext context;      // in which it was accepted
  bool withdrawn = false;  // for good

  // Of the newest computation. A later attempt may need it again (2.7), so masking takes a copy.
  std::optional<learning::TrainedUpdate> trained;
  std::vector<std::uint64_t> metrics;
};

}  // namespace

struct Participant::Impl {
  Impl(ParticipantOptions o, Host& h, const crypto::SigningKey& s, crypto::SecureRandom& r,
       Guard& g, GenesisLog& gl, privacy::PrivacyLedger& l, ParticipantObserver obs)
      : options(std::move(o)),
        host(h),
        signing(s),
        random(r),
        guard(g),
        geneses(gl),
        ledger(l),
        observer(std::move(obs)),
        judge(options, signing, ledger, observer) {}

  const config::SitePolicy& policy() const { return options.site.policy; }

  void note(const std::string& line) {
    if (observer.on_note) observer.on_note(line);
  }

  void warn(const std::string& line) {
    if (observer.on_warning) observer.on_warning(line);
  }

  void audit(const run::AuditEvent& event) {
    if (observer.on_audit) observer.on_audit(event);
  }

  void send(RoundNumber round, const wire::Message& message) {
    if (options.drill && options.drill->server_round == round.server_round() &&
        options.drill->message == wire::name_of(message)) {
      std::raise(SIGKILL);
    }
    host.send(kCoordinatorId, wire::encode(options.self, round, message));
  }

  void say_hello() {
    if (run) look_again();
    send({}, wire::Hello{.run = run ? run->id : RunId{}});
    next_hello = host.now() + kHelloEvery;
    schedule();
  }

  void schedule() {
    TimePoint next = next_hello;
    if (session_wake && *session_wake < next) next = *session_wake;
    host.wake_at(next);
  }

  // ---- agreeing to a job

  void on_job_offer(const wire::JobOffer& offer) {
    if (!secagg::verify_job_offer(options.roster.coordinator_signing_key, offer)) {
      return note("a job offer that the coordinator did not sign; ignored");
    }
    if (run && run->id == offer.run && run->job.canonical == offer.job) return send({}, run->reply);
    if (busy)
      return;  // the worker still uses the former run; the offer comes again with our next Hello
    run.reset();
    session_wake.reset();
    wire::JobReply reply{.run = offer.run, .id = options.self};
    auto parsed = config::parse_received_job(offer.job);
    if (const auto* errors = std::get_if<config::ConfigErrors>(&parsed)) {
      reply.job_hash = crypto::hash("SOTTO job", {view_of(offer.job)});
      reply.reason = errors->joined();
      return answer(std::move(reply), {});
    }
    config::JobConfig job = std::get<config::JobConfig>(std::move(parsed));
    job.model.path = options.site.model_path.string();
    reply.job_hash = job.hash;
    const Bytes32 kind = kind_of(job, options.roster.coordinator_signing_key);
    Assessment found = judge.assess(job, offer.run);
    for (const std::string& line : found.warnings)
      warn(line);
    reply.accepted = found.answer == Answer::kAccept;
    reply.reason =
        (found.answer == Answer::kNotNow ? std::string(run::kNotNow) : "") + found.reason;
    if (reply.accepted)
      run = agree(std::move(job), offer.run, std::move(found));
    else if (found.answer == Answer::kNotNow)
      judge.ask(job, found.rulings);
    answer(std::move(reply), kind);
  }

  /// Signs and sends it; what is new in it is written down first.
  void answer(wire::JobReply reply, const Bytes32& kind) {
    reply.reason.resize(std::min(reply.reason.size(), kMaxReason));
    secagg::sign_job_reply(signing, reply);
    const bool later = !reply.accepted && reply.reason.starts_with(run::kNotNow);
    if (said.run != reply.run || said.accepted != reply.accepted || said.reason != reply.reason) {
      audit({reply.accepted ? "job_accepted"
             : later        ? "job_postponed"
                            : "job_refused",
             {{"job_hash", to_hex(reply.job_hash)},
              {"run", to_hex(reply.run)},
              {"kind", to_hex(kind)},
              {"reason", reply.reason}}});
      if (!reply.accepted)
        note((later ? "cannot take part in the job " : "refused the job: ") + reply.reason);
    }
    said = reply;
    if (run) run->reply = reply;
    send({}, reply);
    if (!reply.accepted && !later && options.once) host.finish(3);
  }

  /// Hours pass and people change their minds while a run goes on.
  void look_again() {
    if (run->withdrawn) return;
    const std::vector<Ruling> rulings = judge.judge_again(run->job, run->context);
    const bool stands = answer_of(rulings) == Answer::kAccept;
    if (stands == run->reply.accepted) return;
    wire::JobReply reply = run->reply;
    reply.accepted = stands;
    reply.reason = stands ? "" : std::string(run::kNotNow) + reasons_of(rulings);
    if (!stands) judge.ask(run->job, rulings);
    answer(std::move(reply), kind_of(run->job, options.roster.coordinator_signing_key));
    if (stands) note("takes part in the job again");
  }

  /// A round that was joined is finished; none is joined while the site would not accept its job.
  bool may_join(const wire::Offer& offer) {
    if (run->session->current_round() == offer.header.round) return true;
    look_again();
    if (run->reply.accepted) return true;
    send(offer.header.round, wire::LeaveRound{run->reply.reason});
    return false;
  }

  std::unique_ptr<Run> agree(config::JobConfig job, const RunId& id, Assessment found) {
    auto made = std::make_unique<Run>();
    made->job_hash = job.hash;
    made->id = id;
    made->account = std::move(found.account);
    made->context = std::move(found.context);
    const std::vector<secagg::CohortMember> roster = run::signers(options.roster);
    Agreement agreement{.run = id,
                        .config_hash = job.hash,
                        .roster_hash = options.roster.hash(),
                        .num_server_rounds = job.rounds.num_server_rounds,
                        .parameters = found.initial->values.size(),
                        .encoding = run::encoding_of(job),
                        .noise = found.noise,
                        .min_colluders = policy().max_colluders,
                        .min_cohort = policy().min_cohort,
                        .max_round = std::chrono::seconds(policy().max_round_s),
                        .threads = options.site.resources.threads,
                        .graph = run::graph_rules(job),
                        .drawn_cohort_size = run::drawn_cohort_size(job, roster.size())};
    layout = found.initial->layout;
    if (job.secure_aggregation.model_lineage)
      agreement.lineage =
          LineageTerms{.optimizer = run::optimizer_spec(job.server_optimizer),
                       .first = std::make_shared<const FlatParameters>(std::move(*found.initial))};
    if (agreement.drawn_cohort_size) {
      made->genesis.emplace(
          secagg::GenesisContext{.run = id,
                                 .roster_hash = options.roster.hash(),
                                 .roster = roster,
                                 .coordinator = options.roster.coordinator_signing_key,
                                 .min_members = policy().min_cohort},
          options.self, signing, random, geneses);
      agreement.genesis = made->genesis->known();
    }
    made->session = std::make_unique<ParticipantSession>(
        agreement, options.self, run::signers(options.roster),
        options.roster.coordinator_signing_key, signing, options.preshared, random, guard.state());
    made->trainer = std::move(found.trainer);
    made->job = std::move(job);
    note("agreed to the job '" + made->job.name + "'");
    return made;
  }

  // ---- carrying out what the session asks for

  void apply(SessionOutput output) {
    for (const SessionEvent& event : output.events)
      if (const auto line = line_for_log(event)) note(*line);
    if (!options.evidence.empty())
      for (const secagg::Evidence& evidence : output.evidence) {
        const std::string line = run::keep_evidence(options.evidence, evidence, options.roster);
        note(line);
        if (line.starts_with(run::kEvidenceLine)) audit({"evidence", {{"finding", line}}});
      }
    for (const GuardRecord& record : output.persist) {
      // Durable before the first byte of its message leaves.
      if (Status written = guard.record(record); !written.ok()) {
        note("the guard cannot be written, so nothing is sent: " + written.error().message);
        return apply(run->session->guard_failed(host.now()));
      }
    }
    for (const wire::Envelope& e : output.send)
      send(e.round, e.message);
    session_wake = output.wake_at;
    if (output.input_spent) run->trained.reset();
    if (output.train) start_training(std::move(*output.train));
    if (output.mask) start_masking(std::move(*output.mask));
    schedule();
  }

  void leave(RoundNumber round, const Error& why) {
    apply(run->session->computed(round, why, host.now()));
  }

  privacy::Charge charge_for(RoundNumber round, const InputId& input,
                             const std::optional<privacy::NoisyRounds>& noise) const {
    return run::is_closing_evaluation(run->job, round)
               ? evaluation_charge(run->account, round, input)
               : training_charge(run->account, round, input, noise);
  }

  /// A site that can pay for no more rounds says so to the coordinator, instead of failing in each.
  void withdraw(const std::string& reason) {
    run->withdrawn = true;
    run->reply.accepted = false;
    run->reply.reason = reason;
    secagg::sign_job_reply(signing, run->reply);
    send({}, run->reply);
    audit({"job_withdrawn", {{"run", to_hex(run->id)}, {"reason", reason}}});
    note("withdrawn from the job: " + reason);
    if (options.once) host.finish(3);
  }

  void start_training(TrainRequest request) {
    if (busy) return leave(request.round, {"still computing for an earlier round"});
    if (request.model->layout != layout)
      return leave(request.round, {"the model is not the one that the job describes"});
    if (Status ok = affordable(ledger, run->account, charge_for(request.round, {}, request.noise));
        !ok.ok()) {
      leave(request.round, ok.error());
      return withdraw(ok.error().message);
    }
    busy = true;
    run->trained.reset();

    struct Work {
      learning::LocalTrainer& trainer;
      TrainRequest request;
      crypto::StreamRandom random;
      Status outcome;
      std::vector<std::uint64_t> metrics;
      std::optional<learning::TrainedUpdate> trained;
    };

    auto work = std::shared_ptr<Work>(
        new Work{*run->trainer, std::move(request), crypto::StreamRandom(random), {}, {}, {}});
    host.compute(
        [work] {
          auto metrics = work->trainer.evaluate(*work->request.model);
          if (!metrics.ok()) return void(work->outcome = metrics.error());
          work->metrics = std::move(metrics).value();
          if (work->request.evaluate_only) return;
          auto trained =
              work->trainer.train(*work->request.model, work->request.round.server_round(),
                                  work->random, [](learning::TrainingProgress) {});
          if (!trained.ok()) return void(work->outcome = trained.error());
          work->trained = std::move(trained).value();
        },
        [this, work] {
          busy = false;
          run->metrics = std::move(work->metrics);
          run->trained = std::move(work->trained);
          say_training(work->request.round, work->outcome);
          apply(run->session->computed(work->request.round, work->outcome, host.now()));
        });
  }

  void say_training(RoundNumber round, const Status& outcome) {
    const std::string place = "round " + std::to_string(round.server_round()) + ": ";
    if (!outcome.ok()) warn(place + outcome.error().message);
    if (run->trained)
      for (const std::string& line : run->trained->warnings)
        warn(place + line);
  }

  void start_masking(MaskRequest request) {
    if (busy)
      return apply(run->session->masked(request.round,
                                        Error{"still computing for an earlier round"}, host.now()));
    busy = true;

    struct Work {
      MaskRequest request;
      SiteInput input;
      double max_update_norm;
      crypto::StreamRandom random;
      unsigned threads;
      std::optional<Result<secagg::MaskedUpdate>> masked;
    };

    SiteInput input{.update = std::nullopt, .counters = {.weight = 1, .metrics = run->metrics}};
    if (run->trained) input.update.emplace(run->trained->update.values);
    auto work = std::shared_ptr<Work>(new Work{std::move(request),
                                               std::move(input),
                                               run->job.secure_aggregation.max_update_norm,
                                               crypto::StreamRandom(random),
                                               options.site.resources.threads,
                                               {}});
    host.compute(
        [work] {
          auto ring = encode_upload(work->request, std::move(work->input), work->max_update_norm,
                                    work->random);
          if (!ring.ok()) return void(work->masked.emplace(ring.error()));
          work->masked.emplace(
              std::move(work->request.job).run(std::move(ring).value(), work->threads));
        },
        [this, work] {
          busy = false;
          release(work->request, std::move(*work->masked));
        });
  }

  /// Charge, then release: the one place where an update becomes something that can be sent.
  void release(const MaskRequest& request, Result<secagg::MaskedUpdate> masked) {
    const RoundNumber round = request.round;
    if (!masked.ok()) return apply(run->session->masked(round, masked.error(), host.now()));
    std::optional<privacy::NoisyRounds> noise;
    if (request.encoding.noise) noise = request.encoding.noise->round;
    auto released = ledger.charge_and_release(charge_for(round, request.input, noise),
                                              run->account.budget, std::move(masked).value());
    if (released.ok()) {
      audit({"update_released",
             {{"run", to_hex(run->id)},
              {"server_round", std::to_string(round.server_round())},
              {"attempt", std::to_string(round.attempt())}}});
      say_spent();
      if (run->trained) run->trainer->keep();
    }
    apply(run->session->masked(round, std::move(released), host.now()));
  }

  void say_spent() {
    auto spent = ledger.both_spent(run->account.dataset_id, policy().delta);
    if (!spent.ok()) return;
    note("epsilon spent by '" + run->account.dataset_id + "': " + std::to_string(spent->epsilon) +
         " for one example" +
         (run->job.distributed_privacy.enabled
              ? ", " + std::to_string(spent->participant_epsilon) + " for all that was sent"
              : "") +
         ", at delta " + std::to_string(policy().delta));
  }

  void on_finished(const wire::RunFinished& m) {
    if (!secagg::verify_run_finished(options.roster.coordinator_signing_key, m)) {
      return note("an end of the run that the coordinator did not sign; ignored");
    }
    if (!run || run->id != m.run) return;
    audit({"run_ended",
           {{"run", to_hex(m.run)},
            {"how", m.completed ? "finished" : "failed"},
            {"reason", m.reason},
            {"model_hash", to_hex(m.model_hash)}}});
    note(m.completed ? "the run is complete" : "the run ended: " + printable(m.reason));
    if (options.once) host.finish(m.completed ? 0 : 3);
  }

  void on_genesis(const wire::Message& message) {
    RunGenesis::Outcome outcome = run->genesis->handle(message);
    if (!outcome.note.empty()) note(outcome.note);
    if (outcome.genesis) run->session->set_genesis(std::move(*outcome.genesis));
    if (outcome.answer) send({}, *outcome.answer);
  }

  ParticipantOptions options;
  Host& host;
  const crypto::SigningKey& signing;
  crypto::SecureRandom& random;
  Guard& guard;
  GenesisLog& geneses;
  privacy::PrivacyLedger& ledger;
  ParticipantObserver observer;
  OfferJudge judge;

  std::unique_ptr<Run> run;
  std::vector<ParameterShape> layout;
  wire::JobReply said;  // the newest answer to an offer
  bool busy = false;    // a worker has the trainer or the update
  TimePoint next_hello;
  std::optional<TimePoint> session_wake;
};

Participant::Participant(ParticipantOptions options, Host& host, const crypto::SigningKey& signing,
                         crypto::SecureRandom& random, Guard& guard, GenesisLog& geneses,
                         privacy::PrivacyLedger& ledger, ParticipantObserver observer)
    : impl_(std::make_unique<Impl>(std::move(options), host, signing, random, guard, geneses,
                                   ledger, std::move(observer))) {}

Participant::~Participant() = default;

void Participant::start() {
  impl_->say_hello();
}

void Participant::on_frame(MemberId peer, BytesView frame) {
  Impl& self = *impl_;
  if (peer != kCoordinatorId) return;
  auto decoded = wire::decode(frame);
  if (!decoded.ok()) return self.note("a frame that does not decode: " + decoded.error().message);
  if (const auto* offer = std::get_if<wire::JobOffer>(&decoded->message))
    return self.on_job_offer(*offer);
  if (const auto* finished = std::get_if<wire::RunFinished>(&decoded->message))
    return self.on_finished(*finished);
  if (!self.run) return;
  if (self.run->genesis && wire::is_about_genesis(decoded->message))
    return self.on_genesis(decoded->message);
  if (const auto* offer = std::get_if<wire::Offer>(&decoded->message))
    if (!self.may_join(*offer)) return;
  self.apply(self.run->session->handle(
      {.peer = peer, .round = decoded->round, .message = std::move(decoded->message)},
      self.host.now()));
}

void Participant::on_wake() {
  Impl& self = *impl_;
  const TimePoint now = self.host.now();
  if (self.run && self.session_wake && now >= *self.session_wake)
    self.apply(self.run->session->tick(now));
  if (now >= self.next_hello) self.say_hello();
  self.schedule();
}

void Participant::on_connected() {
  impl_->say_hello();
  if (impl_->run) impl_->apply(impl_->run->session->reconnected(impl_->host.now()));
}

void Participant::on_stop_requested() {
  impl_->note("stopping; what was charged to the ledger stays charged");
  impl_->host.finish(130);
}

}  // namespace sotto::participant
