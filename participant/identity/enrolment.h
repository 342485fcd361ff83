// Who is in, at a participant's side: its own keys, and the one coordinator and roster that it
// holds on to. Start-up code: throws StartupError.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "common/config/federation.h"
#include "common/identity/keystore.h"
#include "participant/identity/roster_change.h"

namespace sotto::participant {

/// Whether a card asks for the place of the one that is enrolled.
enum class CardKind {
  /// It replaces the generation that the pinned roster names, where that is an older one.
  kSuccessor,
  kNewMember
};

/// Writes the public card FOLDER/NAME.card.json for the operator: of the newest keys.
config::Card write_card(const std::filesystem::path& folder, const keystore::Keystore& keys,
                        CardKind kind);

/// The federation as pinned, which of its members this participant is, and by which of its keys.
struct Membership {
  config::FederationConfig federation;
  MemberId self{};
  std::uint32_t generation = 0;  // in the keystore
};

/// What to do when the file is by another coordinator than the pinned one, would take the pinned
/// roster back or forgets a revoked key.
enum class PinChange { kRefuse, kReplace };

/// Shown what changes against what is pinned, before anything is written. Throws StartupError where
/// the change is not to be, which it is unless somebody accepts each of its doubts.
using DecideOnChange = std::function<void(const Membership&, const RosterChange&)>;

/// Decides for nobody: refuses a change with doubts.
void refuse_doubts(const Membership& membership, const RosterChange& change);

/// Accepts FILE as the federation of this participant: the coordinator's signature holds, the
/// roster has not expired, one generation of these keys is in it under its own name, and every key
/// that was pinned as revoked still is. Pins the federation in FOLDER/pinned.json, beside a copy of
/// the file. A newer roster of the pinned coordinator needs no PinChange; keys of members that
/// changed need `decide` with either.
Membership join(const std::filesystem::path& folder, const keystore::Keystore& keys,
                const std::filesystem::path& file, std::uint64_t now_unix_s, PinChange change,
                const DecideOnChange& decide = refuse_doubts);

/// What a person compares with the operator over another channel: fingerprints, who is in.
std::string describe(const Membership& membership);

/// What join accepted, checked again: signature, pin, expiry, own keys.
Membership load_membership(const std::filesystem::path& folder, const keystore::Keystore& keys,
                           std::uint64_t now_unix_s);

/// One line for the log of a start: which keys the roster names, and whether others wait.
std::string keys_line(const keystore::Keystore& keys, const Membership& membership);

/// Refuses keys that were restored from a backup without the guard and the ledger that belong to
/// them: with them this site could say in a round what it has contradicted before.
void require_all_uses(const keystore::Keystore& keys, const Membership& membership);
/// Refuses unless the pinned roster names the newest keys: the others are not to be wiped before.
void require_newest(const keystore::Keystore& keys, const Membership& membership);

}  // namespace sotto::participant
