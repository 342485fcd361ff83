#include <exception>
#include <functional>
#include <utility>

#include "common/job/evaluation_bounds.h"
#include "common/job/plan.h"
#include "common/observability/evidence_folder.h"
#include "common/secagg/shared/transcript.h"
#include "participant/driver/participant_state.h"
#include "participant/privacy/account.h"
#include "participant/protocol/upload.h"

namespace sotto::participant {

namespace {

/// Returns an exception of `work` as an Error. Running out of memory must not end the process,
/// because the coordinator would see that.
Status without_throwing(const std::function<Status()>& work) {
  try {
    return work();
  } catch (const std::exception& e) {
    return Error{e.what()};
  }
}

const char* what(SessionEvent::Kind kind) {
  using Kind = SessionEvent::Kind;
  switch (kind) {
    case Kind::kRoundJoined:
      return "joined";
    case Kind::kSharesOpened:
      return "opened shares";
    case Kind::kUploaded:
      return "released the masked update";
    case Kind::kEndorsed:
      return "endorsed the survivors";
    case Kind::kUnmasked:
      return "sent shares";
    case Kind::kVotedAbort:
      return "voted to abort the round";
    case Kind::kFreed:
      return "burnt";
    case Kind::kRoundClosed:
      return "closed";
    case Kind::kRoundLeft:
      return "left";
    case Kind::kRejected:
      return "rejected a message";
    case Kind::kIgnored:
    case Kind::kModelReceived:
      break;
  }
  return nullptr;
}

/// Returns the text of an event for the log of the site; no value for events that are not logged.
std::optional<std::string> line_for_log(const SessionEvent& event) {
  const char* happened = what(event.kind);
  if (happened == nullptr) return std::nullopt;
  const std::string line = "round " + std::to_string(event.round.server_round()) + ": " + happened;
  return event.detail.empty() ? line : line + " (" + event.detail + ")";
}

}  // namespace

void Participant::Impl::apply(SessionOutput output) {
  for (const SessionEvent& event : output.events)
    if (const auto line = line_for_log(event)) log(*line);
  if (!options.evidence.empty())
    for (const secagg::Evidence& evidence : output.evidence) {
      const auto kept = observability::keep_evidence(options.evidence, evidence, options.roster);
      log(kept.line);
      if (kept.finding) audit({"evidence", {{"finding", kept.line}}});
    }
  for (const GuardRecord& record : output.persist) {
    // The record is durable before the first byte of its message leaves.
    if (Status written = guard.record(record); !written.ok()) {
      log("the guard cannot be written, so nothing is sent: " + written.error().message);
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

void Participant::Impl::leave(RoundNumber round, const Error& why) {
  apply(run->session->computed(round, why, host.now()));
}

void Participant::Impl::stay_silent(RoundNumber round,
                                    const std::optional<privacy::NoisyRounds>& noise,
                                    const std::string& why) {
  warn("this site sends nothing in round " + std::to_string(round.server_round()) + ": " + why);

  struct Silence {};

  const auto charged =
      ledger.charge_and_release(charge_for(round, {}, noise), run->account.budget, Silence{});
  if (!charged.ok()) warn(charged.error().message);
}

privacy::Charge Participant::Impl::charge_for(
    RoundNumber round, const InputId& input,
    const std::optional<privacy::NoisyRounds>& noise) const {
  return job::is_closing_evaluation(run->job, round)
             ? evaluation_charge(run->account, round, input)
             : training_charge(run->account, round, input, noise);
}

void Participant::Impl::withdraw(const std::string& reason) {
  run->withdrawn = true;
  run->reply.answer = Answer::kDecline;
  run->reply.reason = reason;
  secagg::sign_job_reply(signing, run->reply);
  send({}, run->reply);
  audit({"job_withdrawn", {{"run", to_hex(run->id)}, {"reason", reason}}});
  log("this site withdraws from the job: " + reason);
  if (options.once) host.finish(3);
}

void Participant::Impl::start_training(TrainRequest request) {
  if (busy) return void(run->next_training = std::move(request));
  if (request.model->layout != run->layout)
    return leave(request.round, {"the model differs from the one that the job describes"});
  if (Status ok = affordable(ledger, run->account, charge_for(request.round, {}, request.noise));
      !ok.ok()) {
    leave(request.round, ok.error());
    if (ok.error().code == ErrorCode::kBudgetExceeded) return withdraw(ok.error().message);
    return warn("this site takes no part in this round: " + ok.error().message);
  }
  busy = true;
  run->trained.reset();

  struct Work {
    training::Trainer& trainer;
    TrainRequest request;
    TimePoint began;
    crypto::StreamRandom random;
    Status outcome;
    std::vector<std::uint64_t> metrics;
    std::optional<training::TrainedUpdate> trained;
  };

  auto work = std::shared_ptr<Work>(new Work{
      *run->trainer, std::move(request), host.now(), crypto::StreamRandom(random), {}, {}, {}});
  host.compute(
      [work] {
        work->outcome = without_throwing([&work]() -> Status {
          SOTTO_ASSIGN_OR_RETURN(auto metrics, work->trainer.evaluate(*work->request.model));
          work->metrics = std::move(metrics);
          if (work->request.evaluate_only) return {};
          SOTTO_ASSIGN_OR_RETURN(
              auto trained,
              work->trainer.train(*work->request.model, work->request.round.server_round(),
                                  work->random, [](training::TrainingProgress) {}));
          work->trained = std::move(trained);
          return {};
        });
      },
      [this, work] {
        run->metrics = std::move(work->metrics);
        if (!run->metrics.empty())
          if (Status kept =
                  job::keep_to_bounds(run->job, run->metrics, run->trainer->evaluation_examples());
              !kept.ok())
            warn("the evaluation of this site is not counted: " + kept.error().message);
        run->trained = std::move(work->trained);
        if (run->trained)
          for (const std::string& line : run->trained->warnings)
            warn("round " + std::to_string(work->request.round.server_round()) + ": " + line);
        const auto finish = [this, round = work->request.round, noise = work->request.noise,
                             outcome = work->outcome] {
          busy = false;
          if (outcome.ok())
            apply(run->session->computed(round, {}, host.now()));
          else
            stay_silent(round, noise, outcome.error().message);
          begin_next();
        };
        run->held.hold(work->began, host.now(), finish);
        schedule();
      });
}

void Participant::Impl::begin_next() {
  const auto current = run->session->current_round();
  if (auto next = std::exchange(run->next_masking, std::nullopt); next && current == next->round)
    return start_masking(std::move(*next));
  if (auto next = std::exchange(run->next_training, std::nullopt); next && current == next->round)
    start_training(std::move(*next));
}

void Participant::Impl::start_masking(MaskRequest request) {
  if (busy) return void(run->next_masking.emplace(std::move(request)));
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
        const Status done = without_throwing([&work]() -> Status {
          SOTTO_ASSIGN_OR_RETURN(auto ring, encode_upload(work->request, std::move(work->input),
                                                          work->max_update_norm, work->random));
          work->masked.emplace(std::move(work->request.job).run(std::move(ring), work->threads));
          return {};
        });
        if (!done.ok()) work->masked.emplace(done.error());
      },
      [this, work] {
        busy = false;
        release(work->request, std::move(*work->masked));
        begin_next();
      });
}

void Participant::Impl::release(const MaskRequest& request, Result<secagg::MaskedUpdate> masked) {
  const RoundNumber round = request.round;
  std::optional<privacy::NoisyRounds> noise;
  if (request.encoding.noise) noise = request.encoding.noise->round;
  if (!masked.ok()) return stay_silent(round, noise, masked.error().message);
  auto released = ledger.charge_and_release(charge_for(round, request.input, noise),
                                            run->account.budget, std::move(masked).value());
  if (released.ok()) {
    audit({"update_released",
           {{"run", to_hex(run->id)},
            {"server_round", std::to_string(round.server_round())},
            {"attempt", std::to_string(round.attempt())}}});
    log_spent();
    if (run->trained) run->trainer->keep();
  }
  apply(run->session->masked(round, std::move(released), host.now()));
}

void Participant::Impl::log_spent() {
  auto spent = ledger.both_spent(run->account.dataset_id, policy().delta);
  if (!spent.ok()) return;
  log("epsilon spent by '" + run->account.dataset_id + "': " + std::to_string(spent->epsilon) +
      " for one " + std::string(config::word_of(run->job.unit())) +
      (run->job.distributed_privacy.enabled
           ? ", " + std::to_string(spent->participant_epsilon) + " for everything that was sent"
           : "") +
      ", at delta " + std::to_string(policy().delta));
}

}  // namespace sotto::participant
