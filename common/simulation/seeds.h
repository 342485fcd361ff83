// Seeds of a simulation. Every source of randomness is derived from one seed and from its purpose,
// so that more draws in one place change nothing in another.
#pragma once

#include <cstdint>
#include <string_view>

namespace sotto::simulation {

/// Returns a seed for `purpose` number `index`, for crypto::StreamRandom.
std::uint64_t derive_seed(std::uint64_t seed, std::string_view purpose, std::uint64_t index);

}  // namespace sotto::simulation
