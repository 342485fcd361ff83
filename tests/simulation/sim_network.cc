#include "tests/simulation/sim_network.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/simulation/seeds.h"

namespace sotto::simulation {

SimNetwork::SimNetwork(std::uint64_t seed, const LinkFaults& faults)
    : faults_(faults), random_(derive_seed(seed, "network", 0)) {
  SOTTO_CHECK(faults.min_delay <= faults.max_delay, "delays are a range");
}

void SimNetwork::send(MemberId from, const wire::Envelope& envelope, TimePoint now) {
  const MemberId to = envelope.peer;
  const MemberId member = from == kCoordinatorId ? to : from;
  const Bytes frame = wire::encode(from, envelope.round, envelope.message);
  ++totals_.messages;
  totals_.bytes += frame.size();
  // All draws happen for every message, so that one fault does not shift the others.
  const bool lost = random_.unit() < faults_.loss;
  const int copies = random_.unit() < faults_.duplicate ? 2 : 1;
  const TimePoint left = leaves(member, from == kCoordinatorId, frame.size(), now);
  const auto spread = static_cast<std::uint64_t>((faults_.max_delay - faults_.min_delay).count());
  for (int copy = 0; copy < 2; ++copy) {
    const auto extra = static_cast<Duration::rep>(random_.below(spread + 1));
    if (lost || cut_.contains(member) || copy >= copies) continue;
    in_flight_.emplace(Arrival{left + faults_.min_delay + Duration(extra), order_++},
                       InFlight{from, to, frame});
  }
  if (lost || cut_.contains(member)) ++totals_.lost;
}

TimePoint SimNetwork::leaves(MemberId member, bool to_member, std::size_t bytes, TimePoint now) {
  if (faults_.bytes_per_second == 0 || cut_.contains(member)) return now;
  TimePoint& busy_until = busy_until_[{member, to_member}];
  const auto takes = (1000 * bytes + faults_.bytes_per_second - 1) / faults_.bytes_per_second;
  busy_until = std::max(busy_until, now) + Duration(static_cast<Duration::rep>(takes));
  return busy_until;
}

std::optional<TimePoint> SimNetwork::next() const {
  if (in_flight_.empty()) return std::nullopt;
  return in_flight_.begin()->first.first;
}

std::optional<Delivery> SimNetwork::receive(TimePoint now) {
  if (in_flight_.empty() || in_flight_.begin()->first.first > now) return std::nullopt;
  const InFlight arrived = std::move(in_flight_.begin()->second);
  in_flight_.erase(in_flight_.begin());
  auto decoded = wire::decode(arrived.frame);
  SOTTO_CHECK(decoded.ok(), "what was encoded here decodes");
  SOTTO_CHECK(decoded->sender == arrived.from, "the frame names its sender");
  return Delivery{arrived.to, {arrived.from, decoded->round, std::move(decoded->message)}};
}

void SimNetwork::cut(MemberId member) {
  cut_.insert(member);
  busy_until_.erase({member, false});
  busy_until_.erase({member, true});
  std::erase_if(in_flight_, [&](const auto& entry) {
    return entry.second.from == member || entry.second.to == member;
  });
}

void SimNetwork::restore(MemberId member) {
  cut_.erase(member);
}

}  // namespace sotto::simulation
