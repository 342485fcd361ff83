// Who leaves when members complain about each other's shares (docs/secure-aggregation.md, "Ring and
// upload": M4A).
#pragma once

#include <vector>

#include "common/secagg/cohort.h"

namespace sotto::secagg {

/// An edge, as it is remembered over the rounds of a run: one of the two lies, and no honest pair
/// has one, so a member with many edges to different others is the liar more and more surely.
struct Conflict {
  MemberId holder{};  // complained
  MemberId dealer{};  // about
  bool operator==(const Conflict&) const = default;
};

/// `complaints[i]`: the dealers that member i complains about. A complaint is an edge between two
/// members, one of whom lies; an honest pair never makes one. Members leave until no edge remains:
/// most edges first, then most edges in earlier rounds of the run (`earlier`, by index), then most
/// complaints against it (the dealer of a lone edge), then the higher index. Complaints by or about
/// anybody outside `members` do not count.
[[nodiscard]] IndexSet settle_conflicts(IndexSet members, const std::vector<IndexSet>& complaints,
                                        const std::vector<std::uint64_t>& earlier);

}  // namespace sotto::secagg
