#include "common/simulation/links.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/simulation/seeds.h"

namespace sotto::simulation {

Links::Links(std::uint64_t seed, const LinkFaults& faults)
    : faults_(faults),
      delays_(derive_seed(seed, "network", 0)),
      outages_(derive_seed(seed, "outages", 0)) {
  SOTTO_CHECK(faults.min_delay <= faults.max_delay && faults.min_outage <= faults.max_outage,
              "delays and outages are ranges");
}

std::vector<TimePoint> Links::send(MemberId member, bool to_member, std::size_t bytes,
                                   TimePoint now) {
  // Every frame makes all draws, so that one fault does not change the others.
  const bool lost = delays_.unit() < faults_.loss;
  const int copies = delays_.unit() < faults_.duplicate ? 2 : 1;
  const auto spread = static_cast<std::uint64_t>((faults_.max_delay - faults_.min_delay).count());
  Link& link = links_[member];
  const TimePoint left = leaves(link, to_member, bytes, now);
  std::vector<TimePoint> arrivals;
  for (int copy = 0; copy < 2; ++copy) {
    const auto extra = static_cast<Duration::rep>(delays_.below(spread + 1));
    if (lost || link.cut || copy >= copies) continue;
    arrivals.push_back(left + faults_.min_delay + Duration(extra));
  }
  return arrivals;
}

TimePoint Links::leaves(Link& link, bool to_member, std::size_t bytes, TimePoint now) const {
  if (faults_.bytes_per_second == 0 || link.cut) return now;
  TimePoint& busy_until = link.busy_until[to_member ? 1 : 0];
  const auto takes = (1000 * bytes + faults_.bytes_per_second - 1) / faults_.bytes_per_second;
  busy_until = std::max(busy_until, now) + Duration(static_cast<Duration::rep>(takes));
  return busy_until;
}

void Links::cut(MemberId member) {
  Link& link = links_[member];
  link = {.cut = true, .connection = link.connection + 1};
}

void Links::restore(MemberId member) {
  links_[member].cut = false;
}

bool Links::is_cut(MemberId member) const {
  const auto at = links_.find(member);
  return at != links_.end() && at->second.cut;
}

std::uint64_t Links::connection(MemberId member) const {
  const auto at = links_.find(member);
  return at == links_.end() ? 0 : at->second.connection;
}

Duration Links::draw_outage() {
  if (faults_.break_on_delivery <= 0 || outages_.unit() >= faults_.break_on_delivery) return {};
  const auto spread = static_cast<std::uint64_t>((faults_.max_outage - faults_.min_outage).count());
  return faults_.min_outage + Duration(static_cast<Duration::rep>(outages_.below(spread + 1)));
}

}  // namespace sotto::simulation
