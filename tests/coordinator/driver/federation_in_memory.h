// A whole run of the real coordinator in one thread: its sites are those of the simulation, over a
// network that loses nothing, at a time that moves when nobody has more to do.
#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/host.h"
#include "common/config/job.h"
#include "common/privacy/ledger/ledger.h"
#include "common/wire/codec.h"
#include "coordinator/driver/coordinator.h"
#include "tests/coordinator/driver/seen_events.h"
#include "tests/simulation/site.h"
#include "tests/temporary_directory.h"

namespace sotto::coordinator {

class FederationInMemory final : public Host {
 public:
  /// Members 1 to n, C as the job says it. `spoilers` upload something else than they should.
  FederationInMemory(std::uint32_t n, config::JobConfig job, std::set<MemberId> spoilers = {});

  /// A process of the coordinator begins on the run's folder, after the one of before was killed.
  void begin_process();
  /// Until the run ends; false when it does not in a simulated day.
  bool run();

  /// What a member sends more than it should: given each message that leaves it, with its key.
  std::function<std::vector<wire::Message>(MemberId, const crypto::SigningKey&,
                                           const wire::Message&)>
      also_says;
  /// The coordinator is killed, and another one begins, after so many frames each; 0: never.
  std::uint64_t killed_every = 0;

  /// The member spoils evaluations without an update, and no other sum.
  void spoils_closing_evaluation(MemberId member) { spoils_closing_ = member; }

  /// Hash of the header that was offered last.
  [[nodiscard]] const Bytes32& newest_h() const { return newest_h_; }

  [[nodiscard]] const std::optional<int>& exit_code() const { return exit_code_; }

  /// What the coordinator's operator reads.
  [[nodiscard]] const std::vector<std::string>& log() const { return seen_.lines; }

  [[nodiscard]] std::size_t lines_with(const std::string& text) const;

  [[nodiscard]] const SeenEvents& seen() const { return seen_; }

  [[nodiscard]] const RunStatus& status() const { return seen_.status; }

  [[nodiscard]] const MemberStatus& status_of(MemberId member) const;

  /// Attempts that it was offered.
  [[nodiscard]] std::uint64_t offers(MemberId member) const;
  /// Updates that it released.
  [[nodiscard]] std::size_t charges(MemberId member) const;

  [[nodiscard]] std::filesystem::path folder() const { return directory_ / "run"; }

  // Host
  [[nodiscard]] TimePoint now() const override { return now_; }

  bool send(MemberId peer, Bytes frame) override;

  void wake_at(TimePoint when) override { wake_ = when; }

  void compute(std::function<void()> work, std::function<void()> done) override;

  void finish(int exit_code) override { exit_code_ = exit_code; }

 private:
  struct Member {
    crypto::SigningKey key;
    std::unique_ptr<simulation::Site> site{};
    std::uint64_t offers = 0;
  };

  crypto::SigningKey key_of(MemberId member) const;
  void hello_of_all();
  void say(MemberId member, RoundNumber round, const wire::Message& message);
  void say_all(MemberId member, const simulation::Site::Sends& sends);
  void hear(MemberId member, const wire::Decoded& decoded);
  void join(MemberId member, const wire::JobOffer& offer);
  bool step();

  TemporaryDirectory directory_;
  config::JobConfig job_;
  std::set<MemberId> spoilers_;
  std::optional<MemberId> spoils_closing_;
  Bytes32 newest_h_{};
  crypto::StreamRandom random_{3};
  crypto::SigningKey signing_ = crypto::SigningKey::generate(random_);
  config::Roster roster_;
  std::map<MemberId, Member> members_;
  std::optional<privacy::PrivacyLedger> ledger_;
  TimePoint now_{Duration(1'000'000)};
  TimePoint next_hello_;
  std::optional<TimePoint> wake_;
  std::deque<std::pair<MemberId, Bytes>> to_members_, to_coordinator_;
  std::deque<std::function<void()>> computed_;
  std::uint64_t frames_ = 0;
  std::optional<int> exit_code_;
  SeenEvents seen_;
  RunEvents events_{[] { return std::uint64_t{0}; }};
  std::optional<Coordinator> app_;
};

}  // namespace sotto::coordinator
