// Gaussian noise from a cryptographic stream (Box-Muller over ChaCha20), for DP-SGD. Never from a
// simulation-grade generator.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/crypto/secure_random.h"

namespace sotto::privacy {

/// out[i] += standard_deviation * N(0, 1), independent.
void add_gaussian_noise(std::span<float> out, double standard_deviation,
                        crypto::StreamRandom& random);

/// Poisson sampling: every index of [0, population) independently with probability `rate`,
/// ascending.
std::vector<std::uint64_t> poisson_sample(std::uint64_t population, double rate,
                                          crypto::StreamRandom& random);

}  // namespace sotto::privacy
