#include "participant/identity/enrolment.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "common/base/result.h"
#include "common/config/parse.h"
#include "common/storage/atomic_file.h"
#include "participant/identity/pin.h"

namespace sotto::participant {

namespace {

namespace fs = std::filesystem;
using config::RosterMember;

/// Returns the generations as "generation 1 (01234567 ...)" for a person to compare.
std::string list_of(const std::vector<identity::PublicKeys>& held) {
  std::string out;
  for (const identity::PublicKeys& keys : held)
    out += (out.empty() ? "generation " : ", generation ") + std::to_string(keys.generation) +
           " (" + config::fingerprint(keys.signing_key) + ")";
  return out;
}

/// Returns why the member with this site's name is not this site.
std::string other_keys(const RosterMember& member, const identity::Description& own) {
  const std::string enrolled = " is enrolled with other keys (" +
                               config::fingerprint(member.signing_key) +
                               ") than those in this site's keystore: " + list_of(own.held);
  const bool retired = std::ranges::any_of(own.retired, [&](const identity::PublicKeys& keys) {
    return keys.signing_key == member.signing_key && keys.transport_key == member.transport_key;
  });
  if (retired)
    return enrolled +
           "; this generation was erased here after a rotation, so that this roster is an older "
           "one";
  return enrolled +
         "; send the operator the card of this folder. If the keystore was restored from a backup "
         "from before a rotation, the newer keys are lost: have the operator revoke the old card "
         "and enrol a new one";
}

/// Finds the member of the federation that one generation of these keys belongs to.
Membership membership_in(config::FederationConfig federation, const identity::Keystore& keys,
                         const fs::path& file, std::uint64_t now_unix_s) {
  if (federation.roster.expiry_unix_s <= now_unix_s)
    throw StartupError(file.string() +
                       ": the roster has expired; ask the operator for a renewed one");
  const identity::Description& own = keys.description();
  for (const RosterMember& member : federation.roster.members) {
    const auto fits = std::ranges::find_if(own.held, [&](const identity::PublicKeys& k) {
      return member.signing_key == k.signing_key && member.transport_key == k.transport_key;
    });
    if (fits != own.held.end() && member.name == own.name) {
      const MemberId id = member.id;
      return {std::move(federation), id, fits->generation};
    }
    if (fits != own.held.end())
      throw StartupError(file.string() + ": this site's keys are enrolled under the name " +
                         member.name + ", not " + own.name);
    if (member.name == own.name)
      throw StartupError(file.string() + ": " + own.name + other_keys(member, own));
  }
  throw StartupError(file.string() + ": " + own.name +
                     " is not in the roster; send the operator this site's card");
}

/// Returns why the change from the old pin to the new one needs PinChange::kReplace; empty for an
/// ordinary update.
std::string reason_to_refuse(const Pin& old, const Pin& fresh) {
  if (old.coordinator_signing_key != fresh.coordinator_signing_key)
    return "it is signed by another coordinator (" +
           config::fingerprint(fresh.coordinator_signing_key) + ") than the pinned one (" +
           config::fingerprint(old.coordinator_signing_key) + ")";
  if (fresh.roster_version < old.roster_version)
    return "its roster has version " + std::to_string(fresh.roster_version) +
           ", which is older than the pinned version " + std::to_string(old.roster_version);
  if (fresh.roster_version == old.roster_version && fresh.roster_hash != old.roster_hash)
    return "its roster differs from the pinned one under the same version " +
           std::to_string(old.roster_version) + ", so that the operator signed two rosters";
  if (fresh.member_id != old.member_id)
    return "it gives this site the member id " + std::to_string(raw(fresh.member_id)) +
           " instead of " + std::to_string(raw(old.member_id));
  return {};
}

}  // namespace

config::Card write_card(const fs::path& folder, const identity::Keystore& keys, CardKind kind) {
  const config::Identity newest = keys.identity(keys.newest().generation);
  config::Card card = config::card_of(newest);
  if (kind == CardKind::kSuccessor && load_pin(folder)) {
    // An expired roster also names the keys that the operator knows.
    constexpr std::uint64_t kAnyTime = 0;
    const fs::path file = federation_file(folder);
    const Membership now = membership_in(config::load_federation(file), keys, file, kAnyTime);
    if (now.generation != keys.newest().generation)
      card = config::successor_card(newest, keys.identity(now.generation));
  }
  storage::write_text(folder / (card.name + ".card.json"), config::to_json(card)).or_stop();
  return card;
}

void refuse_key_changes(const Membership& /*membership*/, const RosterChange& change) {
  std::string reasons, names;
  for (const KeyChange& key_change : change.key_changes) {
    reasons += key_change.reason + "\n";
    names += " --accept-changed-keys " + key_change.name;
  }
  if (!reasons.empty())
    throw StartupError("the file is rejected, and nothing was changed:\n" + reasons +
                       "Compare the fingerprints with these members directly, over a channel that "
                       "does not involve the operator. If they match, join again with" +
                       names);
}

Membership join(const fs::path& folder, const identity::Keystore& keys, const fs::path& file,
                std::uint64_t now_unix_s, PinChange change, const DecideOnChange& decide) {
  Membership membership = membership_in(config::load_federation(file), keys, file, now_unix_s);
  const std::optional<Pin> old = load_pin(folder);
  const Pin pin = pin_of(membership.federation, membership.self, old);
  if (old) {
    const RosterChange found = compare(*old, membership.federation, keys.description().name);
    std::string why = reason_to_refuse(*old, pin);
    for (const std::string& fault : found.faults)
      why += (why.empty() ? "" : "; ") + fault;
    if (change == PinChange::kRefuse && !why.empty())
      throw StartupError(
          file.string() + " is rejected: " + why +
          ". If the operator confirms the change over another channel, join again with --replace");
    decide(membership, found);
  }
  // The copy is written first. A crash in between leaves a pin that does not fit it, which
  // load_membership() reports, instead of a pin without its roster. The next join compares with the
  // pin only.
  storage::write_text(federation_file(folder), config::to_json(membership.federation)).or_stop();
  write_pin(folder, pin);
  return membership;
}

std::string describe(const Membership& membership) {
  const config::FederationConfig& federation = membership.federation;
  const config::Roster& roster = federation.roster;
  std::string out = "federation        " + federation.name + " at " + federation.endpoint +
                    "\ncoordinator key   " + config::fingerprint(roster.coordinator_signing_key) +
                    "\ntransport key     " + config::fingerprint(roster.coordinator_transport_key) +
                    "\nroster version " + std::to_string(roster.version) + "  " +
                    config::fingerprint(roster.hash()) + "\n";
  for (const RosterMember& member : roster.members)
    out += "  member " + std::to_string(raw(member.id)) + "  " +
           config::fingerprint(member.signing_key) + "  " + member.name +
           (member.id == membership.self ? " (this site)\n" : "\n");
  return out;
}

Membership load_membership(const fs::path& folder, const identity::Keystore& keys,
                           std::uint64_t now_unix_s) {
  const std::optional<Pin> pin = load_pin(folder);
  if (!pin)
    throw StartupError(folder.string() +
                       ": this site has not joined a federation; run `sotto-participant join`");
  const fs::path file = federation_file(folder);
  Membership membership = membership_in(config::load_federation(file), keys, file, now_unix_s);
  if (!is_same_federation(pin_of(membership.federation, membership.self, pin), *pin))
    throw StartupError(file.string() +
                       " is not the federation.json that this site has pinned; run join again with "
                       "the operator's file");
  return membership;
}

std::string keys_line(const identity::Keystore& keys, const Membership& membership) {
  const auto& held = keys.description().held;
  const std::string version = std::to_string(membership.federation.roster.version);
  std::string out = "keys of generation " + std::to_string(membership.generation) +
                    ", which the roster of version " + version + " names";
  if (membership.generation != keys.newest().generation)
    return out + "; generation " + std::to_string(keys.newest().generation) +
           " waits for a roster that names it";
  if (held.size() > 1)
    out += "; older generations are still held (`keys rotate --finish` erases them)";
  return out;
}

void require_all_uses(const identity::Keystore& keys, const Membership& membership) {
  const auto& held = keys.description().held;
  const auto at = std::ranges::find(held, membership.generation, &identity::PublicKeys::generation);
  if (at != held.end() && at->use == identity::KeyUse::kAll) return;
  throw StartupError(
      "these keys were restored from a backup, without the guard.log, genesis.log and "
      "ledger.sqlite of their site. With the keys alone this site could contradict what it has "
      "signed, could exist as two live copies, and lacks the record of what its data have spent. "
      "Run `sotto-participant keys rotate` and send the operator the card that it creates. Under "
      "the new roster the old copy gets no answer any more, and this copy starts");
}

void require_newest(const identity::Keystore& keys, const Membership& membership) {
  if (membership.generation == keys.newest().generation) return;
  throw StartupError(
      "the pinned roster (version " + std::to_string(membership.federation.roster.version) +
      ") names this site's keys of generation " + std::to_string(membership.generation) +
      " and not the newest, generation " + std::to_string(keys.newest().generation) +
      ", so that nothing is erased. Send the operator the card, join the roster that names it, "
      "then finish");
}

}  // namespace sotto::participant
