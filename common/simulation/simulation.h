// Simulation runs many Apps in one process on a virtual clock: links in memory, one queue of events
// in time order, computation on a few real threads, and processes that are killed and start again.
// It is deterministic: what runs, and the order of deliveries, depend on the seed alone. It knows
// nothing about the Apps except that one end of every link is kCoordinatorId.
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

/// Makes the App of a process that starts now, on the files that an earlier one left. Called on the
/// simulation's thread, and again after each kill.
using Program = std::function<std::unique_ptr<App>(Host&)>;

/// Receives every frame that leaves a process, and returns the frames that are sent in its place.
/// It may throw ProcessKilled, which ends the process before the frame leaves.
using Tap = std::function<std::vector<Bytes>(MemberId from, MemberId to, Bytes frame)>;

struct SimulationOptions {
  std::uint64_t seed = 1;
  unsigned threads = 1;  // real threads for computation
  LinkFaults links{};
  Duration min_compute{0};  // duration of a computation in virtual time
  Duration max_compute{0};
  Duration min_away{200};  // time until a killed process starts again
  Duration max_away{3000};
};

class Simulation {
 public:
  explicit Simulation(const SimulationOptions& options);
  ~Simulation();

  /// Adds a process, which starts with run(). Its files are written through `storage`, which
  /// outlives the simulation and in which the process can be killed; null: the operating system's,
  /// and the process is never killed. `kill_probability` is the probability of a kill at each event
  /// that is delivered to the process.
  void add(MemberId id, Program program, FaultyStorage* storage = nullptr,
           double kill_probability = 0);

  void set_tap(Tap tap) { tap_ = std::move(tap); }

  /// Sends a frame over the links as `from` does, without the tap. Returns false when the member is
  /// not connected.
  bool transmit(MemberId from, MemberId to, Bytes frame);

  /// `called` is called for the coordinator, as an event of its process, when a member's connection
  /// ended.
  void set_on_link_ended(std::function<void(App& coordinator, MemberId member)> called) {
    on_link_ended_ = std::move(called);
  }

  /// Runs until the coordinator finishes and returns its exit code, or until `end` and returns
  /// nullopt. Exceptions of a Program or an App, except ProcessKilled, propagate to the caller.
  std::optional<int> run(std::optional<TimePoint> end = std::nullopt);

  [[nodiscard]] TimePoint now() const { return now_; }

  /// Returns the process whose App or, with one thread, whose computation is being called.
  [[nodiscard]] MemberId running() const { return running_; }

  /// Ends the process; a new one starts after a time that is drawn. Do not call it from within an
  /// App.
  void kill(MemberId id, Loss loss);

  /// Starts no further process of the member once its running one has ended.
  void remove(MemberId id) { removed_.insert(id); }

  /// Ends the member's connection for the duration `outage`.
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
    std::unique_ptr<App> app;       // null while no process runs
    std::uint64_t incarnation = 0;  // number of the process; events of earlier ones are void
    std::uint64_t alarm = 0;        // number of the newest alarm; older ones are void
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
  /// Ends the member's connection, of which the coordinator learns.
  void disconnect(MemberId member);
  /// Calls the App as one event of its process, during which it may be killed.
  void enter(MemberId id, const std::function<void(App&)>& call);
  void end_process(MemberId id);
  /// Runs all pending computations in parallel. Their results are delivered in the order of the
  /// requests.
  void compute_pending();
  Duration draw(Duration min, Duration max);
  [[nodiscard]] bool coordinator_runs() const;

  SimulationOptions options_;
  TimePoint now_{Duration(1'000'000)};  // not zero, so that nothing relies on the epoch
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
