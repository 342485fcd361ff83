// A whole federation in one thread and one seed: the production Coordinator and the production
// Participants, whose processes are killed and start again, over faulty links and faulty storage.
// Only training is invented. A checker looks at every frame that leaves a process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/config/federation.h"
#include "common/config/job.h"
#include "common/secagg/randomness/shared_randomness.h"
#include "common/simulation/fault_plan.h"
#include "common/simulation/simulation.h"
#include "coordinator/driver/coordinator.h"
#include "participant/driver/participant.h"
#include "participant/protocol/upload.h"
#include "tests/coordinator/driver/seen_events.h"
#include "tests/federation/checker.h"
#include "tests/participant/driver/fake_models.h"
#include "tests/temporary_directory.h"

namespace sotto::simulation {

/// An update's values are rounded at random, and differently in each run, to one of the two nearest
/// multiples of this in small_job(). The last tenth is that of the arithmetic with floats.
inline constexpr double kRoundingStep = 1.1 * 2.0 / 65535;

/// Returns the largest difference of one value. The two models have the same layout.
double largest_difference(const FlatParameters& one, const FlatParameters& other);

/// The job of the quickstart with a small model, without DP-SGD and with short deadlines.
/// `overrides` as for --set.
config::JobConfig small_job(const std::vector<std::string>& overrides = {});

struct FederationConfig {
  std::uint64_t seed = 1;
  std::uint32_t members = 4;
  config::JobConfig job = small_job();
  std::size_t values = 20;  // of the model
  LinkFaults links{.min_delay = Duration(1), .max_delay = Duration(30)};
  FaultPlan faults{};                      // members that fail in place of a message
  double coordinator_kills_per_event = 0;  // probability, of each event of the coordinator
  double kills_per_event = 0;              // probability, of each event of any process
  double kills_per_operation = 0;  // probability, of each persistence operation of any process
  /// The coordinator is killed in place of sending its frame with this number, from 0.
  std::optional<std::uint64_t> coordinator_killed_at_frame{};
  std::uint32_t min_cohort = 0;                 // of every site's policy; 0: the least
  double max_participant_epsilon = 0;           // of every site's policy; 0: no limit
  std::set<MemberId> spoilers{};                // mask another input than the one that they encoded
  std::optional<MemberId> spoils_evaluation{};  // the same, in rounds without an update alone
};

/// Changes what a member sends, with its key: returns the messages that leave in its place.
using Lie = std::function<std::vector<wire::Message>(
    MemberId from, RoundNumber round, const crypto::SigningKey& key, wire::Message message)>;

using Messages = std::vector<wire::Message>;

/// Acts between the coordinator and its members, as a coordinator that lies: each function returns
/// the messages that arrive in place of the one that was sent. An empty function changes nothing.
struct Interception {
  std::function<Messages(MemberId to, RoundNumber round, wire::Message message)> to_member{};
  std::function<Messages(MemberId from, RoundNumber round, wire::Message message)> to_coordinator{};
};

class Federation {
 public:
  explicit Federation(FederationConfig config);
  ~Federation();

  /// To the end of the run. False, and a failure, when it does not end within four simulated days.
  bool run();

  /// Runs until `done` holds at a full hundredth of a second. False, and a failure, when the run
  /// ends before, or after a simulated day.
  bool run_until(const std::function<bool()>& done);

  void run_for(Duration duration);

  // Set these before the run.
  Lie lie;
  Interception interception;
  /// Called before each process of the coordinator starts, with the number of those before it.
  std::function<void(std::uint64_t processes)> before_coordinator;

  /// Sends a message as the coordinator, from outside of it.
  void send_as_coordinator(MemberId to, RoundNumber round, const wire::Message& message);

  [[nodiscard]] const crypto::SigningKey& coordinator_key() const { return coordinator_key_; }

  [[nodiscard]] const crypto::SigningKey& key_of(MemberId member) const;

  [[nodiscard]] const config::JobConfig& job() const { return config_.job; }

  /// The coordinator's model. Call it only after the run.
  [[nodiscard]] const FlatParameters& model() const { return coordinator_->model(); }

  /// The model that the run began with.
  [[nodiscard]] FlatParameters initial_model() const;

  /// The shared randomness of the run; nothing before a member was sent it.
  [[nodiscard]] const std::optional<secagg::SharedRandomness>& shared_randomness() const {
    return shared_randomness_;
  }

  [[nodiscard]] const config::Roster& roster() const { return roster_; }

  /// The frames that the coordinator's processes sent.
  [[nodiscard]] std::uint64_t coordinator_frames() const { return coordinator_frames_; }

  [[nodiscard]] const std::vector<std::string>& failures() const { return checker_.failures(); }

  [[nodiscard]] Checker& checker() { return checker_; }

  [[nodiscard]] Simulation& simulation() { return *simulation_; }

  /// kCoordinatorId: the coordinator's.
  [[nodiscard]] FaultyStorage& storage(MemberId id) { return *storages_.at(id); }

  [[nodiscard]] const std::optional<int>& exit_code() const { return exit_code_; }

  [[nodiscard]] const coordinator::RunStatus& status() const { return seen_.status; }

  /// What the coordinator's processes told their sinks.
  [[nodiscard]] const coordinator::SeenEvents& seen() const { return seen_; }

  [[nodiscard]] const coordinator::MemberStatus& status_of(MemberId member) const;

  /// Every attempt that ended, in whatever process.
  [[nodiscard]] std::vector<coordinator::RoundRecord> rounds() const;

  [[nodiscard]] std::size_t done_rounds() const;

  /// Hash of the header that was offered last.
  [[nodiscard]] const Bytes32& newest_h() const { return newest_h_; }

  /// What the coordinator's operator reads.
  [[nodiscard]] const std::vector<std::string>& log() const { return seen_.lines; }

  [[nodiscard]] std::size_t lines_with(const std::string& text) const;

  /// Attempts that the member was offered.
  [[nodiscard]] std::uint64_t offers(MemberId member) const;

  /// The rounds that the member charged to its ledger.
  [[nodiscard]] std::vector<privacy::LedgerEntry> charges(MemberId member) const;

  /// Calls of its trainer.
  [[nodiscard]] const std::vector<std::uint64_t>& trained(MemberId member) const;

  /// The hash of the model that its newest training of a server round began with.
  [[nodiscard]] Bytes32 trained_on(MemberId member, std::uint64_t server_round) const;

  /// The update that its training gives in a server round, before it is clipped.
  [[nodiscard]] std::vector<float> update_of(MemberId member, std::uint64_t server_round) const;

  /// Lines with this text in the log of a member.
  [[nodiscard]] std::size_t site_lines_with(MemberId member, const std::string& text) const;

  [[nodiscard]] const Bytes32& history() const { return history_; }

  [[nodiscard]] std::filesystem::path folder() const { return directory_ / "run"; }

  /// One line: what failed, and how to see it again.
  [[nodiscard]] std::string report() const;

 private:
  struct Site;

  [[nodiscard]] training::FakeSettings settings_of(MemberId id) const;
  void add_member(MemberId id);
  std::unique_ptr<App> start_coordinator(Host& host);
  std::unique_ptr<App> start_site(Site& site, Host& host);
  [[nodiscard]] config::SiteConfig site_config(const Site& site) const;
  [[nodiscard]] std::uint64_t unix_now() const;
  void on_encoded(const participant::MaskRequest& request, encoding::RingUpdate& lanes);
  std::vector<Bytes> on_sent(MemberId from, MemberId to, Bytes frame);
  std::vector<Bytes> on_member_sent(Site& site, Bytes frame);
  bool fails_now(MemberId member, RoundNumber round, const wire::Message& message);
  void check_charged(const Site& site, RoundNumber round);
  void note_sent(MemberId to, RoundNumber round, const wire::Message& message);
  /// Calls `run`. False, and a failure, when a process does not start again.
  bool guarded(const std::function<void()>& run);
  void check_end();

  FederationConfig config_;
  TemporaryDirectory directory_;
  crypto::SigningKey coordinator_key_;
  config::Roster roster_;
  std::uint64_t coordinators_ = 0;                   // processes that started
  coordinator::Coordinator* coordinator_ = nullptr;  // the newest
  std::uint64_t coordinator_frames_ = 0;
  std::optional<secagg::SharedRandomness> shared_randomness_;
  std::unique_ptr<crypto::StreamRandom> coordinator_random_;
  std::map<MemberId, std::unique_ptr<FaultyStorage>> storages_;
  std::map<MemberId, std::unique_ptr<Site>> sites_;
  Checker checker_;
  std::set<std::pair<MemberId, RoundNumber>> crashed_, silent_;  // by faults of the plan
  Bytes32 history_{};
  coordinator::SeenEvents seen_;
  coordinator::RunEvents events_;
  std::vector<std::string> site_log_;
  Bytes32 newest_h_{};
  std::optional<int> exit_code_;
  std::unique_ptr<Simulation> simulation_;  // last: its Apps use all of the above
};

}  // namespace sotto::simulation
