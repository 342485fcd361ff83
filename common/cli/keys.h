// `keys show | seal | backup | restore`, the same for a coordinator's and a participant's keystore.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/identity/keystore.h"
#include "common/storage/atomic_file.h"

namespace CLI {
class App;
}

namespace sotto::command {

/// What a kind of party needs said and checked.
struct KeysParty {
  std::string program;  // "sotto-participant"
  /// Files beside the keystore without which restored keys may only name their successor; none for
  /// a party whose keys remember nothing elsewhere.
  std::vector<std::string> history;
};

/// Adds `keys` with its commands and returns it, for those that only one kind of party has.
CLI::App* add_keys_commands(CLI::App& app, const KeysParty& party);

/// One process at a time changes the keystore of a folder. Throws StartupError.
journal::LockFile lock_keystore(const std::filesystem::path& folder);

/// Which keys FOLDER/federation.json names for this party.
struct NamedKeys {
  std::uint32_t roster_version = 0;
  std::uint32_t generation = 0;  // 0: none of those held
  Bytes32 signing_key{};
};

/// Nothing where there is no federation.json or it does not name the party.
std::optional<NamedKeys> named_in_federation(const std::filesystem::path& folder,
                                             const keystore::Description& description);

}  // namespace sotto::command
