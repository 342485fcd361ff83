// These checks bound the update lane of a sum whose updates were all clipped and encoded as the job
// says (docs/secure-aggregation.md, 3.3). Masks hide each update, so the sum is
// all that can be checked; what one participant can still do within them is said in
// docs/threat-model.md, "Poisoning". Pure, in one order of double operations: coordinator and
// members come to the same answer.
#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "common/encoding/lanes.h"
#include "common/encoding/noisy_encoding.h"

namespace sotto::codec {

/// The bounds of a sum of offset codes without noise.
struct CodeBounds {
  std::uint64_t count = 0;  // updates in the sum
  double code_limit = 0;    // the largest code on either side of zero, in steps
  double norm = 0;          // of the sum before it was rounded to steps; infinite: not bounded
};

/// An Error when a word is outside what `count` codes can give, or the sum is longer than `norm`
/// and the largest rounding errors together. No sum of conforming updates is refused.
Status check_code_sum(const RingVector& update, const CodeBounds& bounds);

/// The same with noise inside the sum, of `count` updates: longer than all of them and their noise
/// can be. A sum of conforming updates is refused with probability 2^-40 at most.
Status check_noisy_sum(const RingVector& update, const NoisyEncoding& noise, std::uint64_t count);

}  // namespace sotto::codec
