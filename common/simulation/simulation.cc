#include "common/simulation/simulation.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "common/base/check.h"
#include "common/simulation/seeds.h"

namespace sotto::simulation {

class Simulation::ProcessHost final : public Host {
 public:
  ProcessHost(Simulation& simulation, MemberId self) : simulation_(simulation), self_(self) {}

  [[nodiscard]] TimePoint now() const override { return simulation_.now_; }

  bool send(MemberId peer, Bytes frame) override {
    return simulation_.send(self_, peer, std::move(frame));
  }

  void wake_at(TimePoint when) override {
    Process& process = simulation_.processes_.at(self_);
    simulation_.at(when, [&sim = simulation_, self = self_, alarm = ++process.alarm] {
      if (sim.processes_.at(self).alarm == alarm) sim.enter(self, [](App& app) { app.on_wake(); });
    });
  }

  void compute(std::function<void()> work, std::function<void()> done) override {
    simulation_.pending_.push_back({.owner = self_,
                                    .incarnation = simulation_.processes_.at(self_).incarnation,
                                    .work = std::move(work),
                                    .done = std::move(done)});
  }

  void finish(int exit_code) override {
    simulation_.processes_.at(self_).finished = true;
    if (self_ == kCoordinatorId) simulation_.exit_code_ = exit_code;
  }

 private:
  Simulation& simulation_;
  MemberId self_;
};

Simulation::Simulation(const SimulationOptions& options)
    : options_(options),
      links_(options.seed, options.links),
      random_(derive_seed(options.seed, "processes", 0)) {}

Simulation::~Simulation() = default;

void Simulation::add(MemberId id, Program program, FaultyStorage* storage,
                     double kill_probability) {
  Process& process = processes_[id];
  process.program = std::move(program);
  process.storage = storage;
  process.kill_probability = kill_probability;
  process.host = std::make_unique<ProcessHost>(*this, id);
  at(now_, [this, id] { start(id); });
}

std::optional<int> Simulation::run(std::optional<TimePoint> end) {
  while (!exit_code_) {
    // Everything due at this instant is delivered first, so that the computations of one instant
    // run in parallel.
    if (!pending_.empty() && (events_.empty() || events_.begin()->first.first > now_)) {
      compute_pending();
      continue;
    }
    SOTTO_CHECK(!events_.empty(), "a simulation without anything left to happen");
    if (end && events_.begin()->first.first > *end) return std::nullopt;
    auto event = events_.extract(events_.begin());
    now_ = event.key().first;
    event.mapped()();
  }
  return exit_code_;
}

void Simulation::at(TimePoint when, std::function<void()> action) {
  events_.emplace(std::pair(std::max(when, now_), order_++), std::move(action));
}

Duration Simulation::draw(Duration min, Duration max) {
  const auto spread = static_cast<std::uint64_t>((max - min).count());
  return min + Duration(static_cast<Duration::rep>(random_.below(spread + 1)));
}

bool Simulation::coordinator_runs() const {
  const auto at = processes_.find(kCoordinatorId);
  return at != processes_.end() && at->second.app != nullptr;
}

// ---- Frames

bool Simulation::send(MemberId from, MemberId to, Bytes frame) {
  if (!tap_) return transmit(from, to, std::move(frame));
  for (Bytes& each : tap_(from, to, std::move(frame)))
    transmit(from, to, std::move(each));
  return !links_.is_cut(from == kCoordinatorId ? to : from);
}

bool Simulation::transmit(MemberId from, MemberId to, Bytes frame) {
  const bool to_member = from == kCoordinatorId;
  const MemberId member = to_member ? to : from;
  ++frames_;
  bytes_ += frame.size();
  const auto arrivals = links_.send(member, to_member, frame.size(), now_);
  const auto shared = std::make_shared<const Bytes>(std::move(frame));
  for (const TimePoint when : arrivals)
    at(when, [this, from, to, member, shared, connection = links_.connection(member)] {
      if (links_.connection(member) != connection) return;
      deliver(from, to, *shared);
      if (const Duration outage = links_.draw_outage(); outage > Duration{}) cut(member, outage);
    });
  return !links_.is_cut(member);
}

void Simulation::deliver(MemberId from, MemberId to, const Bytes& frame) {
  enter(to, [&](App& app) { app.on_frame(from, frame); });
}

void Simulation::disconnect(MemberId member) {
  links_.cut(member);
  if (on_link_ended_)
    at(now_,
       [this, member] { enter(kCoordinatorId, [&](App& app) { on_link_ended_(app, member); }); });
}

void Simulation::cut(MemberId member, Duration outage) {
  disconnect(member);
  at(now_ + outage, [this, member, connection = links_.connection(member)] {
    if (links_.connection(member) == connection) connect(member);
  });
}

void Simulation::connect(MemberId member) {
  if (!coordinator_runs() || processes_.at(member).app == nullptr) return;
  links_.restore(member);
  enter(member, [](App& app) { app.on_connected(); });
}

// ---- Processes

void Simulation::start(MemberId id) {
  if (removed_.contains(id)) return;
  Process& process = processes_.at(id);
  if (process.storage != nullptr) process.storage->restart();
  process.finished = false;
  const auto first = std::exchange(process.incarnation, process.incarnation + 1) == 0;
  std::optional<storage::StorageScope> scope;
  if (process.storage != nullptr) scope.emplace(*process.storage);
  running_ = id;
  try {
    process.app = process.program(*process.host);
    process.app->start();
  } catch (const ProcessKilled&) {
    return end_process(id);
  }
  if (first) return;
  for (const auto& [member, other] : processes_)
    if (member != kCoordinatorId && (member == id || id == kCoordinatorId))
      at(now_ + Duration(1), [this, member = member, connection = links_.connection(member)] {
        if (links_.connection(member) == connection) connect(member);
      });
}

void Simulation::enter(MemberId id, const std::function<void(App&)>& call) {
  Process& process = processes_.at(id);
  if (process.app == nullptr || process.finished) return;
  if (process.kill_probability > 0 && random_.unit() < process.kill_probability)
    return kill(id, static_cast<Loss>(random_.below(2)));
  std::optional<storage::StorageScope> scope;
  if (process.storage != nullptr) scope.emplace(*process.storage);
  running_ = id;
  try {
    call(*process.app);
  } catch (const ProcessKilled&) {
    end_process(id);
  }
}

void Simulation::kill(MemberId id, Loss loss) {
  Process& process = processes_.at(id);
  SOTTO_CHECK(process.storage != nullptr, "a process that is killed has a storage of its own");
  process.storage->end_process(loss);
  end_process(id);
}

void Simulation::end_process(MemberId id) {
  Process& process = processes_.at(id);
  ++kills_;
  process.storage->end_process(Loss::kNothing);  // where the tap has ended it
  {
    const storage::StorageScope scope(*process.storage);
    process.app.reset();
  }
  ++process.alarm;
  ++process.incarnation;
  for (const auto& [member, other] : processes_)
    if (member != kCoordinatorId && (member == id || id == kCoordinatorId)) disconnect(member);
  at(now_ + draw(options_.min_away, options_.max_away), [this, id] { start(id); });
}

// ---- Computation

void Simulation::compute_pending() {
  std::vector<Computation> batch = std::exchange(pending_, {});
  std::erase_if(batch, [this](const Computation& c) {
    return processes_.at(c.owner).incarnation != c.incarnation;
  });
  std::atomic<std::size_t> next{0};
  auto worker = [this, &batch, &next] {
    for (std::size_t i = next++; i < batch.size(); i = next++) {
      if (options_.threads <= 1) running_ = batch[i].owner;
      batch[i].work();
    }
  };
  std::vector<std::jthread> helpers;
  for (unsigned i = 1; i < options_.threads && i < batch.size(); ++i)
    helpers.emplace_back(worker);
  worker();
  helpers.clear();  // joins the threads
  for (Computation& c : batch)
    at(now_ + draw(options_.min_compute, options_.max_compute),
       [this, owner = c.owner, incarnation = c.incarnation, done = std::move(c.done)] {
         if (processes_.at(owner).incarnation == incarnation)
           enter(owner, [&done](App&) { done(); });
       });
}

}  // namespace sotto::simulation
