// Inside of Participant, shared by participant.cc (offers and the run) and participant_rounds.cc
// (training, masking, release). Not for anybody else.
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
#include "participant/admission/offer_judge.h"
#include "participant/driver/held_answers.h"
#include "participant/driver/participant.h"
#include "participant/protocol/run_genesis.h"
#include "participant/protocol/session.h"

namespace sotto::participant {

/// Everything that belongs to one run we agreed to.
struct Run {
  config::JobConfig job;
  Bytes32 job_hash{};
  RunId id{};
  SiteAccount account;
  std::unique_ptr<training::Trainer> trainer;
  std::unique_ptr<ParticipantSession> session;
  std::optional<RunGenesis> genesis;  // when the job's rounds are drawn
  wire::JobReply reply;               // the newest one
  JobContext context;                 // in which it was accepted
  bool withdrawn = false;             // for good

  // Of the newest computation. A later attempt may need it again (2.7), so masking takes a copy.
  std::optional<training::TrainedUpdate> trained;
  std::vector<std::uint64_t> metrics;

  std::vector<ParameterShape> layout;         // of the job's model
  HeldAnswers held{Duration(0)};              // the end of a computation
  std::optional<TrainRequest> next_training;  // while the worker has the trainer
  std::optional<MaskRequest> next_masking;

  [[nodiscard]] bool accepts() const { return reply.answer == Answer::kAccept; }
};

/// An answer to a job offer, and what stays here of it.
struct OfferAnswer {
  wire::JobReply reply;
  Bytes32 kind{};
  std::vector<std::string> details{};  // for this site's people: log and audit log
  std::shared_ptr<Run> agreed{};       // where the site agrees to a new run
};

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
        judge(options, signing, ledger, observer),
        expiry(options.roster.version, options.roster.expiry_unix_s, config::kSiteJoinsRenewed) {
    const auto participants = static_cast<std::uint32_t>(run::signers(options.roster).size());
    if (Status done = config::complete(options.site.policy, participants); !done.ok())
      throw StartupError("site.json: " + done.error().message);
  }

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
    host.send(kCoordinatorId, wire::encode(options.self, round, message));
  }

  void say_hello();

  void schedule();

  void on_job_offer(const wire::JobOffer& offer);

  /// The coordinator answers a Hello with its own where it works with another roster.
  void on_hello(const wire::Hello& hello);

  [[nodiscard]] bool roster_is_over() const { return expiry.is_over(options.unix_now()); }

  Duration answer_every(const config::JobConfig& job) const;

  /// Takes up the run, where the site agreed to it, signs the reply and sends it. What is new in it
  /// is written down first, as what left the site.
  void answer(OfferAnswer next);

  void audit_answer(const OfferAnswer& next);

  /// Hours pass, people change their minds and rosters expire while a run goes on.
  void look_again();

  /// A round that was joined is finished; none is joined while the site would not accept its job,
  /// or once its roster has expired.
  bool may_join(const wire::Offer& offer);

  std::shared_ptr<Run> agree(config::JobConfig job, const RunId& id, Assessment found);

  void apply(SessionOutput output);

  /// The round is left, which the coordinator sees: never for a reason that depends on data.
  void leave(RoundNumber round, const Error& why);

  /// The site could not compute or encode, for a reason that may lie in its data. To say so would
  /// tell it; so it stays silent until the attempt is over, and pays for the silence as for an
  /// update.
  void stay_silent(RoundNumber round, const std::optional<privacy::NoisyRounds>& noise,
                   const std::string& why);

  privacy::Charge charge_for(RoundNumber round, const InputId& input,
                             const std::optional<privacy::NoisyRounds>& noise) const;

  /// A site that can pay for no more rounds says so to the coordinator, instead of failing in each.
  void withdraw(const std::string& reason);

  void start_training(TrainRequest request);

  /// Begins the work that was requested while the worker was busy, unless its round is over.
  void begin_next();

  void start_masking(MaskRequest request);

  /// Charge, then release: the one place where an update becomes something that can be sent.
  void release(const MaskRequest& request, Result<secagg::MaskedUpdate> masked);

  void say_spent();

  void on_finished(const wire::RunFinished& m);

  void on_genesis(const wire::Message& message);

  ParticipantOptions options;
  Host& host;
  const crypto::SigningKey& signing;
  crypto::SecureRandom& random;
  Guard& guard;
  GenesisLog& geneses;
  privacy::PrivacyLedger& ledger;
  ParticipantObserver observer;
  OfferJudge judge;
  config::RosterExpiry expiry;

  std::shared_ptr<Run> run;
  HeldAnswers offers{Duration(0)};  // the answer to a job offer
  std::vector<std::string> said_details;
  wire::JobReply said;  // the newest answer to an offer
  bool busy = false;    // a worker has the trainer or the update
  Repeats other_rosters;
  Repeats undecodable;  // frames, by what is wrong with them
  bool heard = false;   // an offer came, or it was said that none comes
  TimePoint started;
  TimePoint next_hello;
  std::optional<TimePoint> session_wake;
};

}  // namespace sotto::participant
