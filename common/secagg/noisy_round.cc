#include "common/secagg/noisy_round.h"

#include <algorithm>
#include <utility>

namespace sotto::secagg {

Result<std::uint32_t> noisy_s_min(const GraphRules& rules, const RoundSize& size) {
  const auto thresholds = complete_graph_thresholds(size.n, size.C);
  if (!thresholds.ok()) return thresholds.error();
  const std::uint64_t dropouts = std::uint64_t{size.n} * rules.dropout_percent / 100;
  return std::max(thresholds->s_min, static_cast<std::uint32_t>(size.n - dropouts));
}

Result<RoundEncoding> round_encoding(const codec::EncodingSpec& plain,
                                     const std::optional<codec::NoiseTerms>& noise,
                                     const GraphRules& rules, const RoundSize& size) {
  if (!noise) {
    const auto thresholds = complete_graph_thresholds(size.n, size.C);
    if (!thresholds.ok()) return thresholds.error();
    return RoundEncoding{.s_min = thresholds->s_min, .spec = plain};
  }
  const auto s_min = noisy_s_min(rules, size);
  if (!s_min.ok()) return s_min.error();
  RoundEncoding out{.s_min = *s_min, .spec = plain};
  auto fitted = codec::noise_for(*noise, size.n, *s_min - size.C);
  if (!fitted.ok()) return fitted.error();
  out.spec.noise = std::move(fitted).value();
  return out;
}

}  // namespace sotto::secagg
