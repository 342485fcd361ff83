// The file format of a keystore: JSON that people can read, but with one fixed layout, because a
// JSON library would leave copies of an unsealed master key in ordinary memory. The parser accepts
// only the exact layout that write() produces.
//
//   master_key  sealed by a passphrase or key file: nonce || XChaCha20-Poly1305(K, master key),
//               with the text before it as associated data. K = Argon2id(passphrase, salt), or
//               KDF("SOTTO key file", key). Sealed by nothing: the master key itself
//   data_root, sealed
//               nonce || XChaCha20-Poly1305(KDF("SOTTO key entry", master key), secret), with
//               associated_data() of the entry. The secret of keys: Ed25519 seed || X25519 secret
//   mac         KDF(KDF("SOTTO key mac", master key), the text before it): keyed BLAKE2b-256
//   checksum    H("SOTTO keystore", the text before it), to distinguish a damaged file from a wrong
//               passphrase
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

namespace sotto::identity {

enum class SealedBy : std::uint8_t { kNothing, kPassphrase, kKeyFile };
/// Returns the word in the file: "nothing", "passphrase" or "key_file".
std::string_view name(SealedBy seal);

/// The permitted uses of the keys of a generation.
enum class KeyUse : std::uint8_t {
  kAll,
  /// The keys were restored without the guard and the ledger that belong to them. They may name
  /// their successor and sign their revocation, but not take part in a round (docs/site.md).
  kSuccessorOnly
};

/// Returns the word in the file: "all" or "successor".
std::string_view name(KeyUse use);

/// The public half of one generation of signing and transport key.
struct PublicKeys {
  std::uint32_t generation = 0;  // from 1
  Bytes32 signing_key{};
  Bytes32 transport_key{};
  KeyUse use = KeyUse::kAll;

  bool operator==(const PublicKeys&) const = default;
};

/// The part of the contents that is not encrypted. It is authenticated only once the keystore has
/// been opened.
struct Description {
  std::string name;  // of the party
  SealedBy sealed_by{};
  crypto::PasswordCost cost;        // kPassphrase
  std::vector<PublicKeys> held;     // ascending, one at least
  std::vector<PublicKeys> retired;  // wiped after a rotation, ascending
};

inline constexpr std::size_t kMaxHeld = 4;
inline constexpr std::size_t kMaxRetired = 16;
/// The largest file, which is the largest size of a crypto::SecretCell.
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

/// Returns the text before the master key.
std::string header_of(const Contents& contents);
/// Returns the associated data that bind a sealed secret to its owner and its place: the root, or a
/// generation of keys.
Bytes associated_data(std::string_view owner);
Bytes associated_data(std::string_view owner, const PublicKeys& keys);

/// The file in pieces, so that the master key is not copied: head, master, tail, then mac and
/// checksum.
struct Pieces {
  std::string head;
  crypto::Secret64 bare_master;  // hexadecimal; used if `has_bare_master`, which means kNothing
  bool has_bare_master = false;
  std::string tail;
  std::string mac;
  std::string checksum;
};

Pieces write(const Contents& contents, const crypto::Secret32& master);

/// The result of parse(). The caller checks the mac with is_mac_of() once it has the master key.
struct Parsed {
  Contents contents;
  Bytes32 mac{};
  std::size_t covered = 0;  // the bytes that the mac is over
};

/// Parses the text of a keystore. The Error is a clause about the file: "is damaged: ...".
Result<Parsed> parse(BytesView text);
/// Returns whether `mac` is the mac of `covered`; compares in constant time.
[[nodiscard]] bool is_mac_of(const Bytes32& mac, BytesView covered, const crypto::Secret32& master);

}  // namespace sotto::identity
