#include "coordinator/members/enrolment.h"

#include <algorithm>
#include <variant>

#include "common/base/check.h"
#include "common/base/result.h"
#include "common/config/fields.h"
#include "common/config/parse.h"
#include "common/storage/atomic_file.h"

namespace sotto::coordinator {

namespace {

namespace fs = std::filesystem;
using config::Card;
using config::FederationConfig;
using config::Roster;
using config::RosterMember;

fs::path file_in(const fs::path& folder) {
  return folder / "federation.json";
}

void sign_and_write(const fs::path& folder, FederationConfig& federation,
                    const config::Identity& identity) {
  federation.signature = identity.signing.sign(federation.signed_bytes());
  const std::string text = config::to_json(federation);
  SOTTO_CHECK(std::holds_alternative<FederationConfig>(config::parse_federation(text, "own")),
              "what is written can be read");
  storage::write_text(file_in(folder), text).or_stop();
}

bool is_revoked(const FederationConfig& federation, const Bytes32& key) {
  return std::ranges::find(federation.revoked_keys, to_hex(key)) != federation.revoked_keys.end();
}

void revoke_key(FederationConfig& federation, const Bytes32& key) {
  if (!is_revoked(federation, key)) federation.revoked_keys.push_back(to_hex(key));
}

/// Returns the member that the card replaces; null for a new member.
RosterMember* replaced_by(Roster& roster, const Card& card) {
  const auto at = std::ranges::find(roster.members, card.name, &RosterMember::name);
  const bool fits = at != roster.members.end() && card.is_successor() &&
                    at->signing_key == card.replaces.signing_key &&
                    at->transport_key == card.replaces.transport_key;
  return fits ? &*at : nullptr;
}

/// Returns why the card cannot be enrolled, empty when it can. `old` is the member that it
/// replaces, or null.
std::string reason_to_refuse(const FederationConfig& federation, const Card& card,
                             const RosterMember* old) {
  const Roster& roster = federation.roster;
  const auto taken = [&](const Bytes32& key) {
    return key == roster.coordinator_signing_key || key == roster.coordinator_transport_key ||
           std::any_of(roster.members.begin(), roster.members.end(), [&](const RosterMember& m) {
             return &m != old && (key == m.signing_key || key == m.transport_key);
           });
  };
  const bool known = std::ranges::any_of(
      roster.members, [&](const RosterMember& m) { return m.name == card.name; });
  if (old == nullptr && card.is_successor())
    return known ? "it replaces other keys than those that are enrolled under this name"
                 : "it replaces a card that is not enrolled";
  if (old == nullptr && known)
    return "a member of this name is already enrolled; a card that replaces its card comes from "
           "`sotto-participant keys rotate`, or revoke the member first";
  if (taken(card.signing_key)) return "its signing key is already enrolled";
  if (taken(card.transport_key)) return "its transport key is already enrolled";
  for (const Bytes32& key : {card.signing_key, card.transport_key})
    if (is_revoked(federation, key))
      return "its key " + config::fingerprint(key) +
             " was revoked or replaced and cannot be enrolled again";
  return {};
}

void take_place(FederationConfig& federation, RosterMember& member, const Card& card) {
  if (member.signing_key != card.signing_key) revoke_key(federation, member.signing_key);
  if (member.transport_key != card.transport_key) revoke_key(federation, member.transport_key);
  member.signing_key = card.signing_key;
  member.transport_key = card.transport_key;
  // Every site needs the signature by the older key, also a site that joins after several
  // rotations.
  std::vector<Card>& known = federation.successions;
  if (known.size() == config::kMaxSuccessions) known.erase(known.begin());
  known.push_back(card);
}

/// Records the last id, so that the id of a removed member is not given to another one.
void remember_last_id(FederationConfig& federation) {
  const std::vector<RosterMember>& members = federation.roster.members;
  if (!members.empty())
    federation.last_member_id = std::max(federation.last_member_id, raw(members.back().id));
}

void add_members(FederationConfig& federation, std::span<const Card> cards) {
  Roster& roster = federation.roster;
  std::string reasons;
  remember_last_id(federation);
  for (const Card& card : cards) {
    RosterMember* const old = replaced_by(roster, card);
    if (const std::string why = reason_to_refuse(federation, card, old); !why.empty()) {
      reasons += (reasons.empty() ? "" : "\n") + std::string("card of ") + card.name + ": " + why;
      continue;
    }
    if (old != nullptr) {
      take_place(federation, *old, card);
      continue;
    }
    roster.members.push_back({.id = MemberId{++federation.last_member_id},
                              .role = 0,
                              .signing_key = card.signing_key,
                              .transport_key = card.transport_key,
                              .name = card.name});
  }
  if (!reasons.empty()) throw StartupError(reasons);
}

/// Applies `change` to the roster in `folder`, signs and writes the result under the next version,
/// and returns it.
template <class Change>
FederationConfig next_version(const fs::path& folder, const config::Identity& identity,
                              const Validity& validity, const Change& change) {
  FederationConfig federation = config::load_federation(file_in(folder));
  if (federation.roster.coordinator_signing_key != identity.signing.verify_key() ||
      federation.roster.coordinator_transport_key != identity.transport_public)
    throw StartupError(file_in(folder).string() + " was not created with the keys in this folder");
  change(federation);
  ++federation.roster.version;
  federation.roster.expiry_unix_s = validity.now_unix_s + validity.for_s;
  sign_and_write(folder, federation, identity);
  return federation;
}

}  // namespace

void check_address(const FederationAddress& address) {
  for (const std::string& endpoint : {address.endpoint, address.listen})
    if (!endpoint.empty() && !config::is_endpoint(endpoint))
      throw StartupError("\"" + endpoint + "\" is not an endpoint; allowed: tcp://HOST:PORT");
  if (address.endpoint.empty())
    throw StartupError("\"\" is not an endpoint; allowed: tcp://HOST:PORT");
}

FederationConfig init(const fs::path& folder, const config::Identity& identity,
                      const FederationAddress& address) {
  check_address(address);
  FederationConfig federation;
  federation.name = address.name;
  federation.endpoint = address.endpoint;
  federation.listen = address.listen.empty() ? address.endpoint : address.listen;
  federation.roster.version = 0;
  federation.roster.coordinator_signing_key = identity.signing.verify_key();
  federation.roster.coordinator_transport_key = identity.transport_public;
  sign_and_write(folder, federation, identity);
  return federation;
}

FederationConfig enroll(const fs::path& folder, const config::Identity& identity,
                        std::span<const Card> cards, const Validity& validity) {
  return next_version(folder, identity, validity,
                      [&](FederationConfig& federation) { add_members(federation, cards); });
}

FederationConfig renew(const fs::path& folder, const config::Identity& identity,
                       const Validity& validity) {
  return next_version(folder, identity, validity, [](FederationConfig&) {});
}

FederationConfig remove(const fs::path& folder, const config::Identity& identity,
                        std::span<const std::string> names, Removal removal,
                        const Validity& validity) {
  return next_version(folder, identity, validity, [&](FederationConfig& federation) {
    std::vector<RosterMember>& members = federation.roster.members;
    remember_last_id(federation);
    std::string reasons;
    for (const std::string& name : names) {
      const auto at = std::ranges::find(members, name, &RosterMember::name);
      if (at == members.end()) {
        reasons += (reasons.empty() ? "" : "\n") + name + ": no member of this name is enrolled";
        continue;
      }
      if (removal == Removal::kRevoke)
        for (const Bytes32& key : {at->signing_key, at->transport_key})
          revoke_key(federation, key);
      members.erase(at);
    }
    if (!reasons.empty()) throw StartupError(reasons);
  });
}

FederationConfig revoke(const fs::path& folder, const config::Identity& identity,
                        std::span<const config::Revocation> statements, const Validity& validity) {
  return next_version(folder, identity, validity, [&](FederationConfig& federation) {
    remember_last_id(federation);
    for (const config::Revocation& statement : statements) {
      const auto others = [&](const RosterMember& m) {
        return m.transport_key == statement.transport_key && m.signing_key != statement.signing_key;
      };
      if (std::ranges::any_of(federation.roster.members, others))
        throw StartupError("revocation of " + statement.name +
                           ": its transport key belongs to another member");
      for (const Bytes32& key : {statement.signing_key, statement.transport_key})
        revoke_key(federation, key);
      std::erase_if(federation.roster.members,
                    [&](const RosterMember& m) { return m.signing_key == statement.signing_key; });
    }
  });
}

}  // namespace sotto::coordinator
