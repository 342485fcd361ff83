#include "participant/identity/roster_change.h"

#include <algorithm>
#include <set>

#include "common/identity/roster_expiry.h"

namespace sotto::participant {

namespace {

using config::Card;
using config::FederationConfig;
using config::fingerprint;
using config::RosterMember;

bool have_same_keys(const RosterMember& a, const RosterMember& b) {
  return a.signing_key == b.signing_key && a.transport_key == b.transport_key;
}

bool share_a_key(const RosterMember& a, const RosterMember& b) {
  return a.signing_key == b.signing_key || a.signing_key == b.transport_key ||
         a.transport_key == b.signing_key || a.transport_key == b.transport_key;
}

std::string keys_of(const RosterMember& member) {
  return "signing key " + fingerprint(member.signing_key) + ", transport key " +
         fingerprint(member.transport_key);
}

std::string both_keys(const RosterMember& pinned, const RosterMember& fresh) {
  return "\n  pinned here: " + keys_of(pinned) + "\n  in the file: " + keys_of(fresh);
}

std::string member_number(const RosterMember& member) {
  return "member " + std::to_string(raw(member.id));
}

const RosterMember* find_name(const std::vector<RosterMember>& members, const std::string& name) {
  const auto at = std::ranges::find(members, name, &RosterMember::name);
  return at == members.end() ? nullptr : &*at;
}

bool is_in(const std::vector<std::string>& keys, const Bytes32& key) {
  return std::ranges::find(keys, to_hex(key)) != keys.end();
}

class Comparison {
 public:
  Comparison(const Pin& pinned, const FederationConfig& file, const std::string& self)
      : pinned_(pinned), file_(file), self_(self) {}

  RosterChange run() {
    compare_federation();
    for (const RosterMember& member : file_.roster.members)
      compare_member(member);
    for (const RosterMember& member : pinned_.members)
      if (find_name(file_.roster.members, member.name) == nullptr)
        line("removed: " + member.name + " (" + member_number(member) + ")");
    compare_revocations();
    if (out_.lines.empty() && out_.key_changes.empty())
      line(file_.roster.version == pinned_.roster_version
               ? "nothing has changed"
               : "nothing but the version and the expiry has changed");
    if (file_.roster.version != pinned_.roster_version)
      line("version: " + std::to_string(pinned_.roster_version) + " -> " +
           std::to_string(file_.roster.version));
    if (file_.roster.expiry_unix_s != pinned_.roster_expiry_unix_s)
      line("valid until: " + config::utc_date(pinned_.roster_expiry_unix_s) + " -> " +
           config::utc_date(file_.roster.expiry_unix_s));
    return std::move(out_);
  }

 private:
  void line(std::string text) { out_.lines.push_back(std::move(text)); }

  void changed(const std::string& what, const std::string& from, const std::string& to) {
    if (from != to) line(what + ": " + from + " -> " + to);
  }

  void compare_federation() {
    const config::Roster& roster = file_.roster;
    changed("name of the federation", pinned_.federation, file_.name);
    changed("endpoint", pinned_.endpoint, file_.endpoint);
    changed("coordinator's signing key", fingerprint(pinned_.coordinator_signing_key),
            fingerprint(roster.coordinator_signing_key));
    changed("coordinator's transport key", fingerprint(pinned_.coordinator_transport_key),
            fingerprint(roster.coordinator_transport_key));
  }

  void compare_member(const RosterMember& fresh) {
    const RosterMember* const present = find_name(pinned_.members, fresh.name);
    const RosterMember* const old = present ? present : find_name(pinned_.former, fresh.name);
    if (const RosterMember* const other = other_name_of(fresh))
      return key_change(fresh, fresh.name + " has a key that this site has pinned as a key of " +
                                   other->name + both_keys(*other, fresh));
    if (old == nullptr)
      return line("added: " + fresh.name + " (" + member_number(fresh) + ", " + keys_of(fresh) +
                  ")");
    if (!have_same_keys(*old, fresh)) compare_keys(*old, fresh);
    if (present == nullptr)
      line("enrolled again: " + fresh.name + " (" + member_number(fresh) + ")");
    else if (present->id != fresh.id)
      line(fresh.name + ": " + member_number(*present) + " -> " + member_number(fresh));
  }

  void compare_keys(const RosterMember& old, const RosterMember& fresh) {
    const std::string both = both_keys(old, fresh);
    if (fresh.name == self_)
      return line("new keys: " + fresh.name + ", which is this site, from its own keystore" + both);
    if (old_keys_sign_for(old, fresh))
      return line("new keys: " + fresh.name + ", signed by its old keys" + both);
    key_change(
        fresh,
        fresh.name +
            " has other keys than this site has pinned, and the pinned keys did not sign them" +
            both);
  }

  void key_change(const RosterMember& fresh, std::string reason) {
    out_.key_changes.push_back({.name = fresh.name, .reason = std::move(reason)});
  }

  /// Returns the member that this site knew with one of these keys under another name, or null.
  [[nodiscard]] const RosterMember* other_name_of(const RosterMember& fresh) const {
    for (const auto* known : {&pinned_.members, &pinned_.former})
      for (const RosterMember& member : *known)
        if (member.name != fresh.name && share_a_key(member, fresh)) return &member;
    return nullptr;
  }

  /// Returns whether the successions lead from the pinned keys to the new ones, over any number of
  /// rotations. Keys that were revoked before this site pinned its roster are not followed.
  [[nodiscard]] bool old_keys_sign_for(const RosterMember& old, const RosterMember& fresh) const {
    if (is_in(pinned_.revoked_keys, old.signing_key) ||
        is_in(pinned_.revoked_keys, old.transport_key))
      return false;
    RosterMember at = old;
    for (const Card& card : file_.successions) {  // oldest first
      if (card.name != at.name || card.replaces.signing_key != at.signing_key ||
          card.replaces.transport_key != at.transport_key)
        continue;
      at.signing_key = card.signing_key;
      at.transport_key = card.transport_key;
      if (have_same_keys(at, fresh)) return true;
    }
    return false;
  }

  void compare_revocations() {
    const std::set<std::string> in_file(file_.revoked_keys.begin(), file_.revoked_keys.end());
    std::size_t kept = 0;
    for (const std::string& key : pinned_.revoked_keys) {
      if (in_file.contains(key))
        ++kept;
      else
        out_.faults.push_back("it lacks the key " + key +
                              ", which this site has pinned as revoked or replaced");
    }
    if (in_file.size() > kept)
      line("revoked or replaced keys: " + std::to_string(in_file.size() - kept) +
           " more than before");
  }

  const Pin& pinned_;
  const FederationConfig& file_;
  const std::string& self_;
  RosterChange out_;
};

}  // namespace

RosterChange compare(const Pin& pinned, const FederationConfig& file, const std::string& self) {
  return Comparison(pinned, file, self).run();
}

}  // namespace sotto::participant
