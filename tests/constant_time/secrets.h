// Secrets as memcheck sees them: undefined bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <valgrind/memcheck.h>

#include "common/crypto/secure_random.h"

namespace sotto::constant_time {

template <class Bytes>
void make_secret(const Bytes& bytes) {
  VALGRIND_MAKE_MEM_UNDEFINED(bytes.data(), bytes.size() * sizeof(bytes[0]));
}

template <class Bytes>
bool is_secret(const Bytes& bytes) {
  std::vector<std::uint8_t> undefined(bytes.size() * sizeof(bytes[0]));
  VALGRIND_GET_VBITS(bytes.data(), undefined.data(), undefined.size());
  return std::ranges::any_of(undefined, [](std::uint8_t bits) { return bits != 0; });
}

/// The result still depends on the secret; from here on the test may look at it.
template <class Bytes>
void expect_secret(const char* what, const Bytes& bytes) {
  if (!is_secret(bytes)) {
    std::fprintf(stderr, "%s: the secret got lost, so nothing was checked\n", what);
    std::exit(1);
  }
  VALGRIND_MAKE_MEM_DEFINED(bytes.data(), bytes.size() * sizeof(bytes[0]));
}

template <class Bytes>
void expect_public(const char* what, const Bytes& bytes) {
  if (!is_secret(bytes)) return;
  std::fprintf(stderr, "%s: public by design, but not declared\n", what);
  std::exit(1);
}

/// All keys, seeds and coefficients that are drawn are secret; nonces, which have another size, are
/// not.
class SecretRandom final : public crypto::SecureRandom {
 public:
  void fill(std::span<std::uint8_t> out) override {
    random_.fill(out);
    if (out.size() == 32) make_secret(out);
  }

 private:
  crypto::StreamRandom random_{5};
};

/// A round of four real participants and a coordinator with a dropout, all that they draw and put
/// in being secret.
void whole_round(SecretRandom& random);

}  // namespace sotto::constant_time
