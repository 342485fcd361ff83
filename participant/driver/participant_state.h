// The private state of Participant. participant.cc (offers and the run) and participant_rounds.cc
// (training, masking, release) share it; no other file includes it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/repeats.h"
#include "common/config/colluders.h"
#include "common/identity/roster_expiry.h"
#include "common/job/plan.h"
#include "common/wire/codec.h"
#include "participant/admission/offer_evaluator.h"
#include "participant/driver/held_answers.h"
#include "participant/driver/participant.h"
#include "participant/protocol/randomness_exchange.h"
#include "participant/protocol/session.h"

namespace sotto::participant {

/// The state of one run that this site has accepted.
struct Run {
  config::JobConfig job;
  Bytes32 job_hash{};
  RunId id{};
  SiteAccount account;
  std::unique_ptr<training::Trainer> trainer;
  std::unique_ptr<ParticipantSession> session;
  std::optional<RandomnessExchange> shared_randomness;  // set if the job's cohorts are drawn
  wire::JobReply reply;                                 // the newest reply
  JobContext context;                                   // the context in which the job was accepted
  bool withdrawn = false;                               // permanently

  // The results of the newest computation. A later attempt may need them again (2.7), so masking
  // takes a copy.
  std::optional<training::TrainedUpdate> trained;
  std::vector<std::uint64_t> metrics;

  std::vector<ParameterShape> layout;         // of the job's model
  HeldAnswers held{Duration(0)};              // holds back the end of a computation
  std::optional<TrainRequest> next_training;  // requested while the worker has the trainer
  std::optional<MaskRequest> next_masking;

  [[nodiscard]] bool accepts() const { return reply.answer == Answer::kAccept; }
};

/// An answer to a job offer, with the details that do not leave this site.
struct OfferAnswer {
  wire::JobReply reply;
  Bytes32 kind{};
  std::vector<std::string> details{};  // for this site's log and audit log only
  std::shared_ptr<Run> agreed{};       // set if the site accepts a new run
};

struct Participant::Impl {
  Impl(ParticipantOptions o, Host& h, const crypto::SigningKey& s, crypto::SecureRandom& r,
       Guard& g, RandomnessLog& gl, privacy::PrivacyLedger& l, ParticipantObserver obs)
      : options(std::move(o)),
        host(h),
        signing(s),
        random(r),
        guard(g),
        randomness_log(gl),
        ledger(l),
        observer(std::move(obs)),
        evaluator(options, signing, ledger, observer),
        expiry(options.roster.version, options.roster.expiry_unix_s, config::kSiteJoinsRenewed) {
    const auto participants = static_cast<std::uint32_t>(job::signers(options.roster).size());
    config::complete(options.site.policy, participants).or_stop("site.json: ");
  }

  const config::SitePolicy& policy() const { return options.site.policy; }

  void log(const std::string& line) {
    if (observer.on_log) observer.on_log(line);
  }

  void warn(const std::string& line) {
    if (observer.on_warning) observer.on_warning(line);
  }

  void audit(const observability::AuditEvent& event) {
    if (observer.on_audit) observer.on_audit(event);
  }

  void send(RoundNumber round, const wire::Message& message) {
    host.send(kCoordinatorId, wire::encode(options.self, round, message));
  }

  void send_hello();

  void schedule();

  void on_job_offer(const wire::JobOffer& offer);

  /// Handles the Hello with which the coordinator replies when it works with another roster.
  void on_hello(const wire::Hello& hello);

  [[nodiscard]] bool roster_is_over() const { return expiry.is_over(options.unix_now()); }

  Duration answer_every(const config::JobConfig& job) const;

  /// Starts the run if the site accepts one, signs the reply and sends it. A reply that differs
  /// from the one before is written to the audit log first.
  void answer(OfferAnswer next);

  void audit_answer(const OfferAnswer& next);

  /// Evaluates the policy again for the accepted job, because permitted hours, approvals and the
  /// expiry of the roster change while a run goes on.
  void reassess();

  /// Returns whether the session may handle the offer of a round. A round that was joined before is
  /// finished. No new round is joined while the policy would not accept the job, or once the roster
  /// has expired.
  bool may_join(const wire::Offer& offer);

  std::shared_ptr<Run> agree(config::JobConfig job, const RunId& id, Assessment found);

  void apply(SessionOutput output);

  /// Leaves the round. The coordinator sees this, so the reason must never depend on the site's
  /// data.
  void leave(RoundNumber round, const Error& why);

  /// Handles a computation or an encoding that failed for a reason that may lie in the site's data.
  /// Leaving the round would reveal the failure, so the site sends nothing until the attempt is
  /// over, and charges the ledger as for an update.
  void stay_silent(RoundNumber round, const std::optional<privacy::NoisyRounds>& noise,
                   const std::string& why);

  privacy::Charge charge_for(RoundNumber round, const InputId& input,
                             const std::optional<privacy::NoisyRounds>& noise) const;

  /// Declines the job after it was accepted, when the privacy budget permits no further round.
  /// Otherwise each later round would fail.
  void withdraw(const std::string& reason);

  void start_training(TrainRequest request);

  /// Starts the work that was requested while the worker was busy, unless its round is over.
  void begin_next();

  void start_masking(MaskRequest request);

  /// Charges the ledger and then releases the masked update. This is the only place where an update
  /// becomes something that can be sent.
  void release(const MaskRequest& request, Result<secagg::MaskedUpdate> masked);

  void log_spent();

  void on_finished(const wire::RunFinished& m);

  void on_randomness_message(const wire::Message& message);

  ParticipantOptions options;
  Host& host;
  const crypto::SigningKey& signing;
  crypto::SecureRandom& random;
  Guard& guard;
  RandomnessLog& randomness_log;
  privacy::PrivacyLedger& ledger;
  ParticipantObserver observer;
  OfferEvaluator evaluator;
  config::RosterExpiry expiry;

  std::shared_ptr<Run> run;
  HeldAnswers offers{Duration(0)};  // holds back the answer to a job offer
  std::vector<std::string> logged_details;
  wire::JobReply last_reply;  // the newest reply to an offer
  bool busy = false;          // a worker uses the trainer or the update
  Repeats other_rosters;
  Repeats undecodable;  // frames that did not decode, by their error
  bool coordinator_seen =
      false;  // an offer or another roster's Hello arrived, or the warning was logged
  TimePoint started;
  TimePoint next_hello;
  std::optional<TimePoint> session_wake;
};

}  // namespace sotto::participant
