// The options by which every command that needs a party's keys is given what opens them.
#pragma once

#include <filesystem>
#include <string>

#include "common/crypto/secure_random.h"
#include "common/identity/keystore.h"

namespace CLI {
class App;
}

namespace sotto::command {

struct UnlockOptions {
  std::string passphrase_file;
  std::string key_file;
};

/// --passphrase-file and --key-file.
void add_unlock_options(CLI::App& command, UnlockOptions& options);

/// Opens FOLDER's keystore; asks for the passphrase at the terminal where it needs one and no file
/// was given. Throws StartupError.
keystore::Keystore open_keystore(const std::filesystem::path& folder, const UnlockOptions& options);
/// What `options` give for something that is sealed as `description` says and lies in `file`.
keystore::Opener opener_for(const keystore::Description& description,
                            const std::filesystem::path& file, const UnlockOptions& options);

/// What a keystore is to be sealed by from now on.
struct SealOptions {
  std::string by;  // as keystore::name() says it; empty = as the files tell
  std::string passphrase_file;
  std::string key_file;  // made where it is missing
};

/// How the options of a SealOptions are called, for what is said about them.
struct SealNames {
  std::string by, passphrase_file, key_file;
};

/// Adds them. `otherwise` says what holds when none is given.
void add_seal_options(CLI::App& command, SealOptions& options, const SealNames& names,
                      const std::string& otherwise);

/// Reads, makes or asks for it. `otherwise` holds when no option says anything.
/// Warns on standard error about a passphrase that is easily guessed.
keystore::Opener new_seal(const SealOptions& options, const SealNames& names,
                          keystore::SealedBy otherwise, const std::string& what,
                          crypto::SecureRandom& random);

}  // namespace sotto::command
