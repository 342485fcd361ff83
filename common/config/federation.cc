#include "common/config/federation.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/crypto/hash.h"

namespace sotto::config {

namespace {

/// Writes a text after its length, so that two different pairs of texts never give the same bytes.
void put_text(ByteWriter& out, std::string_view text) {
  out.u32(static_cast<std::uint32_t>(text.size()));
  out.bytes(view_of(text));
}

/// Writes the 16 bytes at the start of everything that is signed.
void put_label(ByteWriter& out, std::string_view label) {
  constexpr std::size_t kLabelBytes = 16;
  SOTTO_CHECK(label.size() <= kLabelBytes, "a label has at most 16 bytes");
  out.bytes(view_of(label));
  for (std::size_t i = label.size(); i < kLabelBytes; ++i)
    out.u8(0);
}

}  // namespace

const RosterMember* Roster::find(MemberId id) const {
  const auto at = std::find_if(members.begin(), members.end(),
                               [&](const RosterMember& member) { return member.id == id; });
  return at == members.end() ? nullptr : &*at;
}

Bytes Roster::canonical() const {
  ByteWriter out;
  out.u32(version);
  out.u64(expiry_unix_s);
  out.bytes(coordinator_signing_key);
  out.bytes(coordinator_transport_key);
  out.u32(static_cast<std::uint32_t>(members.size()));
  for (const RosterMember& member : members) {
    out.u32(raw(member.id));
    out.u8(member.role);
    out.bytes(member.signing_key);
    out.bytes(member.transport_key);
    out.bytes(crypto::hash("SA1 name", {view_of(member.name)}));
  }
  return out.take();
}

Bytes32 Roster::hash() const {
  return crypto::hash("SA1 roster", {canonical()});
}

Bytes FederationConfig::signed_bytes() const {
  ByteWriter out;
  put_label(out, "SOTTO federation");
  put_text(out, name);
  put_text(out, endpoint);
  out.bytes(roster.hash());
  return out.take();
}

Bytes Card::signed_bytes() const {
  ByteWriter out;
  put_label(out, "SOTTO card");
  put_text(out, name);
  out.bytes(signing_key);
  out.bytes(transport_key);
  return out.take();
}

Bytes Card::succession_bytes() const {
  ByteWriter out;
  put_label(out, "SOTTO successor");
  out.bytes(replaces.signing_key);
  out.bytes(replaces.transport_key);
  out.bytes(signed_bytes());
  return out.take();
}

Bytes Revocation::signed_bytes() const {
  ByteWriter out;
  put_label(out, "SOTTO revocation");
  put_text(out, name);
  out.bytes(signing_key);
  out.bytes(transport_key);
  return out.take();
}

std::string fingerprint(const Bytes32& key) {
  const std::string hex = to_hex(key);
  std::string out;
  for (std::size_t i = 0; i < hex.size(); i += 8)
    out += (i == 0 ? "" : " ") + hex.substr(i, 8);
  return out;
}

}  // namespace sotto::config
