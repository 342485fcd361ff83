// The mean of a sum in one piece, which nothing but a test needs.
#pragma once

#include <vector>

#include "common/encoding/decoded_sum.h"

namespace sotto::encoding {

inline std::vector<float> whole_mean(const DecodedSum& sum) {
  std::vector<float> out;
  MeanParts parts(sum);
  for (auto part = parts.next(); !part.empty(); part = parts.next())
    out.insert(out.end(), part.begin(), part.end());
  return out;
}

}  // namespace sotto::encoding
