// This site's pre-shared keys: one with each member that it exchanged a key with, outside of the
// federation (docs/secure-aggregation.md, 2.5). FOLDER/preshared/MEMBER.key, a line of 64
// hexadecimal digits. Start-up code: throws StartupError.
#pragma once

#include <filesystem>
#include <string_view>

#include "common/config/federation.h"
#include "common/crypto/secure_random.h"
#include "common/secagg/shared/preshared.h"

namespace sotto::participant {

/// Makes a key for `peer` and returns its file, which is to be carried to `peer`. Never overwrites.
std::filesystem::path make_preshared_key(const std::filesystem::path& folder, std::string_view peer,
                                         crypto::SecureRandom& random);
/// Takes over the file that `peer` made. Never overwrites.
void import_preshared_key(const std::filesystem::path& folder, std::string_view peer,
                          const std::filesystem::path& file);

/// All keys of the folder; none when there is no such folder. A file for nobody in the roster, or
/// for this site itself, is an error: a key that is silently not used protects nobody.
secagg::PresharedKeys load_preshared_keys(const std::filesystem::path& folder,
                                          const config::Roster& roster, MemberId self);

}  // namespace sotto::participant
