// One seed makes a whole simulation: every source of chance in it is derived from the seed and from
// what the chance is for, so that drawing more in one place changes nothing in another.
#pragma once

#include <cstdint>
#include <string_view>

namespace sotto::simulation {

/// A seed for `purpose` number `index`, for crypto::StreamRandom.
std::uint64_t derive_seed(std::uint64_t seed, std::string_view purpose, std::uint64_t index);

}  // namespace sotto::simulation
