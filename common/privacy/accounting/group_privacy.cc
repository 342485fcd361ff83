#include "common/privacy/accounting/group_privacy.h"

#include <cmath>

#include "common/privacy/accounting/pld_accountant.h"

namespace sotto::privacy {

Result<double> epsilon_of_person(const DpSgdSteps& steps, std::uint32_t examples, double delta) {
  if (!(delta > 0 && delta < 1)) return Error{"delta must be in (0, 1)"};
  PldAccountant accountant;
  SOTTO_TRY(accountant.add(SampledGaussian{.rate = steps.sampling_rate,
                                           .noise_multiplier = steps.noise_multiplier,
                                           .examples = examples},
                           steps.steps));
  return accountant.epsilon(delta);
}

GroupBound general_group_bound(double epsilon, double delta, std::uint32_t examples) {
  GroupBound out{.epsilon = epsilon * examples};
  for (std::uint32_t i = 0; i < examples; ++i)
    out.delta += delta * std::exp(epsilon * i);
  return out;
}

}  // namespace sotto::privacy
