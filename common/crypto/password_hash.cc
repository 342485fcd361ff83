#include "common/crypto/password_hash.h"

#include <sodium.h>

#include "common/base/check.h"

namespace sotto::crypto {

bool is_allowed(const PasswordCost& cost) {
  return cost.operations >= kLeastCost.operations && cost.operations <= kLargestCost.operations &&
         cost.memory_kib >= kLeastCost.memory_kib && cost.memory_kib <= kLargestCost.memory_kib;
}

Result<Secret32> password_hash(BytesView password, const Salt& salt, const PasswordCost& cost) {
  SOTTO_CHECK(is_allowed(cost), "a cost out of bounds");
  static_assert(std::tuple_size_v<Salt> == crypto_pwhash_argon2id_SALTBYTES);
  Secret32 out;
  const int rc = crypto_pwhash_argon2id(
      out.writable().data(), out.writable().size(),
      reinterpret_cast<const char*>(password.data()),  // NOLINT(*-reinterpret-cast): its type
      password.size(), salt.data(), cost.operations, std::size_t{cost.memory_kib} * 1024,
      crypto_pwhash_argon2id_ALG_ARGON2ID13);
  if (rc != 0)
    return Error{"this machine has not the " + std::to_string(cost.memory_kib / 1024) +
                 " MiB of memory that Argon2id needs here"};
  return out;
}

}  // namespace sotto::crypto
