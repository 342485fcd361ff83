// Functions that read a secret from a person or a service manager: a passphrase from a terminal
// without echo, or from a file or pipe; a key from a file. They never read it from arguments or the
// environment, which other processes can see. This is start-up code and throws StartupError.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "common/crypto/secure_random.h"
#include "common/identity/keystore.h"

namespace sotto::cli {

/// Reads a passphrase of one line, with or without its line feed, from a file that only its owner
/// can read, or from a pipe, as in `--passphrase-file /dev/fd/3`. It has 1 to
/// identity::kMaxPassphraseBytes bytes, which are used unchanged: Unicode is not normalised.
identity::Passphrase read_passphrase(const std::filesystem::path& file);

/// Asks at the terminal of this process (/dev/tty), whatever its standard input is. `where_else` is
/// the part of the error message that states what to do when there is no terminal.
identity::Passphrase ask_passphrase(std::string_view prompt, std::string_view where_else);
/// Asks twice, so that a typing mistake is noticed.
identity::Passphrase ask_new_passphrase(std::string_view what, std::string_view where_else);

/// Returns a warning sentence when the passphrase is easily guessed; nothing otherwise.
std::optional<std::string> weakness_of(const identity::Passphrase& passphrase);

/// Reads a key, a line of 64 hexadecimal digits, from a file that only its owner can read.
identity::KeyFile read_key_file(const std::filesystem::path& file);
/// Creates such a file with a random key. Never overwrites a file.
identity::KeyFile make_key_file(const std::filesystem::path& file, crypto::SecureRandom& random);

}  // namespace sotto::cli
