// A whole federation in one thread and one seed: the coordinator's round machine and n sites over
// SimNetwork, round after round, with everything that must hold checked after every event. The same
// seed, plan and configuration give the same history to the byte.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/model/flat_parameters.h"
#include "common/model/optimizers/server_optimizer.h"
#include "common/privacy/ledger/ledger.h"
#include "common/secagg/shared/noisy_round.h"
#include "common/simulation/fault_plan.h"
#include "coordinator/protocol/round.h"
#include "tests/simulation/checker.h"
#include "tests/simulation/coordinator_disk.h"
#include "tests/simulation/sim_clock.h"
#include "tests/simulation/sim_network.h"
#include "tests/simulation/site.h"
#include "tests/temporary_directory.h"

namespace sotto::simulation {

struct WorldConfig {
  std::uint32_t participants = 5;
  std::uint32_t colluders = 1;         // C
  std::uint32_t full_graph_max = 256;  // more participants: a circulant graph
  std::uint32_t cohort_size = 0;       // drawn for each round; 0: everybody
  std::uint64_t rounds = 2;
  std::uint16_t attempts = 1;       // at a server round that gives no sum; faults are of the first
  bool lineage = false;             // members make the models by themselves
  bool closing_evaluation = false;  // the last round sums counters only
  std::uint64_t values = 33;
  double noise_multiplier = 0;  // inside the sums, at a clipping norm of 1; 0: no noise
  privacy::NoiseMechanism mechanism = privacy::NoiseMechanism::kDiscreteGaussian;
  std::uint32_t dropout_percent = 10;  // expected: with noise a sum needs all the others
  double max_participant_epsilon = std::numeric_limits<double>::infinity();  // of each site
  LinkFaults links{.loss = 0, .duplicate = 0, .min_delay = Duration(1), .max_delay = Duration(30)};
  double flaps = 0;  // probability that the delivery of a message breaks its member's link
  /// Moments at which the coordinator is killed, in the count of World::moments(): three for each
  /// of its steps that has something to keep. It is back after `coordinator_away`.
  std::set<std::uint64_t> coordinator_killed{};
  double coordinator_kills = 0;  // or the probability at each
  Duration coordinator_away{700};
  double coordinator_forgets = 0;  // this part of what it had kept, at each restart
  std::map<MemberId, MemberId> false_complaints{};  // in each round, about a dealer's share
  std::map<MemberId, MemberId> bad_ciphertexts{};   // for a holder, of shares that are good
  std::map<MemberId, MemberId> bad_shares{};        // for a holder: not what is committed to
  Duration phase{2000};
  Duration training_limit{40000};
};

struct RoundRecord {
  RoundNumber round;
  wire::RoundStatus status{};
  std::string reason;
  std::vector<MemberId> survivors;
  std::optional<encoding::DecodedSum> sum;
  Duration took{};
  std::uint64_t rejections = 0;  // messages that the coordinator called a breach
  std::vector<secagg::Conflict> conflicts{};
  std::vector<secagg::Evidence> evidence{};
};

/// The coordinator's disk, as far as sums go.
class SumsInMemory final : public coordinator::SumStore {
 public:
  void keep(const RunId& run, const secagg::PublishedSum& sum) {
    sums_[secagg::published_sum_blob(run, sum.server_round)] = secagg::encode(sum);
  }

  Result<BytesView> find(const Bytes32& blob) override {
    const auto at = sums_.find(blob);
    return at == sums_.end() ? BytesView() : BytesView(at->second);
  }

 private:
  std::map<Bytes32, Bytes> sums_;
};

class World {
 public:
  World(std::uint64_t seed, FaultPlan plan, const WorldConfig& config);

  /// All rounds, to their end.
  void run();

  [[nodiscard]] const std::vector<RoundRecord>& rounds() const { return records_; }

  [[nodiscard]] const std::vector<std::string>& failures() const { return checker_.failures(); }

  [[nodiscard]] const Checker& checker() const { return checker_; }

  /// Entries of a site's ledger that cost something.
  [[nodiscard]] std::uint64_t charges(const Site& site) const;

  [[nodiscard]] const privacy::PrivacyLedger& ledger() const { return *ledger_; }

  /// By cohort index.
  [[nodiscard]] secagg::Cohort cohort(RoundNumber round) const;
  [[nodiscard]] wire::RoundHeader header(RoundNumber round) const;
  [[nodiscard]] encoding::EncodingSpec encoding(RoundNumber round) const;

  [[nodiscard]] const FlatParameters& model() const { return model_; }

  /// Moments at which the coordinator could have been killed so far, and how often it was.
  [[nodiscard]] std::uint64_t moments() const { return moments_; }

  [[nodiscard]] std::uint64_t kills() const { return kills_; }

  /// One line: what failed and how to see it again.
  [[nodiscard]] std::string report() const;

  [[nodiscard]] Site& site(MemberId id);

 private:
  [[nodiscard]] bool training_round(std::uint64_t index) const {
    return !config_.closing_evaluation || index + 1 < config_.rounds;
  }

  void add_sites();
  /// What the configuration makes this member lie about.
  void lie(MemberId member, wire::Envelope& envelope, const crypto::SigningKey& signing) const;
  [[nodiscard]] std::uint32_t colluders() const;
  [[nodiscard]] secagg::RoundEncoding round_encoding(RoundNumber round) const;
  [[nodiscard]] coordinator::RoundPlan round_plan() const;
  void start_round(std::uint16_t attempt);
  void run_attempt(std::uint16_t attempt);
  void step();
  [[nodiscard]] TimePoint next_event() const;
  void carry_out(coordinator::RoundOutput output);
  void keep(coordinator::RoundOutput& output);
  /// True when this is one of the moments: the coordinator is gone.
  bool killed_now();
  void restart_coordinator();
  void send_from(Site& site, const Site::Sends& sends);
  void deliver(const Delivery& delivery);
  void maybe_flap(MemberId member);
  void restore_links();
  void finish_round(coordinator::RoundOutcome outcome);
  void check_sum(const RoundRecord& record);
  void check_ledger(const Site& one, RoundNumber round);
  [[nodiscard]] Duration longest_round() const;

  std::uint64_t seed_;
  FaultPlan plan_;
  WorldConfig config_;
  TemporaryDirectory directory_;
  std::optional<privacy::PrivacyLedger> ledger_;
  SimClock clock_;
  SimNetwork network_;
  crypto::StreamRandom chance_;  // flaps
  crypto::StreamRandom kill_chance_;
  crypto::SigningKey coordinator_key_;
  Checker checker_;
  participant::Agreement agreement_;
  std::vector<secagg::CohortMember> roster_;
  std::vector<std::unique_ptr<Site>> sites_;
  FlatParameters model_;
  ServerOptimizer optimizer_;
  std::unique_ptr<coordinator::RoundStateMachine> machine_;
  CoordinatorDisk disk_;
  std::shared_ptr<SumsInMemory> sums_;  // with lineage
  std::uint64_t moments_ = 0;
  std::uint64_t kills_ = 0;
  std::optional<TimePoint> coordinator_back_;
  std::optional<TimePoint> coordinator_wake_;
  std::map<TimePoint, std::vector<MemberId>> restores_;  // links that come up again
  std::uint64_t round_index_ = 0;
  RoundNumber round_;
  TimePoint round_began_;
  std::uint64_t rejections_ = 0;
  std::vector<secagg::Conflict> conflicts_;  // of the round
  std::vector<secagg::Evidence> evidence_;
  std::optional<encoding::RingUpdate> opened_;
  /// The first attempt at a server round whose sum may have been certified: later ones carry no
  /// counters.
  std::map<std::uint64_t, RoundNumber> certified_;
  bool round_over_ = false;
  std::vector<RoundRecord> records_;
};

}  // namespace sotto::simulation
