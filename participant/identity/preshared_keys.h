// The pre-shared keys of this site: one for each member that it exchanged a key with, outside of
// the federation (docs/secure-aggregation.md, 2.5). FOLDER/preshared/MEMBER.key holds a line of 64
// hexadecimal digits. Start-up code: throws StartupError.
#pragma once

#include <filesystem>
#include <string_view>

#include "common/config/federation.h"
#include "common/crypto/secure_random.h"
#include "common/secagg/shared/preshared.h"

namespace sotto::participant {

/// Creates a key for `peer` and returns its file, which must be carried to `peer`. Never overwrites
/// a file.
std::filesystem::path make_preshared_key(const std::filesystem::path& folder, std::string_view peer,
                                         crypto::SecureRandom& random);
/// Imports the file that `peer` created. Never overwrites a file.
void import_preshared_key(const std::filesystem::path& folder, std::string_view peer,
                          const std::filesystem::path& file);

/// Loads all keys of the folder; none if there is no such folder. A file for a name that is not in
/// the roster, or for this site itself, is an error, because that key would protect nobody.
secagg::PresharedKeys load_preshared_keys(const std::filesystem::path& folder,
                                          const config::Roster& roster, MemberId self);

}  // namespace sotto::participant
