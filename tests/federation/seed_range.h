// Which seeds a test over many histories runs. SOTTO_SEED=n: that one; SOTTO_SEEDS=n: the first n;
// SOTTO_SEEDS=a-b: those from a to b, for long runs by hand.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace sotto::simulation {

struct SeedRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;  // exclusive
};

inline SeedRange seeds_to_run(std::uint64_t unless_said) {
  if (const char* one = std::getenv("SOTTO_SEED")) {
    const std::uint64_t seed = std::strtoull(one, nullptr, 10);
    return {seed, seed + 1};
  }
  const char* many = std::getenv("SOTTO_SEEDS");
  if (many == nullptr) return {0, unless_said};
  char* end = nullptr;
  const std::uint64_t number = std::strtoull(many, &end, 10);
  if (*end != '-') return {0, number};
  return {number, std::strtoull(end + 1, nullptr, 10) + 1};
}

}  // namespace sotto::simulation
