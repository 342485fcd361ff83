// Enrolment at a participant: its own keys, and the one coordinator and roster that it has pinned.
// Start-up code: throws StartupError.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "common/config/federation.h"
#include "common/identity/keystore.h"
#include "participant/identity/roster_change.h"

namespace sotto::participant {

/// The kind of a card: whether it replaces an enrolled one.
enum class CardKind {
  /// Replaces the generation that the pinned roster names, if that is an older one.
  kSuccessor,
  kNewMember
};

/// Writes FOLDER/NAME.card.json, the public card of the newest keys, for the operator.
config::Card write_card(const std::filesystem::path& folder, const identity::Keystore& keys,
                        CardKind kind);

/// The pinned federation, which of its members this participant is, and with which of its keys.
struct Membership {
  config::FederationConfig federation;
  MemberId self{};
  std::uint32_t generation = 0;  // in the keystore
};

/// The action if the file is by another coordinator than the pinned one, has an older roster or a
/// different one of the same version, gives this site another member id, or omits a revoked key.
enum class PinChange { kRefuse, kReplace };

/// Is called with the differences from the pinned federation, before anything is written. Throws
/// StartupError to prevent the change, which it must do unless somebody accepts each of the doubts.
using DecideOnChange = std::function<void(const Membership&, const RosterChange&)>;

/// The decision without a person: throws StartupError for a change with doubts.
void refuse_key_changes(const Membership& membership, const RosterChange& change);

/// Accepts `file` as the federation of this participant: the coordinator's signature is valid, the
/// roster has not expired, one generation of these keys is in it under the participant's own name,
/// and every key that was pinned as revoked still is. Pins the federation in FOLDER/pinned.json,
/// beside a copy of the file. A newer roster of the pinned coordinator needs no PinChange. Changed
/// keys of members always need `decide`.
Membership join(const std::filesystem::path& folder, const identity::Keystore& keys,
                const std::filesystem::path& file, std::uint64_t now_unix_s, PinChange change,
                const DecideOnChange& decide = refuse_key_changes);

/// Returns the text to compare with the operator over another channel: fingerprints and members.
std::string describe(const Membership& membership);

/// Loads what join() accepted and checks it again: signature, pin, expiry, own keys.
Membership load_membership(const std::filesystem::path& folder, const identity::Keystore& keys,
                           std::uint64_t now_unix_s);

/// Returns one line for the log at start-up: which keys the roster names, and whether others wait.
std::string keys_line(const identity::Keystore& keys, const Membership& membership);

/// Throws StartupError for keys that were restored from a backup without the guard and the ledger
/// that belong to them: with those keys alone this site could sign contradictions in a round.
void require_all_uses(const identity::Keystore& keys, const Membership& membership);
/// Throws StartupError unless the pinned roster names the newest keys. Before that the older keys
/// must not be wiped.
void require_newest(const identity::Keystore& keys, const Membership& membership);

}  // namespace sotto::participant
