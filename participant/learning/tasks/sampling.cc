#include "participant/learning/tasks/sampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "common/base/check.h"

namespace sotto::learning {

std::int32_t next_token(std::span<const float> logits, const training::Sampling& sampling,
                        crypto::StreamRandom& random) {
  SOTTO_CHECK(!logits.empty(), "a vocabulary has tokens");
  const auto most_likely = std::max_element(logits.begin(), logits.end());
  if (sampling.temperature == 0) return static_cast<std::int32_t>(most_likely - logits.begin());
  std::vector<std::int32_t> tokens(logits.size());
  std::iota(tokens.begin(), tokens.end(), 0);
  const auto logit = [&](std::int32_t token) { return logits[static_cast<std::size_t>(token)]; };
  std::ranges::stable_sort(tokens,
                           [&](std::int32_t a, std::int32_t b) { return logit(a) > logit(b); });
  if (sampling.top_k > 0) tokens.resize(std::min<std::size_t>(tokens.size(), sampling.top_k));
  std::vector<double> weights;
  for (const std::int32_t token : tokens)
    weights.push_back(
        std::exp(static_cast<double>(logit(token) - *most_likely) / sampling.temperature));
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  double kept = 0;
  std::size_t count = 0;
  while (count < weights.size() && kept < sampling.top_p * total)
    kept += weights[count++];
  double left = random.unit() * kept;
  for (std::size_t i = 0; i < count; ++i)
    if ((left -= weights[i]) < 0) return tokens[i];
  return tokens[count - 1];  // reached only by rounding
}

}  // namespace sotto::learning
