// The private state of ParticipantSession. session.cc (a round that ends with its sum) and
// session_abort.cc (abort of a round) share it; no other file includes it.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/secagg/shared/abort.h"
#include "common/wire/blob_transfer.h"
#include "participant/protocol/session.h"

namespace sotto::participant {

// ---- phases of a round (docs/secure-aggregation.md, 2.11). The comment names what the phase waits
// for.

struct Advertised {};  // M2

struct Dealt {};  // M4

struct Checked {};  // M4U, possibly preceded by M4B

struct Fixed {};  // the site's own computation

struct Masking {};  // masking and the charge to the ledger

struct Uploaded {  // M6; until then the coordinator fetches y
  privacy::Released<secagg::MaskedUpdate> upload;
};

struct Endorsed {};  // M8

struct Unmasked {};  // M10

using Phase =
    std::variant<Advertised, Dealt, Checked, Fixed, Masking, Uploaded, Endorsed, Unmasked>;

// ---- the computation, which runs beside M1 to M4U

struct Fetching {
  wire::BlobFetch blob;  // the model, or with lineage the next sum that it follows from
};

struct Computing {};

struct Computed {};

using Work = std::variant<Fetching, Computing, Computed>;

/// An accepted message and this site's answer, kept until the round closes. The same message gets
/// the same bytes again; another message of its kind is rejected (2.7, "same bytes or none").
struct Exchange {
  wire::Message accepted;
  std::optional<wire::Message> answer;
};

/// The data needed to check an abort certificate (AbortCertificate) after the round's secrets are
/// wiped.
struct UploadedRound {
  RoundNumber round;
  secagg::AbortRules rules;
  InputId input{};
};

/// Describes the result of the newest computation, which the driver keeps.
struct Input {
  InputId id{};
  std::uint64_t server_round = 0;
  Bytes32 model_hash{};
  std::optional<privacy::NoisyRounds> charged{};  // the noise under which it was or is being
                                                  // charged
};

struct Round {
  wire::RoundHeader header;
  encoding::EncodingSpec encoding;
  secagg::Client client;
  TimePoint started;  // time of the first M0; max_round counts from here
  Phase phase;
  Work work;
  std::vector<Exchange> exchanges{};
  TimePoint last_sent{};
  bool offenders = false;  // evidence was found; at most one piece is kept for a round

  template <class P>
  [[nodiscard]] bool in() const {
    return std::holds_alternative<P>(phase);
  }

  /// False while the site itself has to compute.
  [[nodiscard]] bool waits_for_coordinator() const { return !in<Fixed>() && !in<Masking>(); }
};

struct ParticipantSession::State {
  using Kind = SessionEvent::Kind;

  Agreement agreement;
  MemberId self;
  std::vector<secagg::CohortMember> roster;
  crypto::VerifyKey coordinator;
  const crypto::SigningKey* signing;
  const secagg::PresharedKeys* preshared;
  crypto::SecureRandom* random;
  GuardState guard;  // the driver's guard after it has written out.persist
  std::optional<Round> round{};
  std::optional<Input> input{};
  std::optional<UploadedRound> uploaded{};  // the newest round with an upload
  std::optional<ModelLineage> lineage{};    // set if the site computes the models itself
  RoundNumber lost{};  // a round that an earlier process had joined; its secrets are lost
  bool logged_lost = false;
  bool dead = false;  // the guard failed: nothing is sent any more
  SessionOutput out{};

  // ---- small steps

  void event(Kind kind, RoundNumber number, std::string detail) {
    out.events.push_back({kind, number, std::move(detail)});
  }

  void reject(RoundNumber number, std::string why) {
    event(Kind::kRejected, number, std::move(why));
  }

  void ignore(RoundNumber number, std::string why) {
    event(Kind::kIgnored, number, std::move(why));
  }

  void send(RoundNumber number, wire::Message message) {
    out.send.push_back({kCoordinatorId, number, std::move(message)});
  }

  /// Wipes every secret of the round.
  void close(Kind kind, std::string why) {
    event(kind, round->header.round, std::move(why));
    round.reset();
  }

  /// `public_reason` is sent to the coordinator; `detail` stays at the site.
  void leave(std::string public_reason, std::string detail) {
    send(round->header.round, wire::LeaveRound{std::move(public_reason)});
    close(Kind::kRoundLeft, std::move(detail));
  }

  /// The noise in the sum that the round's update is part of.
  [[nodiscard]] static std::optional<privacy::NoisyRounds> noise_of(const Round& r) {
    if (!r.encoding.noise || r.header.lanes.size() == 1) return std::nullopt;
    return r.encoding.noise->round;
  }

  [[nodiscard]] bool is_current(RoundNumber number) const {
    return round && round->header.round == number;
  }

  [[nodiscard]] std::optional<secagg::CohortDraw> draw() const {
    if (!agreement.drawn_cohort_size) return std::nullopt;
    return secagg::CohortDraw{.shared_randomness = agreement.shared_randomness.value(),
                              .cohort_size = *agreement.drawn_cohort_size};
  }

  [[nodiscard]] bool is_evaluation(RoundNumber number) const {
    return number.server_round() == agreement.num_server_rounds + 1;
  }

  [[nodiscard]] GuardRecord record(GuardStep step) const {
    return {
        .run = agreement.run, .round = round->header.round, .step = step, .h = round->client.h()};
  }

  /// Queues the record, to be written before anything is sent. Returns false if the guard does not
  /// allow it.
  bool persist(const GuardRecord& next) {
    if (Status allowed = guard.allows(next); !allowed.ok()) {
      reject(next.round, allowed.error().message);
      return false;
    }
    guard.apply(next);
    out.persist.push_back(next);
    return true;
  }

  void send(std::optional<wire::Message> answer, TimePoint now) {
    if (!answer) return;
    send(round->header.round, std::move(*answer));
    round->last_sent = now;
  }

  void repeat_last(TimePoint now) {
    const auto last = std::find_if(round->exchanges.rbegin(), round->exchanges.rend(),
                                   [](const Exchange& e) { return e.answer.has_value(); });
    send(last->answer, now);  // M1 is always there
  }

  /// Stores the message with its answer, sends the answer and enters phase `next`.
  void answer(const wire::Message& accepted, wire::Message message, Phase next, TimePoint now) {
    round->exchanges.push_back({accepted, message});
    round->phase = std::move(next);
    send(std::move(message), now);
  }

  /// Answers a message about a round that an earlier process of this site had joined: the
  /// coordinator need not wait for this member. The answer is the same after every restart,
  /// whatever ended the process, and tells no more than the new connection itself.
  void leave_lost_round();
  void expire(TimePoint now);
  void dispatch(const wire::Envelope& envelope, TimePoint now);
  void on_offer(const wire::Offer& m0, TimePoint now);
  /// True if the coordinator offers a round earlier than the last one that this site has joined:
  /// the coordinator has lost its record of the later ones.
  [[nodiscard]] bool is_forgotten(const wire::Offer& m0) const;
  /// Returns an Error if this attempt would reveal the evaluation counters of a server round a
  /// second time.
  [[nodiscard]] Status counts_once(RoundNumber number,
                                   const encoding::EncodingSpec& encoding) const;
  void join(const wire::Offer& m0, encoding::EncodingSpec encoding, secagg::Cohort cohort,
            TimePoint now);
  /// Requests what is missing for the round's model, or begins to compute. May leave the round.
  void get_model();
  void on_model_data(const wire::BlobData& data);
  void begin_computing(std::shared_ptr<const FlatParameters> model);
  void on_upload_request(RoundNumber number, const wire::BlobRequest& request);
  void on_phase_message(const wire::Message& message, TimePoint now);
  void on_key_list(const wire::KeyList& m2, TimePoint now);
  void on_shares(const wire::ShareForward& m4, TimePoint now);
  void on_complaints(const wire::Complaints& m4b, TimePoint now);
  void on_fix(const wire::Fix& m4u);
  void on_survivors(const wire::Survivors& m6, TimePoint now);
  void on_unmask_request(const wire::UnmaskRequest& m8, TimePoint now);
  void on_result(const wire::RoundResult& m10);
  /// Keeps evidence if the two messages contradict each other. `second` was rejected because of
  /// `first`, an accepted message of its kind.
  void keep_evidence(const wire::Message& first, const wire::Message& second);
  void on_abort_request(const wire::AbortRequest& m6);
  [[nodiscard]] Status check_abort_request(const wire::AbortRequest& m6) const;
  /// Returns whether `next` can use the newest input (section 2.7): an input that left is submitted
  /// again only after an abort certificate, and under the noise it was charged with.
  [[nodiscard]] bool can_use_again(const Round& next) const;
  void on_abort_certificate(RoundNumber number, const wire::AbortCertificate& m8);
  void mask_when_ready();
  void on_masked(privacy::Released<secagg::MaskedUpdate> released, TimePoint now);
  SessionOutput take_output(TimePoint now);

  /// Runs `body` with the steps that every public call has before and after it.
  template <class Body>
  SessionOutput step(TimePoint now, const Body& body) {
    if (dead) return {};
    expire(now);
    body();
    return take_output(now);
  }
};

}  // namespace sotto::participant
