// The parameters that noise inside the sum requires of a round (docs/secure-aggregation.md, 4): how
// many members a sum needs and how each of them encodes. Every party computes them from (n, C) and
// the job alone.
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/result.h"
#include "common/encoding/quantizer.h"
#include "common/secagg/shared/graph.h"

namespace sotto::secagg {

/// The n and C of a round header.
struct RoundSize {
  std::uint32_t n = 0;
  std::uint32_t C = 0;  // NOLINT

  bool operator==(const RoundSize&) const = default;
};

/// Returns s_min of a round with noise: n less the dropouts that the job expects, or the
/// thresholds' s_min where that is more. Error: C > n - 2.
Result<std::uint32_t> noisy_s_min(const GraphRules& rules, const RoundSize& size);

struct RoundEncoding {
  std::uint32_t s_min = 0;  // the least value that the header may have
  encoding::EncodingSpec spec;
};

/// Returns `plain` where the job asks for no noise, and otherwise an encoding whose noise suffices
/// in every sum of s_min members of which C disclose theirs. Errors: C > n - 2, or no such noise
/// exists.
Result<RoundEncoding> round_encoding(const encoding::EncodingSpec& plain,
                                     const std::optional<encoding::NoiseTerms>& noise,
                                     const GraphRules& rules, const RoundSize& size);

}  // namespace sotto::secagg
