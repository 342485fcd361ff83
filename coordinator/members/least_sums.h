// Who can be in a round: each member declares the fewest members in a sum that it takes part in
// (JobReply.least_sum, docs/secure-aggregation.md, 2.4, "Least sums"), and would refuse an offer
// whose s_min is smaller. So s_min is the most that one of the cohort declared, and who declared
// more than the round can have is left out of it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "common/base/ids.h"

namespace sotto::coordinator {

/// By member; one that is not there declared nothing.
using LeastSums = std::map<MemberId, std::uint32_t>;

/// The most members that a sum can have when so many members take part.
using LargestSum = std::function<std::uint32_t(std::size_t members)>;

/// The largest part of `ready` in which nobody declared more than its sums can have. `largest` does
/// not fall as its argument grows. Keeps the order.
std::vector<MemberId> within(std::vector<MemberId> ready, const LeastSums& declared,
                             const LargestSum& largest);

/// The most that one of them declared; 0 where nobody did.
std::uint32_t largest_demand(const std::vector<MemberId>& of, const LeastSums& declared);

}  // namespace sotto::coordinator
