// Group privacy: the guarantee of DP-SGD for a person with more than one training example, computed
// exactly where the steps are known and by the general bound where they are not.
#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "common/privacy/accounting/accountant.h"

namespace sotto::privacy {

/// Above this epsilon the bound excludes next to nothing: it lets an observer's odds that a record
/// was used grow by a factor of 5e8.
inline constexpr double kMeaninglessEpsilon = 20;

/// Epsilon at 0 < delta < 1 with respect to adding or removing `examples` records of one person at
/// once, each of them sampled independently. By privacy loss distribution; +infinity where no grid
/// carries the loss, which happens far above kMeaninglessEpsilon. An Error when a parameter is out
/// of range; `examples` is 1 to 64.
Result<double> epsilon_of_person(const DpSgdSteps& steps, std::uint32_t examples, double delta);

struct GroupBound {
  double epsilon = 0;
  double delta = 0;  // 1 or more: the bound says nothing
};

/// The guarantee for any `examples` records that follows from (epsilon, delta) for one record,
/// whatever the mechanism: epsilon grows `examples`-fold, and delta is multiplied by the sum of
/// e^(i epsilon) over i < examples (as in Vadhan 2017, Lemma 2.2).
GroupBound general_group_bound(double epsilon, double delta, std::uint32_t examples);

}  // namespace sotto::privacy
