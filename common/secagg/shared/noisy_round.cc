#include "common/secagg/shared/noisy_round.h"

#include <algorithm>
#include <utility>

namespace sotto::secagg {

Result<std::uint32_t> noisy_s_min(const GraphRules& rules, const RoundSize& size) {
  SOTTO_ASSIGN_OR_RETURN(const auto thresholds, complete_graph_thresholds(size.n, size.C));
  const std::uint64_t dropouts = std::uint64_t{size.n} * rules.dropout_percent / 100;
  return std::max(thresholds.s_min, static_cast<std::uint32_t>(size.n - dropouts));
}

namespace {

/// The bound for sums of discrete Gaussians is useful from a deviation of two steps on
/// (common/privacy/accounting/distributed_privacy.h). Each member of a cohort that is so large that
/// less would suffice adds this much.
constexpr std::uint64_t kLeastVariance = 4 * privacy::kVarianceUnit;

void share_metric_noise(encoding::EncodingSpec& spec, std::uint32_t unknown_noises) {
  for (encoding::MetricNoise& noise : spec.metric_noise)
    noise.variance =
        std::max((noise.unknown_variance + unknown_noises - 1) / unknown_noises, kLeastVariance);
}

}  // namespace

Result<RoundEncoding> round_encoding(const encoding::EncodingSpec& plain,
                                     const std::optional<encoding::NoiseTerms>& noise,
                                     const GraphRules& rules, const RoundSize& size) {
  if (!noise) {
    SOTTO_ASSIGN_OR_RETURN(const auto thresholds, complete_graph_thresholds(size.n, size.C));
    RoundEncoding out{.s_min = thresholds.s_min, .spec = plain};
    share_metric_noise(out.spec, out.s_min - size.C);
    return out;
  }
  SOTTO_ASSIGN_OR_RETURN(const auto s_min, noisy_s_min(rules, size));
  RoundEncoding out{.s_min = s_min, .spec = plain};
  share_metric_noise(out.spec, out.s_min - size.C);
  SOTTO_ASSIGN_OR_RETURN(auto fitted, encoding::noise_for(*noise, size.n, s_min - size.C));
  out.spec.noise = std::move(fitted);
  return out;
}

}  // namespace sotto::secagg
