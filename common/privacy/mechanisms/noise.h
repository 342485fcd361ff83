// Gaussian noise on a grid, and Poisson sampling, for DP-SGD, from a cryptographic stream. Never
// from a simulation-grade generator.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/crypto/secure_random.h"

namespace sotto::privacy {

/// out[i] becomes the multiple of a spacing g that is nearest to out[i] + standard_deviation *
/// N(0, 1), independent, where g is a power of two between 1/128 and 1/64 of the standard
/// deviation: a function of the Gaussian mechanism's output alone, so it has that mechanism's
/// privacy. The total variation from it is below 2^-95 a value, which covers everything but the
/// generator (docs/privacy.md, "Noise on a grid"). Beyond 2^24 g the multiple is rounded to float.
///
/// What is to be protected must be in `out`: noise added to zeros, and to the values afterwards,
/// would leave their last bits in the sum.
///
/// Draws one key of 32 bytes from `random` for every 2^28 values or part of them. A result depends
/// on the key, the index of its value and the value alone, and is the same on every machine. With a
/// standard deviation of 0 values stay as they are and nothing is drawn. One thread.
void add_gaussian_noise(std::span<float> out, double standard_deviation,
                        crypto::StreamRandom& random);

/// Poisson sampling: every index of [0, population) independently with probability `rate`,
/// ascending.
std::vector<std::uint64_t> poisson_sample(std::uint64_t population, double rate,
                                          crypto::StreamRandom& random);

}  // namespace sotto::privacy
