// Determines who can be in a round by the least sums of the members. Each member declares the
// fewest members in a sum that it takes part in (JobReply.least_sum, docs/secure-aggregation.md,
// 2.4, "Least sums") and would refuse an offer whose s_min is smaller. So s_min is at least the
// largest number that a member of the cohort declared, and members that declared more than the
// round can have are left out of it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "common/base/ids.h"

namespace sotto::coordinator {

/// The declared least sum of each member. A member without an entry declared none.
using LeastSums = std::map<MemberId, std::uint32_t>;

/// The most members that a sum can have when so many members take part.
using LargestSum = std::function<std::uint32_t(std::size_t members)>;

/// Returns the largest part of `ready` in which nobody declared more than its sums can have, in the
/// same order. `largest` must be non-decreasing.
std::vector<MemberId> within(std::vector<MemberId> ready, const LeastSums& declared,
                             const LargestSum& largest);

/// The largest number that one of `of` declared; 0 when none did.
std::uint32_t largest_demand(const std::vector<MemberId>& of, const LeastSums& declared);

}  // namespace sotto::coordinator
