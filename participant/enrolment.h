// Who is in, at a participant's side: its own keys, and the one coordinator and roster that it
// holds on to. Start-up code: throws StartupError.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "common/config/federation.h"
#include "common/config/identity.h"
#include "common/crypto/secure_random.h"

namespace sotto::participant {

/// Makes FOLDER/identity.json and the public card FOLDER/NAME.card.json for the operator.
config::Card init(const std::filesystem::path& folder, std::string_view name,
                  crypto::SecureRandom& random);

/// The federation as pinned, and which of its members this participant is.
struct Membership {
  config::FederationConfig federation;
  MemberId self{};
};

/// What to do when the file is by another coordinator than the pinned one, or would take the pinned
/// roster back.
enum class PinChange { kRefuse, kReplace };

/// Accepts FILE as the federation of this participant: the coordinator's signature holds, the
/// roster has not expired, this identity is in it under its own name and keys. Pins the
/// coordinator's keys, the roster, the endpoint and the own id in FOLDER/pinned.json, beside a copy
/// of the file. A newer roster of the pinned coordinator needs no PinChange.
Membership join(const std::filesystem::path& folder, const std::filesystem::path& file,
                std::uint64_t now_unix_s, PinChange change);

/// What a person compares with the operator over another channel: fingerprints, who is in.
std::string describe(const Membership& membership);

/// What join accepted, checked again: signature, pin, expiry, own keys.
Membership load_membership(const std::filesystem::path& folder, const config::Identity& identity,
                           std::uint64_t now_unix_s);

}  // namespace sotto::participant
