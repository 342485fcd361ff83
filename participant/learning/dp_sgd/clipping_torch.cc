#include "participant/learning/dp_sgd/clipping_torch.h"

#include <cmath>
#include <map>
#include <string>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "common/base/check.h"
#include "common/privacy/mechanisms/adaptive_clip.h"
#include "common/privacy/mechanisms/noise.h"

namespace sotto::learning {
namespace {

using at::Tensor;

/// Returns the module of a parameter: "encoder.query" for "encoder.query.weight",
/// "encoder.query.bias" and "encoder.query.lora_A.weight".
std::string module_of(const std::string& parameter) {
  std::string module = parameter.substr(0, parameter.rfind('.'));
  for (const char* adapter : {".lora_A", ".lora_B"})
    if (module.ends_with(adapter)) module.resize(module.size() - std::string(adapter).size());
  return module;
}

}  // namespace

Clipping::Clipping(const config::DifferentialPrivacySection& settings,
                   const std::vector<Parameter>& trainable)
    : settings_(settings), norm_(settings.clipping_norm) {
  std::map<std::string, std::int64_t> numbers;
  std::vector<std::int64_t> group_of;
  for (const Parameter& p : trainable) {
    const std::string group =
        settings.clipping == config::Clipping::kPerLayer ? module_of(p.name) : "";
    group_of.push_back(
        numbers.emplace(group, static_cast<std::int64_t>(numbers.size())).first->second);
  }
  groups_ = static_cast<std::int64_t>(numbers.size());
  group_of_ = at::tensor(group_of, at::kLong);
}

bool Clipping::scales_short_gradients() const {
  switch (settings_.clipping) {
    case config::Clipping::kAutomatic:
      return true;
    case config::Clipping::kFlat:
    case config::Clipping::kPerLayer:
    case config::Clipping::kAdaptive:
      return false;
  }
  SOTTO_CHECK(false, "no such clipping");
}

Tensor Clipping::factors(const Tensor& squared_bounds, const Tensor& weights) {
  constexpr double kShrink = 1 - 4e-6;  // covers the rounding of the factor and of what it scales
  constexpr double kStability = 0.01;   // AUTO-S's gamma
  const at::NoGradGuard no_grad;
  const Tensor group_of = group_of_.to(squared_bounds.device());
  const Tensor usable = squared_bounds.isfinite().all(0);  // [B]
  const Tensor norms = at::zeros({groups_, squared_bounds.size(1)}, squared_bounds.options())
                           .index_add_(0, group_of, squared_bounds)
                           .sqrt_();
  const double bound = norm_ / std::sqrt(static_cast<double>(groups_)) * kShrink;
  const Tensor of_groups =
      (scales_short_gradients() ? bound / (norms + kStability)
                                : (bound / norms.clamp_min(1e-30)).clamp_max(1.0))
          .masked_fill(usable.logical_not().unsqueeze(0), 0);
  const Tensor weight = weights.defined() ? weights : at::ones_like(norms[0]);
  if (is_adaptive())
    count_ += (norms[0].le(norm_).logical_and(usable).to(at::kDouble) - 0.5)
                  .mul_(weight)
                  .sum()
                  .item<double>();
  return (of_groups * weight).to(at::kFloat).index_select(0, group_of);
}

double Clipping::noise_deviation(double noise_multiplier) const {
  if (!is_adaptive()) return noise_multiplier * norm_;
  return norm_ * privacy::adaptive_noise(noise_multiplier, settings_.count_noise_multiplier)
                     .gradient_multiplier;
}

void Clipping::finish(const Step& step, crypto::StreamRandom& random) {
  if (!is_adaptive()) return;
  // The function noises the count itself: adding noise separately would leave the last bits of the
  // count in the result. Weights such as 1/3 have no exact sum in float; in double the roundings of
  // 100,000 persons with ten examples each change it by less than 1e-5.
  const double noisy = privacy::with_gaussian_noise(
      count_,
      privacy::adaptive_noise(step.noise_multiplier, settings_.count_noise_multiplier)
          .count_deviation,
      random);
  norm_ = privacy::next_clipping_norm({.norm = norm_,
                                       .first_norm = settings_.clipping_norm,
                                       .noisy_count = noisy,
                                       .expected_size = step.expected_size,
                                       .quantile = settings_.clipping_quantile,
                                       .rate = settings_.clipping_rate});
  count_ = 0;
}

}  // namespace sotto::learning
