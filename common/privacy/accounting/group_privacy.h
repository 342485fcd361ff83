// Group privacy: the guarantee of DP-SGD for a person with more than one training example. It is
// computed exactly where the steps are known, and by the general bound where they are not.
#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "common/privacy/accounting/accountant.h"

namespace sotto::privacy {

/// Above this epsilon the guarantee has almost no meaning: an observer's odds that a record was
/// used may grow by a factor of 5e8.
inline constexpr double kMeaninglessEpsilon = 20;

/// Returns epsilon at 0 < delta < 1 with respect to adding or removing `examples` records (1 to 64)
/// of one person at once, each of which is sampled independently. It is computed by privacy loss
/// distribution; +infinity where the loss does not fit any grid, which happens far above
/// kMeaninglessEpsilon. Returns an Error when a parameter is out of range.
Result<double> epsilon_of_person(const DpSgdSteps& steps, std::uint32_t examples, double delta);

struct GroupBound {
  double epsilon = 0;
  double delta = 0;  // 1 or more: the bound is vacuous
};

/// Returns the guarantee for any `examples` records that follows from (epsilon, delta) for one
/// record, for every mechanism: epsilon is multiplied by `examples`, and delta by the sum of e^(i
/// epsilon) over i < examples (as in Vadhan 2017, Lemma 2.2).
GroupBound general_group_bound(double epsilon, double delta, std::uint32_t examples);

}  // namespace sotto::privacy
