// The options, common to all commands that need a party's keys, that name what opens the keystore.
#pragma once

#include <filesystem>
#include <string>

#include "common/crypto/secure_random.h"
#include "common/identity/keystore.h"

namespace sotto::cli {

class Command;

struct UnlockOptions {
  std::string passphrase_file;
  std::string key_file;
};

/// Adds --passphrase-file and --key-file.
void add_unlock_options(Command& command, UnlockOptions& options);

/// Opens FOLDER's keystore. Asks for the passphrase at the terminal when it needs one and no file
/// was given. Throws StartupError.
identity::Keystore open_keystore(const std::filesystem::path& folder, const UnlockOptions& options);
/// Returns the opener that `options` name for the keystore in `file` with this description, or asks
/// for the passphrase. Throws StartupError.
identity::Opener opener_for(const identity::Description& description,
                            const std::filesystem::path& file, const UnlockOptions& options);

/// The options that choose how a keystore is sealed from now on.
struct SealOptions {
  std::string by;  // a identity::name(); empty = implied by the options for files
  std::string passphrase_file;
  std::string key_file;  // created when it is missing
};

/// The names of the options of a SealOptions on the command line.
struct SealNames {
  std::string by, passphrase_file, key_file;
};

/// Adds the options. `otherwise` is the end of the help text: what applies when none is given.
void add_seal_options(Command& command, SealOptions& options, const SealNames& names,
                      const std::string& otherwise);

/// Reads, creates or asks for the secret of the new seal. `otherwise` applies when no option is
/// given. Warns on standard error about a passphrase that is easily guessed.
identity::Opener new_seal(const SealOptions& options, const SealNames& names,
                          identity::SealedBy otherwise, const std::string& what,
                          crypto::SecureRandom& random);

}  // namespace sotto::cli
