#include "participant/simulation/simulation.h"

#include <atomic>
#include <utility>

namespace sotto::simulation {

namespace {

constexpr Duration kLatency{1};

}  // namespace

TimePoint SimulationHost::now() const {
  return simulation_.now_;
}

bool SimulationHost::send(MemberId peer, Bytes frame) {
  ++simulation_.frames_;
  simulation_.bytes_ += frame.size();
  auto shared = std::make_shared<Bytes>(std::move(frame));
  simulation_.at(simulation_.now_ + kLatency, [&sim = simulation_, peer, from = self_, shared] {
    Simulation::Node& node = sim.nodes_.at(peer);
    if (node.app != nullptr && !node.finished) node.app->on_frame(from, *shared);
  });
  return true;
}

void SimulationHost::wake_at(TimePoint when) {
  const std::uint64_t alarm = ++simulation_.nodes_.at(self_).alarm;
  simulation_.at(when, [&sim = simulation_, self = self_, alarm] {
    Simulation::Node& node = sim.nodes_.at(self);
    if (node.alarm == alarm && !node.finished) node.app->on_wake();
  });
}

void SimulationHost::compute(std::function<void()> work, std::function<void()> done) {
  simulation_.pending_.push_back({std::move(work), std::move(done)});
}

void SimulationHost::finish(int exit_code) {
  simulation_.nodes_.at(self_).finished = true;
  if (self_ == kCoordinatorId) simulation_.exit_code_ = exit_code;
}

Host& Simulation::add(MemberId id) {
  Node& node = nodes_[id];
  node.host = std::make_unique<SimulationHost>(*this, id);
  return *node.host;
}

void Simulation::attach(MemberId id, App& app) {
  nodes_.at(id).app = &app;
}

void Simulation::at(TimePoint when, std::function<void()> action) {
  events_.push({std::max(when, now_), ++order_, std::move(action)});
}

void Simulation::compute_pending() {
  std::deque<Computation> batch = std::exchange(pending_, {});
  std::atomic<std::size_t> next{0};
  auto worker = [&batch, &next] {
    for (std::size_t i = next++; i < batch.size(); i = next++)
      batch[i].work();
  };
  std::vector<std::jthread> helpers;
  for (unsigned i = 1; i < threads_ && i < batch.size(); ++i)
    helpers.emplace_back(worker);
  worker();
  helpers.clear();  // joins
  for (Computation& c : batch)
    c.done();
}

int Simulation::run() {
  for (auto& [id, node] : nodes_)
    node.app->start();
  while (!nodes_.at(kCoordinatorId).finished) {
    // Everything due at this instant is delivered first, so that computations of one instant run
    // side by side.
    if (!pending_.empty() && (events_.empty() || events_.top().when > now_)) {
      compute_pending();
      continue;
    }
    SOTTO_CHECK(!events_.empty(), "a simulation without anything left to happen");
    Event event = events_.top();
    events_.pop();
    now_ = event.when;
    event.action();
  }
  return exit_code_;
}

}  // namespace sotto::simulation
