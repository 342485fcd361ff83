// How a keystore is written: JSON that people can read, but of one fixed layout, because a JSON
// library would leave copies of an unsealed master key in ordinary memory. Only what we wrote
// ourselves is accepted, byte for byte.
//
//   master_key  sealed by a passphrase or key file: nonce || XChaCha20-Poly1305(K, master key),
//   with
//               the text before it as associated data. K = Argon2id(passphrase, salt), or
//               KDF("SOTTO key file", key). Sealed by nothing: the master key itself
//   data_root, sealed   nonce || XChaCha20-Poly1305(KDF("SOTTO key entry", master key), secret),
//   with
//               associated_data() of what it is. Of keys: Ed25519 seed || X25519 secret
//   mac         KDF(KDF("SOTTO key mac", master key), the text before it): keyed BLAKE2b-256
//   checksum    H("SOTTO keystore", the text before it): tells a damaged file from a wrong
//   passphrase
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/crypto/aead.h"
#include "common/crypto/password_hash.h"
#include "common/crypto/secret.h"

namespace sotto::keystore {

enum class SealedBy : std::uint8_t { kNothing, kPassphrase, kKeyFile };
/// "nothing", "passphrase", "key_file": as the file says it.
std::string_view name(SealedBy seal);

/// What the keys of a generation may be used for.
enum class KeyUse : std::uint8_t {
  kAll,
  /// Restored without the guard and the ledger that belong to them: they may name their successor
  /// and sign that they are revoked, never take part in a round (docs/site.md).
  kSuccessorOnly
};

/// "all", "successor": as the file says it.
std::string_view name(KeyUse use);

/// The public half of one generation of signing and transport key.
struct PublicKeys {
  std::uint32_t generation = 0;  // from 1
  Bytes32 signing_key{};
  Bytes32 transport_key{};
  KeyUse use = KeyUse::kAll;

  bool operator==(const PublicKeys&) const = default;
};

/// What anybody who can read the file can read. Believed only once it was opened.
struct Description {
  std::string name;  // of the party
  SealedBy sealed_by{};
  crypto::PasswordCost cost;        // kPassphrase
  std::vector<PublicKeys> held;     // ascending, one at least
  std::vector<PublicKeys> retired;  // wiped after a rotation, ascending
};

inline constexpr std::size_t kMaxHeld = 4;
inline constexpr std::size_t kMaxRetired = 16;
/// Room for the most that can be held; what a crypto::SecretCell takes.
inline constexpr std::size_t kMaxFileBytes = std::size_t{16} << 10;

/// The file's contents. Move-only.
struct Contents {
  Description description;
  crypto::Salt salt{};                          // kPassphrase
  Bytes sealed_master;                          // unless kNothing
  std::optional<crypto::Secret32> bare_master;  // kNothing
  Bytes sealed_root;
  std::vector<Bytes> sealed_keys;  // beside description.held
};

/// The text before the master key.
std::string header_of(const Contents& contents);
/// Binds a sealed secret to its owner and its place: of the root, and of a generation of keys.
Bytes associated_data(std::string_view owner);
Bytes associated_data(std::string_view owner, const PublicKeys& keys);

/// The file in pieces, so that the master key is not copied: head, master, tail, then mac and
/// checksum.
struct Pieces {
  std::string head;
  crypto::Secret64 bare_master;  // kNothing, in digits; else unused and `has_bare_master` false
  bool has_bare_master = false;
  std::string tail;
  std::string mac;
  std::string checksum;
};

Pieces write(const Contents& contents, const crypto::Secret32& master);

/// What was read, and whether its mac is right can be asked with the master key.
struct Parsed {
  Contents contents;
  Bytes32 mac{};
  std::size_t covered = 0;  // the bytes that the mac is over
};

/// An Error is a clause about the file: "is damaged: ...".
Result<Parsed> parse(BytesView text);
/// Whether `mac` is over `covered` bytes of text, in constant time.
[[nodiscard]] bool is_mac_of(const Bytes32& mac, BytesView covered, const crypto::Secret32& master);

}  // namespace sotto::keystore
