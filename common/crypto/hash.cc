#include "common/crypto/hash.h"

#include <algorithm>

#include <sodium.h>

#include "common/base/check.h"

namespace sotto::crypto {
namespace {

constexpr std::array<std::uint8_t, crypto_generichash_blake2b_SALTBYTES> kNoSalt{};
// libsodium's last step leaves the whole digest, from which a key is made, on the stack.
constexpr std::size_t kHashStackBytes = 2048;
using Personal = std::array<std::uint8_t, crypto_generichash_blake2b_PERSONALBYTES>;

Personal personal_of(std::string_view label) {
  SOTTO_CHECK(!label.empty() && label.size() <= Personal{}.size(), "a label is 1 to 16 bytes");
  Personal out{};
  std::copy(label.begin(), label.end(), out.begin());
  return out;
}

/// The BLAKE2b state. It is wiped at the end because it contains the key of a KDF and the end of
/// its message.
class Blake2b {
 public:
  Blake2b(std::string_view label, std::span<const std::uint8_t> key) {
    const Personal personal = personal_of(label);
    const int rc = crypto_generichash_blake2b_init_salt_personal(
        &state_, key.empty() ? nullptr : key.data(), key.size(), sizeof(Bytes32), kNoSalt.data(),
        personal.data());
    SOTTO_CHECK(rc == 0, "BLAKE2b refused its parameters");
  }

  ~Blake2b() { sodium_memzero(&state_, sizeof state_); }

  Blake2b(const Blake2b&) = delete;
  Blake2b& operator=(const Blake2b&) = delete;

  void update(BytesView part) {
    if (!part.empty()) crypto_generichash_blake2b_update(&state_, part.data(), part.size());
  }

  void finish(std::span<std::uint8_t, 32> out) {
    const int rc = crypto_generichash_blake2b_final(&state_, out.data(), out.size());
    SOTTO_CHECK(rc == 0, "a hash is finished once");
    sodium_stackzero(kHashStackBytes);
  }

 private:
  crypto_generichash_blake2b_state state_{};
};

}  // namespace

Bytes32 hash(std::string_view label, std::initializer_list<BytesView> parts) {
  Blake2b blake(label, {});
  for (BytesView part : parts)
    blake.update(part);
  Bytes32 out{};
  blake.finish(out);
  return out;
}

Secret32 kdf(std::string_view label, const Secret32& key,
             std::initializer_list<BytesView> context) {
  Blake2b blake(label, key.expose());
  for (BytesView part : context)
    blake.update(part);
  Secret32 out;
  blake.finish(out.writable());
  return out;
}

struct Hasher::State {
  Blake2b blake;
  bool finished = false;
};

Hasher::Hasher(std::string_view label)
    : state_(new State{.blake = Blake2b(label, {}), .finished = false}) {}

Hasher::~Hasher() = default;

void Hasher::update(BytesView part) {
  SOTTO_CHECK(!state_->finished, "a finished hash takes no more bytes");
  state_->blake.update(part);
}

Bytes32 Hasher::finish() {
  SOTTO_CHECK(!state_->finished, "a hash is finished once");
  state_->finished = true;
  Bytes32 out{};
  state_->blake.finish(out);
  return out;
}

}  // namespace sotto::crypto
