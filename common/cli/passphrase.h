// How a command gets at a secret that a person or a service manager keeps: a passphrase from a
// terminal that does not show it, or from a file or pipe; a key from a file. Never from arguments
// or the environment, which other processes can read. Start-up code: throws StartupError.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "common/crypto/secure_random.h"
#include "common/identity/keystore.h"

namespace sotto::command {

/// One line, with or without its line feed, that only its owner can read; or a pipe, as in
/// `--passphrase-file /dev/fd/3`. 1 to keystore::kMaxPassphraseBytes bytes as they are: Unicode is
/// not normalised.
keystore::Passphrase read_passphrase(const std::filesystem::path& file);

/// Asks at the terminal of this process (/dev/tty), whatever its standard input is.
/// `where_else` says what to do where there is none.
keystore::Passphrase ask_passphrase(std::string_view prompt, std::string_view where_else);
/// Asks twice, so that a slip of the finger seals nothing.
keystore::Passphrase ask_new_passphrase(std::string_view what, std::string_view where_else);

/// A sentence for people about a passphrase that is easily guessed; nothing otherwise.
std::optional<std::string> weakness_of(const keystore::Passphrase& passphrase);

/// A line of 64 hexadecimal digits that only its owner can read.
keystore::KeyFile read_key_file(const std::filesystem::path& file);
/// Makes such a file. Never overwrites.
keystore::KeyFile make_key_file(const std::filesystem::path& file, crypto::SecureRandom& random);

}  // namespace sotto::command
