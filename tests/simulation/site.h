// A participant in a simulation: the real session, guard rules, encoding, masking and ledger around
// a trainer that invents its updates. It is what participant.cc is to a deployment, without threads
// and files of its own. One thread.
#pragma once

#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/crypto/secure_random.h"
#include "common/crypto/sign.h"
#include "common/privacy/ledger/ledger.h"
#include "participant/privacy/account.h"
#include "participant/protocol/guard.h"
#include "participant/protocol/session.h"

namespace sotto::simulation {

class Site {
 public:
  struct Setup {
    participant::Agreement agreement;
    MemberId id{};
    std::vector<secagg::CohortMember> roster;
    crypto::VerifyKey coordinator{};
    std::uint64_t seed = 0;            // of everything that this site draws
    Duration training{1000};           // takes this long, simulated
    privacy::PrivacyLedger* ledger{};  // shared by the simulation: a data set a site
    double max_participant_epsilon = std::numeric_limits<double>::infinity();  // at 1e-5
    /// A member that lies changes what its honest session says, and signs it again.
    std::function<void(wire::Envelope&, const crypto::SigningKey&)> lie{};
    bool spoils = false;              // masks and signs another input than the one that it encoded
    bool spoils_evaluations = false;  // the same, in rounds without an update alone
  };

  /// `signing` is moved in and stays at one address.
  Site(Setup setup, crypto::SigningKey signing);

  using Sends = std::vector<wire::Envelope>;
  Sends deliver(const wire::Envelope& envelope, TimePoint now);
  /// What is due: ticks, training that ended, a process that starts again.
  Sends run_due(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> next() const;
  /// The link came up again.
  Sends reconnected(TimePoint now);
  /// The process dies, its secrets with it; guard and ledger stay. A new one starts later.
  void crash(TimePoint now, Duration restart_after);

  [[nodiscard]] const RunId& run() const { return setup_.agreement.run; }

  [[nodiscard]] MemberId id() const { return setup_.id; }

  [[nodiscard]] bool running() const { return session_ != nullptr; }

  [[nodiscard]] std::string dataset() const { return "site-" + std::to_string(raw(setup_.id)); }

  /// Plain lanes as they were encoded in a round; null when this site never got there.
  [[nodiscard]] const encoding::RingUpdate* input(RoundNumber round) const;

  /// What its training gives in a round, before it is clipped.
  [[nodiscard]] std::vector<float> trained_update(RoundNumber round) const;

  /// The model that a round's training began with; zero when this site never got there.
  [[nodiscard]] Bytes32 trained_on(RoundNumber round) const;

  /// Computations that this site began.
  [[nodiscard]] std::uint64_t trainings() const { return trainings_; }

  /// What it named the input of a round; zero when it never got there.
  [[nodiscard]] participant::InputId input_id(RoundNumber round) const;

  [[nodiscard]] const std::vector<participant::SessionEvent>& events() const { return events_; }

 private:
  void start_session();
  [[nodiscard]] participant::SiteAccount account() const;
  void start_training(participant::TrainRequest request, TimePoint now, Sends& sends);
  void carry_out(participant::SessionOutput output, TimePoint now, Sends& sends);
  participant::SessionOutput mask(participant::MaskRequest request, TimePoint now);
  [[nodiscard]] wire::Envelope hello() const;

  Setup setup_;
  std::unique_ptr<crypto::SigningKey> signing_;
  secagg::PresharedKeys preshared_;
  crypto::StreamRandom random_;
  participant::GuardState guard_;  // the "disk"
  std::unique_ptr<participant::ParticipantSession> session_;
  std::optional<TimePoint> wake_at_;
  std::optional<TimePoint> restart_at_;
  std::multimap<TimePoint, RoundNumber> training_;  // by when it ends
  RoundNumber trained_;                             // what was invented last, until it is masked
  std::map<RoundNumber, participant::InputId> input_ids_;
  std::uint64_t trainings_ = 0;
  std::map<RoundNumber, Bytes32> trained_on_;
  std::map<RoundNumber, encoding::RingUpdate> inputs_;
  std::vector<participant::SessionEvent> events_;
};

}  // namespace sotto::simulation
