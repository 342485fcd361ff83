// Files with one key of the site's own, made once and kept: a line of 64 digits, mode 0600.
#pragma once

#include <filesystem>
#include <string_view>

#include "common/crypto/secret.h"
#include "common/crypto/secure_random.h"

namespace sotto::participant {

/// StartupError where it is missing, open to others or no key; `where_from` says how one gets it.
crypto::Secret32 read_key_file(const std::filesystem::path& file, std::string_view where_from);

/// StartupError where there is a file already: a key is never overwritten. `what_then` says what
/// another key would do.
crypto::Secret32 make_key_file(const std::filesystem::path& file, std::string_view what_then,
                               crypto::SecureRandom& random);

}  // namespace sotto::participant
