// The privacy of hyperparameter selection: training runs a random number of times, each with
// settings drawn at random from a list, and only the best result is released (Papernot and Steinke
// 2022, "Hyperparameter Tuning with Renyi Differential Privacy"). The cost is far below the sum of
// all tries. The ledger does not use it, because it charges everything that leaves the site.
// Example level; adjacency: one example is added or removed.
#pragma once

#include "common/base/result.h"
#include "common/privacy/accounting/accountant.h"

namespace sotto::privacy {

/// The distribution of the number of tries, which starts at 1 (Poisson: at 0, so that nothing may
/// be released).
enum class TriesLaw { kGeometric, kLogarithmic, kPoisson };

struct RandomTries {
  TriesLaw law = TriesLaw::kGeometric;
  double mean = 0;  // > 1
};

/// Returns epsilon of the release of the best result, for any selection criterion, where every try
/// is `one_try`. It is computed by Renyi divergence. Returns an Error when a parameter is out of
/// range.
Result<double> epsilon_of_selection(const DpSgdSteps& one_try, const RandomTries& tries,
                                    double delta);

}  // namespace sotto::privacy
