// Files that hold one key of the site, created once and kept: a line of 64 hexadecimal digits, mode
// 0600.
#pragma once

#include <filesystem>
#include <string_view>

#include "common/crypto/secret.h"
#include "common/crypto/secure_random.h"

namespace sotto::participant {

/// Reads the key. Throws StartupError if the file is missing, accessible to other users or not a
/// key; `where_from` says how to obtain one.
crypto::Secret32 read_key_file(const std::filesystem::path& file, std::string_view where_from);

/// Creates the key. Throws StartupError if the file exists: a key is never overwritten. `what_then`
/// says what another key would cause.
crypto::Secret32 make_key_file(const std::filesystem::path& file, std::string_view what_then,
                               crypto::SecureRandom& random);

}  // namespace sotto::participant
