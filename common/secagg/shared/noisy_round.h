// What noise inside the sum asks of a round (docs/secure-aggregation.md, 4): how many members a sum
// needs, and how each of them encodes, from (n, C) and the job alone, the same at everybody.
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/result.h"
#include "common/encoding/quantizer.h"
#include "common/secagg/shared/graph.h"

namespace sotto::secagg {

/// Of a header.
struct RoundSize {
  std::uint32_t n = 0;
  std::uint32_t C = 0;  // NOLINT

  bool operator==(const RoundSize&) const = default;
};

/// s_min of a round with noise: everybody but the dropouts that the job expects, where that is more
/// than the thresholds ask for. An Error when C > n - 2.
Result<std::uint32_t> noisy_s_min(const GraphRules& rules, const RoundSize& size);

struct RoundEncoding {
  std::uint32_t s_min = 0;  // least that the header may say
  codec::EncodingSpec spec;
};

/// `plain` where there is no noise; else with noise that is enough in every sum of s_min members of
/// which C tell theirs. An Error when C > n - 2 or the noise cannot be made.
Result<RoundEncoding> round_encoding(const codec::EncodingSpec& plain,
                                     const std::optional<codec::NoiseTerms>& noise,
                                     const GraphRules& rules, const RoundSize& size);

}  // namespace sotto::secagg
