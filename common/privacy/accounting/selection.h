// What it costs to train a random number of times, each with settings drawn at random from a list,
// and to let only the best result out (Papernot and Steinke 2022, "Hyperparameter Tuning with Renyi
// Differential Privacy"). Far below the sum of all tries; the ledger does not use it: it charges
// whatever leaves. Example level, add or remove one.
#pragma once

#include "common/base/result.h"
#include "common/privacy/accounting/accountant.h"

namespace sotto::privacy {

/// How the number of tries is drawn, from 1 (from 0: Poisson, which may let nothing out).
enum class TriesLaw { kGeometric, kLogarithmic, kPoisson };

struct RandomTries {
  TriesLaw law = TriesLaw::kGeometric;
  double mean = 0;  // > 1
};

/// Epsilon of the best one's release, whatever "best" looks at, where every try is `one_try`. By
/// Renyi divergence. An Error when a parameter is out of range.
Result<double> epsilon_of_selection(const DpSgdSteps& one_try, const RandomTries& tries,
                                    double delta);

}  // namespace sotto::privacy
