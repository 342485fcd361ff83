#include "coordinator/enrolment.h"

#include <algorithm>
#include <variant>

#include "common/base/check.h"
#include "common/base/result.h"
#include "common/config/fields.h"
#include "common/config/identity.h"
#include "common/config/parse.h"
#include "common/journal/atomic_file.h"

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
  const Status written = journal::write_file_atomically(file_in(folder), {view_of(text)},
                                                        journal::FileAccess::kEveryoneReads);
  if (!written.ok()) throw StartupError(written.error().message);
}

/// Why the card cannot join this roster; empty when it can.
std::string objection(const Roster& roster, const Card& card) {
  const auto taken = [&](const Bytes32& key) {
    return key == roster.coordinator_signing_key || key == roster.coordinator_transport_key ||
           std::any_of(roster.members.begin(), roster.members.end(), [&](const RosterMember& m) {
             return key == m.signing_key || key == m.transport_key;
           });
  };
  if (std::any_of(roster.members.begin(), roster.members.end(),
                  [&](const RosterMember& m) { return m.name == card.name; }))
    return "a member of this name is enrolled already";
  if (taken(card.signing_key)) return "its signing key is enrolled already";
  if (taken(card.transport_key)) return "its transport key is enrolled already";
  return {};
}

void add_members(FederationConfig& federation, std::span<const Card> cards) {
  Roster& roster = federation.roster;
  std::string reasons;
  std::uint32_t& last_id = federation.last_member_id;
  if (!roster.members.empty()) last_id = std::max(last_id, raw(roster.members.back().id));
  for (const Card& card : cards) {
    if (const std::string why = objection(roster, card); !why.empty()) {
      reasons += (reasons.empty() ? "" : "\n") + std::string("card of ") + card.name + ": " + why;
      continue;
    }
    roster.members.push_back({.id = MemberId{++last_id},
                              .role = 0,
                              .signing_key = card.signing_key,
                              .transport_key = card.transport_key,
                              .name = card.name});
  }
  if (!reasons.empty()) throw StartupError(reasons);
}

}  // namespace

FederationConfig init(const fs::path& folder, const FederationAddress& address,
                      crypto::SecureRandom& random) {
  const std::string& listen = address.listen.empty() ? address.endpoint : address.listen;
  for (const std::string& endpoint : {address.endpoint, listen})
    if (!config::is_endpoint(endpoint))
      throw StartupError("\"" + endpoint + "\" is no endpoint; allowed: tcp://HOST:PORT");
  const config::Identity identity = config::make_identity(address.name, random);
  config::save_identity(folder, identity);
  FederationConfig federation;
  federation.name = address.name;
  federation.endpoint = address.endpoint;
  federation.listen = listen;
  federation.roster.version = 0;
  federation.roster.coordinator_signing_key = identity.signing.verify_key();
  federation.roster.coordinator_transport_key = identity.transport_public;
  sign_and_write(folder, federation, identity);
  return federation;
}

namespace {

/// The next version of the roster in `folder`, changed by `change`, signed and written.
template <class Change>
FederationConfig next_version(const fs::path& folder, std::uint64_t expiry_unix_s,
                              const Change& change) {
  const config::Identity identity = config::load_identity(folder);
  FederationConfig federation = config::load_federation(file_in(folder));
  if (federation.roster.coordinator_signing_key != identity.signing.verify_key() ||
      federation.roster.coordinator_transport_key != identity.transport_public)
    throw StartupError(file_in(folder).string() + " was not made by the identity in this folder");
  change(federation);
  ++federation.roster.version;
  federation.roster.expiry_unix_s = expiry_unix_s;
  sign_and_write(folder, federation, identity);
  return federation;
}

}  // namespace

FederationConfig enroll(const fs::path& folder, std::span<const Card> cards,
                        std::uint64_t now_unix_s, std::uint64_t validity_s) {
  return next_version(folder, now_unix_s + validity_s,
                      [&](FederationConfig& federation) { add_members(federation, cards); });
}

FederationConfig remove(const fs::path& folder, std::span<const std::string> names,
                        std::uint64_t now_unix_s, std::uint64_t validity_s) {
  return next_version(folder, now_unix_s + validity_s, [&](FederationConfig& federation) {
    std::vector<RosterMember>& members = federation.roster.members;
    if (!members.empty())
      federation.last_member_id = std::max(federation.last_member_id, raw(members.back().id));
    std::string reasons;
    for (const std::string& name : names)
      if (std::erase_if(members, [&](const RosterMember& m) { return m.name == name; }) == 0)
        reasons += (reasons.empty() ? "" : "\n") + name + ": no member of this name is enrolled";
    if (!reasons.empty()) throw StartupError(reasons);
  });
}

}  // namespace sotto::coordinator
