// Gaussian noise on a grid, and Poisson sampling, for DP-SGD. All randomness comes from a
// cryptographic stream, never from a statistical generator.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/crypto/secure_random.h"

namespace sotto::privacy {

/// Replaces out[i] by the multiple of a spacing g that is nearest to out[i] + standard_deviation *
/// N(0, 1), independently, where g is a power of two between 1/128 and 1/64 of the standard
/// deviation. The result is a function of the Gaussian mechanism's output alone, so it has that
/// mechanism's privacy. The total variation from it is below 2^-95 for each value, which covers
/// everything but the generator (docs/privacy.md, "Noise on a grid"). Beyond 2^24 g the multiple is
/// rounded to float.
///
/// `out` must hold the values to protect: if the noise were added to zeros and the values
/// afterwards, the last bits of the values would remain visible in the sum.
///
/// Draws one key of 32 bytes from `random` for every 2^28 values or part of them. A result depends
/// only on the key and on the index and content of its value, and is the same on every machine.
/// With a standard deviation of 0 the values are unchanged and nothing is drawn. One thread at a
/// time may use `random`.
void add_gaussian_noise(std::span<float> out, double standard_deviation,
                        crypto::StreamRandom& random);

/// Returns what add_gaussian_noise() would make of one value, for a value that has no exact float
/// or whose result has none. Draws 32 bytes from `random`.
double with_gaussian_noise(double value, double standard_deviation, crypto::StreamRandom& random);

/// Returns a Poisson sample: every index of [0, population) independently with probability `rate`,
/// in ascending order.
std::vector<std::uint64_t> poisson_sample(std::uint64_t population, double rate,
                                          crypto::StreamRandom& random);

}  // namespace sotto::privacy
