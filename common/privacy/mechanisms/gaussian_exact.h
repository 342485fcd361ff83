// The Gaussian noise from all 128 bits of both uniforms, in 113-bit arithmetic. This is the
// definition of a released value (docs/privacy.md, "Noise on a grid"). It takes some microseconds
// for a pair. Only noise.cc and its tests use it.
#pragma once

#include "common/privacy/mechanisms/gaussian_block.h"
#include "common/privacy/mechanisms/wide_integer.h"

namespace sotto::privacy {

/// IEEE 754 binary128, which gives the same results on every machine.
#if defined(__SIZEOF_FLOAT128__)
__extension__ using Binary128 = __float128;
#else
using Binary128 = long double;
#endif

/// The uniforms are U = (radius + 1/2) / 2^128 and V = (angle + 1/2) / 2^128.
struct UniformPair {
  Uint128 radius = 0;
  Uint128 angle = 0;
};

struct NormalPair {
  Binary128 first = 0;
  Binary128 second = 0;
};

/// Returns sqrt(-2 ln U) times the cosine and the sine of 2 pi V (Box and Muller). The relative
/// error of either is below 2^-108.
NormalPair exact_normal_pair(const UniformPair& uniforms);

/// Returns the multiple of the grid's spacing that is nearest to value + standard deviation *
/// normal. Up to 2^51 spacings the double is exactly that multiple. A value that is not finite is
/// returned unchanged.
double round_to_grid(double value, Binary128 normal, const NoiseGrid& grid);

}  // namespace sotto::privacy
