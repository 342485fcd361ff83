// What a party must keep secret for long, in one file FOLDER/keystore.json (mode 0600): its signing
// and transport keys, those that a rotation replaces, and a root that keys for other uses are
// derived from. Every secret is sealed (XChaCha20-Poly1305) under a random master key, and only the
// master key is sealed by what a person keeps: a passphrase (Argon2id), a key file, or nothing but
// the modes of file and folder. docs/site.md, "Keys", says what is recoverable when; format.h how
// it is written. Plain values; one thread; a file's faults are Errors that name it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/config/identity.h"
#include "common/crypto/password_hash.h"
#include "common/crypto/secret.h"

namespace sotto::keystore {

inline constexpr const char* kKeystoreFile = "keystore.json";
inline constexpr std::size_t kMaxPassphraseBytes = 1024;

enum class SealedBy : std::uint8_t { kNothing, kPassphrase, kKeyFile };
/// "nothing", "passphrase", "key_file": as the file says it.
std::string_view name(SealedBy seal);

struct Nothing {};

/// 1 to kMaxPassphraseBytes bytes, taken as they are: nothing normalises Unicode.
struct Passphrase {
  crypto::SecretCell text;
};

struct KeyFile {
  crypto::Secret32 key;
};

/// What opens a keystore, and what it is sealed by.
using Opener = std::variant<Nothing, Passphrase, KeyFile>;

/// What the keys of a generation may be used for.
enum class KeyUse : std::uint8_t {
  kAll,
  /// Restored without the guard and the ledger that belong to them: they may name their successor
  /// and sign that they are revoked, never take part in a round (docs/site.md).
  kSuccessorOnly
};

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
  std::optional<crypto::PasswordCost> cost;  // kPassphrase
  std::vector<PublicKeys> held;              // ascending
  std::vector<PublicKeys> retired;           // wiped after a rotation; the newest 16
};

/// An Error: absent, readable by others, damaged, of a newer version.
Result<Description> describe(const std::filesystem::path& file);

/// Which keys a rotation replaces.
enum class Rotation : std::uint8_t { kBoth, kSigning, kTransport };

class Keystore {
 public:
  /// Fresh keys, generation 1, in memory only. StartupError unless `name` is a name.
  static Keystore make(std::string_view name, crypto::SecureRandom& random);

  /// An Error when the file is absent, readable by others, damaged, or not opened by `opener`; it
  /// tells these apart and says what is lost and what is not.
  static Result<Keystore> open(const std::filesystem::path& file, const Opener& opener);

  /// Writes a new file, sealed by `opener`, under a master key of its own. An Error when there is a
  /// file: keys are never overwritten.
  [[nodiscard]] Status save_new(const std::filesystem::path& file, const Opener& opener,
                                const crypto::PasswordCost& cost,
                                crypto::SecureRandom& random) const;
  /// Writes the file that it was opened from again: the same master key under the same seal.
  [[nodiscard]] Status save(const std::filesystem::path& file) const;
  /// Changes what the master key is sealed by, and nothing else. To be saved.
  [[nodiscard]] Status reseal(const Opener& opener, const crypto::PasswordCost& cost,
                              crypto::SecureRandom& random);

  [[nodiscard]] const Description& description() const { return description_; }

  [[nodiscard]] const PublicKeys& newest() const { return description_.held.back(); }

  /// The keys of a generation that is held.
  [[nodiscard]] config::Identity identity(std::uint32_t generation) const;

  /// A key for one named purpose, as in "records": the same through changes of the passphrase,
  /// rotations of the identity, backup and restore; of this site alone. Purposes are 1 to 64
  /// letters, digits, '.', '_' or '-'.
  [[nodiscard]] crypto::Secret32 data_key(std::string_view purpose) const;

  /// The next generation. What is not replaced stays. An Error when kMaxHeld are held. To be saved.
  [[nodiscard]] Status rotate(Rotation which, crypto::SecureRandom& random);
  /// Wipes all older generations than the newest; their public halves stay as `retired`. To be
  /// saved.
  void retire_old();
  /// Every generation becomes kSuccessorOnly. To be saved.
  void restrict_to_successor();

  static constexpr std::size_t kMaxHeld = 4;
  static constexpr std::size_t kMaxRetired = 16;

 private:
  struct Sealed;

  Keystore() = default;

  Description description_;
  std::vector<crypto::Secret64> secrets_;  // beside description_.held: signing seed, transport key
  crypto::Secret32 data_root_;
};

}  // namespace sotto::keystore
