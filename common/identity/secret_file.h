// Reading files of long-term keys: text with lower-case hexadecimal, which is read into guarded
// memory and rejected when others can read or replace the file. This is start-up code: it throws a
// StartupError that states what to do.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "common/base/bytes.h"
#include "common/crypto/secret.h"

namespace sotto::config {

/// Returns 64 digits, computed without branches or look-ups that depend on the secret.
crypto::Secret64 secret_to_hex(const crypto::Secret32& secret);
/// Returns the secret; nothing unless `hex` is 64 lower-case digits. It does not branch on their
/// values.
std::optional<crypto::Secret32> secret_from_hex(BytesView hex);

/// Creates the folder (mode 0700) when it is missing, then checks it.
void make_private_folder(const std::filesystem::path& folder);
/// Throws when others can write in the folder.
void check_private_folder(const std::filesystem::path& folder);

/// Reads a whole file of at most 16 KiB, which only its owner may be able to read. `where_from` is
/// the part of the error message that states how to get such a file.
crypto::SecretCell read_secret_file(const std::filesystem::path& file, std::string_view where_from);

}  // namespace sotto::config
