// Files of long-term keys: text with lower-case hexadecimal, read into guarded memory, refused when
// others can read them or replace them. Start-up code: throws StartupError with what to do.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "common/base/bytes.h"
#include "common/crypto/secret.h"

namespace sotto::config {

/// 64 digits, without branches or look-ups on the secret.
crypto::Secret64 secret_to_hex(const crypto::Secret32& secret);
/// Nothing unless it is 64 lower-case digits; without branches on what they are.
std::optional<crypto::Secret32> secret_from_hex(BytesView hex);

/// Makes the folder (mode 0700) where it is missing, then checks it.
void make_private_folder(const std::filesystem::path& folder);
/// Others cannot write in it.
void check_private_folder(const std::filesystem::path& folder);

/// The whole file, at most 16 KiB, that only its owner can read. `where_from` says how one gets
/// such a file.
crypto::SecretCell read_secret_file(const std::filesystem::path& file, std::string_view where_from);

}  // namespace sotto::config
