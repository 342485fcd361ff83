// What a party must keep secret for long, in one file FOLDER/keystore.json (mode 0600): its signing
// and transport keys, those that a rotation replaces, and a root that keys for other uses are
// derived from. Every secret is sealed (XChaCha20-Poly1305) under a random master key, and only the
// master key is sealed by what a person keeps: a passphrase (Argon2id), a key file, or nothing but
// the modes of file and folder. docs/site.md, "Keys", says what is recoverable when; format.h how
// it is written. Start-up code: throws StartupError that names the file and says what to do.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/bytes.h"
#include "common/crypto/password_hash.h"
#include "common/crypto/secret.h"
#include "common/identity/format.h"
#include "common/identity/identity.h"

namespace sotto::keystore {

inline constexpr const char* kKeystoreFile = "keystore.json";
inline constexpr std::size_t kMaxPassphraseBytes = 1024;

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

/// Of FOLDER/keystore.json; of a backup in any file. Throws when it is absent, damaged or of
/// another version, and in a folder also when others could read it or replace it.
Description describe(const std::filesystem::path& folder);
Description describe_backup(const std::filesystem::path& file);

/// Which keys a rotation replaces.
enum class Rotation : std::uint8_t { kBoth, kSigning, kTransport };

class Keystore {
 public:
  /// Fresh keys, generation 1, in memory only. `name` must be a name in the sense of fields.h.
  static Keystore make(std::string_view name, crypto::SecureRandom& random);

  /// FOLDER/keystore.json. Besides what describe() refuses, tells apart: another seal than
  /// `opener`, a wrong passphrase or key file, a file that was changed by somebody without its
  /// keys; and says what is lost with them and what is not.
  static Keystore open(const std::filesystem::path& folder, const Opener& opener);
  static Keystore open_backup(const std::filesystem::path& file, const Opener& opener);

  /// A new file, sealed by `seal`, under a master key of its own. Keys are never overwritten.
  /// Makes the folder (mode 0700) where it is missing.
  void save_new(const std::filesystem::path& folder, const Opener& seal,
                const crypto::PasswordCost& cost, crypto::SecureRandom& random) const;
  /// The same into any file that is not there yet. `seal` is a passphrase or a key file.
  void save_backup(const std::filesystem::path& file, const Opener& seal,
                   const crypto::PasswordCost& cost, crypto::SecureRandom& random) const;
  /// FOLDER/keystore.json again, atomically: the same master key under the same seal.
  void save(const std::filesystem::path& folder) const;
  /// Changes what the master key is sealed by, and nothing else. To be saved.
  void reseal(const Opener& seal, const crypto::PasswordCost& cost, crypto::SecureRandom& random);

  [[nodiscard]] const Description& description() const { return contents_.description; }

  [[nodiscard]] const PublicKeys& newest() const { return description().held.back(); }

  /// The keys of a generation that is held.
  [[nodiscard]] config::Identity identity(std::uint32_t generation) const;

  /// A key for one named purpose, as in "records": the same through changes of the passphrase,
  /// rotations of the identity, backup and restore; of this site alone. Purposes are 1 to 64
  /// letters, digits, '.', '_' or '-'.
  [[nodiscard]] crypto::Secret32 data_key(std::string_view purpose) const;

  /// The next generation. What is not replaced stays. Throws when kMaxHeld are held. To be saved.
  void rotate(Rotation which, crypto::SecureRandom& random);
  /// Wipes all older generations than the newest; their public halves stay as `retired`. To be
  /// saved.
  void retire_old();
  /// Every generation becomes kSuccessorOnly. To be saved.
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

}  // namespace sotto::keystore
