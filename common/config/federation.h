// federation.json: who is in. Written and signed by the coordinator's operator (`sotto-coordinator
// enroll`), distributed out of band, pinned by each participant when it joins.
#pragma once

#include <cstdint>
#include <optional>
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

/// docs/secure-aggregation.md, "Roster". Members ascend by id, ids from 1, all keys distinct.
struct Roster {
  std::uint32_t version = 1;  // rises with every change; 0 = nobody enrolled yet
  std::uint64_t expiry_unix_s = 0;
  Bytes32 coordinator_signing_key{};
  Bytes32 coordinator_transport_key{};
  std::vector<RosterMember> members;

  [[nodiscard]] const RosterMember* find(MemberId id) const;
  [[nodiscard]] const RosterMember* find_transport_key(const Bytes32& key) const;
  /// version || expiry || coordinator keys || count || members, as the specification fixes them.
  [[nodiscard]] Bytes canonical() const;
  /// H("SA1 roster", canonical bytes): what a participant pins.
  [[nodiscard]] Bytes32 hash() const;
};

/// The keys that a card takes the place of, and their word for it.
struct Predecessor {
  Bytes32 signing_key{};
  Bytes32 transport_key{};
  Bytes64 signature{};  // by signing_key, over Card::succession_bytes()

  bool operator==(const Predecessor&) const = default;
};

/// A participant's public card, self-signed; the operator enrols cards.
struct Card {
  std::string name;
  Bytes32 signing_key{};
  Bytes32 transport_key{};
  Bytes64 signature{};
  Predecessor replaces{};  // all zero unless this is a successor

  [[nodiscard]] bool is_successor() const { return replaces != Predecessor{}; }

  /// "SOTTO card", padded with zeros to 16 || name behind its u32 length || both keys.
  [[nodiscard]] Bytes signed_bytes() const;
  /// "SOTTO successor" and a zero || both replaced keys || signed_bytes().
  [[nodiscard]] Bytes succession_bytes() const;
};

struct FederationConfig {
  std::string name;
  std::string endpoint;              // tcp://host:port that participants connect to
  std::string listen;                // what the coordinator binds; defaults to the endpoint
  std::uint32_t last_member_id = 0;  // ever given out: the id of a removed member stays its own
  std::vector<std::string>
      revoked_keys;  // revoked or replaced, in hexadecimal: never enrolled again
  /// Cards of members that took the place of their own older cards, oldest first: each site checks
  /// by the older key's signature that a member's new keys are the member's.
  std::vector<Card> successions;
  Roster roster;
  Bytes64 signature{};  // coordinator's, over signed_bytes()

  /// "SOTTO federation" || name || endpoint || roster hash; texts behind their u32 length.
  /// Outside it are `listen` and `last_member_id`, which are the coordinator's own matter,
  /// `successions`, which are signed themselves, and `revoked_keys`, of which a site that has
  /// pinned one accepts no file without it.
  [[nodiscard]] Bytes signed_bytes() const;
};

/// A participant's statement, signed by the key itself, that its keys are not to be believed any
/// more. Whoever holds the key can make it, which is right: then it is not the participant's alone.
struct Revocation {
  std::string name;
  Bytes32 signing_key{};
  Bytes32 transport_key{};
  Bytes64 signature{};

  /// "SOTTO revocation" || name behind its u32 length || both keys.
  [[nodiscard]] Bytes signed_bytes() const;
};

/// 32 bytes as eight groups of eight hexadecimal digits: what people read to each other.
std::string fingerprint(const Bytes32& key);

}  // namespace sotto::config
