// Many Apps in one process on a virtual clock: an in-memory network, one queue of events in time
// order, computation on a few real threads. Deterministic: what runs, and in which order it is
// delivered, depends on the seeds alone; computation takes no virtual time, its results are
// delivered in the order of the requests.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <thread>
#include <vector>

#include "common/base/host.h"

namespace sotto::simulation {

class Simulation;

/// One App's window on the simulation. Create through Simulation::add.
class SimulationHost final : public Host {
 public:
  SimulationHost(Simulation& simulation, MemberId self) : simulation_(simulation), self_(self) {}

  [[nodiscard]] TimePoint now() const override;
  bool send(MemberId peer, Bytes frame) override;
  void wake_at(TimePoint when) override;
  void compute(std::function<void()> work, std::function<void()> done) override;
  void finish(int exit_code) override;

 private:
  Simulation& simulation_;
  MemberId self_;
};

class Simulation {
 public:
  /// `threads` real ones for computation.
  explicit Simulation(unsigned threads) : threads_(threads == 0 ? 1 : threads) {}

  /// The window for a new App; attach() it before run(). kCoordinatorId is the coordinator's.
  Host& add(MemberId id);
  void attach(MemberId id, App& app);

  /// Starts every App and runs until the coordinator finishes; its exit code.
  int run();

  [[nodiscard]] std::uint64_t frames() const { return frames_; }

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  friend class SimulationHost;

  struct Event {
    TimePoint when;
    std::uint64_t order;
    std::function<void()> action;

    bool operator>(const Event& other) const {
      return when != other.when ? when > other.when : order > other.order;
    }
  };

  struct Node {
    std::unique_ptr<SimulationHost> host;
    App* app = nullptr;
    std::uint64_t alarm = 0;  // the newest; older ones are void
    bool finished = false;
  };

  struct Computation {
    std::function<void()> work;
    std::function<void()> done;
  };

  void at(TimePoint when, std::function<void()> action);
  /// Runs all pending computations side by side, then their continuations in order.
  void compute_pending();

  unsigned threads_;
  TimePoint now_{};
  std::uint64_t order_ = 0;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::deque<Computation> pending_;
  std::map<MemberId, Node> nodes_;
  std::uint64_t frames_ = 0;
  std::uint64_t bytes_ = 0;
  int exit_code_ = 0;
};

}  // namespace sotto::simulation
