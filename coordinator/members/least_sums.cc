#include "coordinator/members/least_sums.h"

#include <algorithm>

namespace sotto::coordinator {

namespace {

std::uint32_t declared_by(MemberId id, const LeastSums& declared) {
  const auto found = declared.find(id);
  return found == declared.end() ? 0 : found->second;
}

}  // namespace

std::vector<MemberId> within(std::vector<MemberId> ready, const LeastSums& declared,
                             const LargestSum& largest) {
  const auto demands_more = [&](std::uint32_t limit) {
    return [&declared, limit](MemberId id) { return declared_by(id, declared) > limit; };
  };
  // Without the members that demand more, a round is smaller, and other demands may exceed its
  // size.
  while (std::erase_if(ready, demands_more(largest(ready.size()))) > 0) {
  }
  return ready;
}

std::uint32_t largest_demand(const std::vector<MemberId>& of, const LeastSums& declared) {
  std::uint32_t most = 0;
  for (MemberId id : of)
    most = std::max(most, declared_by(id, declared));
  return most;
}

}  // namespace sotto::coordinator
