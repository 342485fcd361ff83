// The contents of federation.json: the members of a federation. The coordinator's operator writes
// and signs it (`sotto-coordinator enroll`) and distributes it out of band; each participant pins
// it when it joins.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace sotto::config {

struct RosterMember {
  MemberId id{};
  std::uint8_t role = 0;    // 0 = participant
  Bytes32 signing_key{};    // Ed25519
  Bytes32 transport_key{};  // CURVE
  std::string name;         // display only, but hashed

  bool operator==(const RosterMember&) const = default;
};

/// The roster (docs/secure-aggregation.md, "Roster"). Members ascend by id, ids start at 1, and all
/// keys are distinct.
struct Roster {
  std::uint32_t version = 1;  // increases with every change; 0 = nobody enrolled yet
  std::uint64_t expiry_unix_s = 0;
  Bytes32 coordinator_signing_key{};
  Bytes32 coordinator_transport_key{};
  std::vector<RosterMember> members;

  [[nodiscard]] const RosterMember* find(MemberId id) const;
  /// Returns version || expiry || coordinator keys || count || members, as the specification
  /// defines them.
  [[nodiscard]] Bytes canonical() const;
  /// Returns H("SA1 roster", canonical bytes), which a participant pins.
  [[nodiscard]] Bytes32 hash() const;
};

/// The keys that a card replaces, and their signature of the replacement.
struct Predecessor {
  Bytes32 signing_key{};
  Bytes32 transport_key{};
  Bytes64 signature{};  // by signing_key, over Card::succession_bytes()

  bool operator==(const Predecessor&) const = default;
};

/// The self-signed card with a participant's public keys. The operator enrols cards.
struct Card {
  std::string name;
  Bytes32 signing_key{};
  Bytes32 transport_key{};
  Bytes64 signature{};
  Predecessor replaces{};  // all zero unless this is a successor

  [[nodiscard]] bool is_successor() const { return replaces != Predecessor{}; }

  /// Returns "SOTTO card", padded with zeros to 16 || u32 length of the name || name || both keys.
  [[nodiscard]] Bytes signed_bytes() const;
  /// Returns "SOTTO successor" and a zero || both replaced keys || signed_bytes().
  [[nodiscard]] Bytes succession_bytes() const;
};

struct FederationConfig {
  std::string name;
  std::string endpoint;              // tcp://host:port that participants connect to
  std::string listen;                // what the coordinator binds; defaults to the endpoint
  std::uint32_t last_member_id = 0;  // the last assigned one: ids are not used again
  std::vector<std::string>
      revoked_keys;  // revoked or replaced, in hexadecimal: never enrolled again
  /// Cards of members that replaced their own older cards, oldest first. The older key's signature
  /// lets each site check that the new keys belong to the same member.
  std::vector<Card> successions;
  Roster roster;
  Bytes64 signature{};  // coordinator's, over signed_bytes()

  /// Returns "SOTTO federation" || name || endpoint || roster hash, with each text after its u32
  /// length. It does not cover `listen` and `last_member_id`, which concern the coordinator alone,
  /// `successions`, which have signatures of their own, and `revoked_keys`: a site that has pinned
  /// a revoked key accepts no file without that key.
  [[nodiscard]] Bytes signed_bytes() const;
};

/// A participant's statement, signed by the key itself, that its keys must not be trusted any more.
/// Anybody who holds the key can make it; this is intended, because a key that others hold must be
/// revoked.
struct Revocation {
  std::string name;
  Bytes32 signing_key{};
  Bytes32 transport_key{};
  Bytes64 signature{};

  /// Returns "SOTTO revocation" || u32 length of the name || name || both keys.
  [[nodiscard]] Bytes signed_bytes() const;
};

/// Returns 32 bytes as eight groups of eight hexadecimal digits, for people to compare.
std::string fingerprint(const Bytes32& key);

}  // namespace sotto::config
