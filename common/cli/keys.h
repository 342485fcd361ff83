// The commands `keys show | seal | backup | restore`, which are the same for a coordinator's and a
// participant's keystore.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/identity/keystore.h"
#include "common/storage/atomic_file.h"

namespace sotto::cli {

class Command;

/// The differences of the commands between the two kinds of party.
struct KeysParty {
  std::string program;  // "sotto-participant"
  /// Files beside the keystore without which restored keys may only name their successor. Empty for
  /// a party without such files.
  std::vector<std::string> history;
};

/// Adds `keys` with its commands and returns it, so that the caller can add the commands that only
/// one kind of party has.
Command* add_keys_commands(Command& app, const KeysParty& party);

/// Takes the lock that a process holds while it changes the keystore of a folder. Throws
/// StartupError when the lock cannot be taken.
storage::LockFile lock_keystore(const std::filesystem::path& folder);

/// The keys that FOLDER/federation.json names for this party.
struct NamedKeys {
  std::uint32_t roster_version = 0;
  std::uint32_t generation = 0;  // 0: none of the keys that the keystore holds
  Bytes32 signing_key{};
};

/// Returns the keys; nothing when there is no federation.json or it does not name the party.
std::optional<NamedKeys> named_in_federation(const std::filesystem::path& folder,
                                             const identity::Description& description);

}  // namespace sotto::cli
