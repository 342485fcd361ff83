#include "common/privacy/accounting/accountant.h"

#include <algorithm>
#include <cmath>

namespace sotto::privacy {

std::span<const AccountantKind* const> accountant_kinds() {
#define SOTTO_LIST(name) &accountants::name,
  static constexpr const AccountantKind* kKinds[] = {SOTTO_ACCOUNTANTS(SOTTO_LIST)};
#undef SOTTO_LIST
  return kKinds;
}

const AccountantKind* find_accountant(std::string_view name) {
  const auto kinds = accountant_kinds();
  const auto at = std::ranges::find(kinds, name, &AccountantKind::name);
  return at == kinds.end() ? nullptr : *at;
}

Status check_noise_multiplier(double multiplier) {
  if (!(multiplier > 0) || !std::isfinite(multiplier))
    return Error{"the noise multiplier must be positive and finite"};
  return {};
}

Status check(const DpSgdSteps& steps) {
  if (!kSamplingRate.contains(steps.sampling_rate))
    return Error{"the sampling rate must be in (0, 1]"};
  return check_noise_multiplier(steps.noise_multiplier);
}

std::optional<DpSgdSteps> as_dp_sgd(const MechanismReleases& releases) {
  const auto* gaussian = std::get_if<SampledGaussian>(&releases.mechanism);
  if (gaussian == nullptr || gaussian->examples != 1) return std::nullopt;
  return DpSgdSteps{.sampling_rate = gaussian->rate,
                    .noise_multiplier = gaussian->noise_multiplier,
                    .steps = releases.count};
}

Result<double> epsilon_of(std::span<const DpSgdSteps> runs, double delta,
                          const AccountantKind& kind) {
  if (!kDelta.contains(delta)) return Error{"delta must be in (0, 1)"};
  const std::unique_ptr<Accountant> accountant = kind.make();
  for (const DpSgdSteps& steps : runs)
    SOTTO_TRY(accountant->add(steps));
  return accountant->epsilon(delta);
}

Result<double> epsilon_of(const DpSgdSteps& steps, double delta) {
  return epsilon_of({&steps, 1}, delta, accountants::pld);
}

}  // namespace sotto::privacy
