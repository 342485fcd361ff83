// Keystore holds the long-term secrets of a party in one file FOLDER/keystore.json (mode 0600): its
// signing and transport keys, those that a rotation replaces, and a root from which keys for other
// uses are derived. Every secret is sealed (XChaCha20-Poly1305) under a random master key. Only the
// master key is sealed by what a person keeps: a passphrase (Argon2id), a key file, or nothing but
// the modes of file and folder. docs/site.md, "Keys", describes which losses can be recovered from;
// format.h describes the file. This is start-up code: it throws a StartupError that names the file
// and states what to do.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/bytes.h"
#include "common/crypto/password_hash.h"
#include "common/crypto/secret.h"
#include "common/identity/format.h"
#include "common/identity/identity.h"

namespace sotto::identity {

inline constexpr const char* kKeystoreFile = "keystore.json";
inline constexpr std::size_t kMaxPassphraseBytes = 1024;

struct Nothing {};

/// 1 to kMaxPassphraseBytes bytes, used unchanged: Unicode is not normalised.
struct Passphrase {
  crypto::SecretCell text;
};

struct KeyFile {
  crypto::Secret32 key;
};

/// The secret that a keystore is sealed by and that opens it.
using Opener = std::variant<Nothing, Passphrase, KeyFile>;

/// These functions return the description of FOLDER/keystore.json and of a backup in any file. They
/// throw when it is missing, damaged or of another version; describe() also throws when others
/// could read or replace it.
Description describe(const std::filesystem::path& folder);
Description describe_backup(const std::filesystem::path& file);

/// The keys that a rotation replaces.
enum class Rotation : std::uint8_t { kBoth, kSigning, kTransport };

class Keystore {
 public:
  /// Creates fresh keys, generation 1, in memory only. `name` must satisfy config::is_name().
  static Keystore make(std::string_view name, crypto::SecureRandom& random);

  /// Opens FOLDER/keystore.json. Besides the errors of describe(), it distinguishes a seal of
  /// another kind than `opener`, a wrong passphrase or key file, and a file that was changed by
  /// somebody without its keys. The message states what is lost and what is not.
  static Keystore open(const std::filesystem::path& folder, const Opener& opener);
  static Keystore open_backup(const std::filesystem::path& file, const Opener& opener);

  /// Writes a new file under a new master key, which is sealed by `seal`. Throws when the file
  /// exists: keys are never overwritten. Creates the folder (mode 0700) when it is missing.
  void save_new(const std::filesystem::path& folder, const Opener& seal,
                const crypto::PasswordCost& cost, crypto::SecureRandom& random) const;
  /// The same into any file that does not exist. `seal` is a passphrase or a key file.
  void save_backup(const std::filesystem::path& file, const Opener& seal,
                   const crypto::PasswordCost& cost, crypto::SecureRandom& random) const;
  /// Rewrites FOLDER/keystore.json atomically, with the same master key under the same seal.
  void save(const std::filesystem::path& folder) const;
  /// Changes what the master key is sealed by, and nothing else. The caller then calls save().
  void reseal(const Opener& seal, const crypto::PasswordCost& cost, crypto::SecureRandom& random);

  [[nodiscard]] const Description& description() const { return contents_.description; }

  [[nodiscard]] const PublicKeys& newest() const { return description().held.back(); }

  /// Returns the keys of a generation, which must be held (SOTTO_CHECK).
  [[nodiscard]] config::Identity identity(std::uint32_t generation) const;

  /// Returns a key for one named purpose, as in "records". It is different at every site and does
  /// not change with the passphrase, with a rotation of the identity, or by backup and restore.
  /// `purpose` must satisfy config::is_name().
  [[nodiscard]] crypto::Secret32 data_key(std::string_view purpose) const;

  /// Adds the next generation, which keeps the keys that `which` does not replace. Throws when
  /// kMaxHeld generations are held. The caller then calls save().
  void rotate(Rotation which, crypto::SecureRandom& random);
  /// Wipes all generations but the newest; their public halves stay as `retired`. The caller then
  /// calls save().
  void retire_old();
  /// Makes every generation kSuccessorOnly. The caller then calls save().
  void restrict_to_successor();

 private:
  Keystore() = default;

  static Keystore open_text(BytesView text, const std::filesystem::path& file,
                            const Opener& opener);
  [[nodiscard]] Keystore under_new_master(crypto::SecureRandom& random) const;
  void seal_entries(crypto::SecureRandom& random);

  Contents contents_;
  std::vector<crypto::Secret64> secrets_;  // beside contents_.held: signing seed, transport key
  crypto::Secret32 root_;
  crypto::Secret32 master_;
};

}  // namespace sotto::identity
