// Checks that bound the update lane of a sum whose updates were all clipped and encoded as the job
// requires (docs/secure-aggregation.md, 3.3). Masks hide each update, so only the sum can be
// checked; docs/threat-model.md, "Poisoning", describes what one participant can still do within
// the bounds. The functions are pure and perform double operations in one fixed order, so that
// coordinator and members obtain the same result.
#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "common/encoding/lanes.h"
#include "common/encoding/noisy_encoding.h"

namespace sotto::encoding {

/// The bounds of a sum of offset codes without noise.
struct CodeBounds {
  std::uint64_t count = 0;  // updates in the sum
  double code_limit = 0;    // the largest code on either side of zero, in steps
  double norm = 0;          // of the sum before rounding to steps; infinite: no bound
};

/// Returns an Error when a word is outside the range of `count` codes, or when the sum is longer
/// than `norm` and the largest rounding errors together. It refuses no sum of conforming updates.
Status check_code_sum(const RingVector& update, const CodeBounds& bounds);

/// The same for a sum of `count` updates with noise inside: it returns an Error when the sum is
/// longer than all of them and their noise can be together. It refuses a sum of conforming updates
/// with probability 2^-40 at most.
Status check_noisy_sum(const RingVector& update, const NoisyEncoding& noise, std::uint64_t count);

}  // namespace sotto::encoding
