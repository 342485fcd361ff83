// Many Apps in one process on a virtual clock: links in memory, one queue of events in time order,
// computation on a few real threads, and processes that are killed and start again. Deterministic:
// what runs, and in which order it is delivered, depends on the seed alone. It knows nothing of
// what the Apps are, but that one end of every link is kCoordinatorId.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "common/base/host.h"
#include "common/crypto/secure_random.h"
#include "common/simulation/faulty_storage.h"
#include "common/simulation/links.h"

namespace sotto::simulation {

/// Makes the App of a process that starts now, on whatever files an earlier one left. Called on the
/// simulation's thread, again after each kill.
using Program = std::function<std::unique_ptr<App>(Host&)>;

/// Sees every frame that leaves a process, and returns what is sent in its place. It may throw
/// ProcessKilled: the process ends before the frame leaves.
using Tap = std::function<std::vector<Bytes>(MemberId from, MemberId to, Bytes frame)>;

struct SimulationOptions {
  std::uint64_t seed = 1;
  unsigned threads = 1;  // real ones, for computation
  LinkFaults links{};
  Duration min_compute{0};  // a computation takes so long in virtual time
  Duration max_compute{0};
  Duration min_away{200};  // a killed process starts again after so long
  Duration max_away{3000};
};

class Simulation {
 public:
  explicit Simulation(const SimulationOptions& options);
  ~Simulation();

  /// A process that starts with run(). `storage`, which outlives the simulation, is what it writes
  /// through and is killed in; null: the operating system's, and it is never killed.
  /// `kill_probability`: of each event that is delivered to it.
  void add(MemberId id, Program program, FaultyStorage* storage = nullptr,
           double kill_probability = 0);

  void set_tap(Tap tap) { tap_ = std::move(tap); }

  /// Called for the coordinator, as an event of it, when a member's connection ended.
  void set_on_link_ended(std::function<void(App& coordinator, MemberId member)> called) {
    on_link_ended_ = std::move(called);
  }

  /// Runs until the coordinator finishes: its exit code; or until `end`: nullopt. What a Program or
  /// an App throws, but for ProcessKilled, comes through.
  std::optional<int> run(std::optional<TimePoint> end = std::nullopt);

  [[nodiscard]] TimePoint now() const { return now_; }

  /// The process whose App, or, with one thread, whose computation is being called.
  [[nodiscard]] MemberId running() const { return running_; }

  /// The process ends now, and a new one starts after a time that is drawn. Not from within an App.
  void kill(MemberId id, Loss loss);

  /// No process of the member starts any more, once the one that runs has ended.
  void remove(MemberId id) { removed_.insert(id); }

  /// The link breaks, for so long.
  void cut(MemberId member, Duration outage);

  [[nodiscard]] std::uint64_t frames() const { return frames_; }

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  [[nodiscard]] std::uint64_t kills() const { return kills_; }

 private:
  class ProcessHost;
  friend class ProcessHost;

  struct Process {
    Program program;
    FaultyStorage* storage = nullptr;
    double kill_probability = 0;
    std::unique_ptr<ProcessHost> host;
    std::unique_ptr<App> app;       // null while it is away
    std::uint64_t incarnation = 0;  // events of earlier ones are void
    std::uint64_t alarm = 0;        // the newest; older ones are void
    bool finished = false;
  };

  struct Computation {
    MemberId owner{};
    std::uint64_t incarnation = 0;
    std::function<void()> work;
    std::function<void()> done;
  };

  void at(TimePoint when, std::function<void()> action);
  bool send(MemberId from, MemberId to, Bytes frame);
  void deliver(MemberId from, MemberId to, const Bytes& frame);
  void start(MemberId id);
  void connect(MemberId member);
  /// The member's connection ends, and the coordinator learns of it.
  void disconnect(MemberId member);
  /// Calls the App as one event of its process, in which it may be killed.
  void enter(MemberId id, const std::function<void(App&)>& call);
  void end_process(MemberId id);
  /// Runs all pending computations side by side; their results come in the order of the requests.
  void compute_pending();
  Duration draw(Duration min, Duration max);
  [[nodiscard]] bool coordinator_runs() const;

  SimulationOptions options_;
  TimePoint now_{Duration(1'000'000)};  // not zero: nothing may rely on the epoch
  std::uint64_t order_ = 0;
  std::map<std::pair<TimePoint, std::uint64_t>, std::function<void()>> events_;
  std::vector<Computation> pending_;
  Links links_;
  crypto::StreamRandom random_;
  Tap tap_;
  std::map<MemberId, Process> processes_;
  std::set<MemberId> removed_;
  MemberId running_ = kCoordinatorId;
  std::uint64_t frames_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t kills_ = 0;
  std::optional<int> exit_code_;
  std::function<void(App&, MemberId)> on_link_ended_;
};

}  // namespace sotto::simulation
