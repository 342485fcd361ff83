#include "common/simulation/seeds.h"

#include "common/base/bytes.h"
#include "common/crypto/hash.h"

namespace sotto::simulation {

std::uint64_t derive_seed(std::uint64_t seed, std::string_view purpose, std::uint64_t index) {
  ByteWriter numbers;
  numbers.u64(seed);
  numbers.u64(index);
  const Bytes32 digest = crypto::hash("SOTTO sim seed", {numbers.view(), view_of(purpose)});
  return ByteReader(digest).u64();
}

}  // namespace sotto::simulation
