// The functions H and KDF of the protocol (docs/secure-aggregation.md): BLAKE2b-256 with the label
// as the personal parameter.
#pragma once

#include <initializer_list>
#include <memory>
#include <string_view>

#include "common/base/bytes.h"
#include "common/crypto/secret.h"

namespace sotto::crypto {

/// Returns the unkeyed BLAKE2b-256 of the concatenated parts. `label` is ASCII, at most 16 bytes,
/// and is zero-padded.
Bytes32 hash(std::string_view label, std::initializer_list<BytesView> parts);

/// Hasher computes the same hash of a message that is given in parts.
class Hasher {
 public:
  explicit Hasher(std::string_view label);
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;
  void update(BytesView part);
  /// Returns the hash. May be called once.
  Bytes32 finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Returns the keyed BLAKE2b-256 of the concatenated parts of `context`, which may be empty.
Secret32 kdf(std::string_view label, const Secret32& key, std::initializer_list<BytesView> context);

}  // namespace sotto::crypto
