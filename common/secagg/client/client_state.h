// The state of secagg::Client. It is private to client.cc (up to the upload), client_settle.cc
// (complaints) and client_certificate.cc (from the survivors on).
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "common/crypto/shamir.h"
#include "common/secagg/client/client.h"
#include "common/secagg/evidence/conflicts.h"
#include "common/secagg/shared/transcript.h"
#include "common/wire/codec.h"

namespace sotto::secagg {

/// The two shares that one dealer gave this member, as in the plaintext of a share entry: share_b
/// || share_r.
using SharePair = crypto::Secret64;
inline constexpr std::size_t kShareBytes = 32;

inline std::span<const std::uint8_t, 32> share_of(const SharePair& pair, wire::ShareKind kind) {
  return kind == wire::ShareKind::kSelfMask ? pair.expose().first<32>() : pair.expose().last<32>();
}

inline crypto::AgreementKey fresh_agreement_key(crypto::SecureRandom& random) {
  return crypto::AgreementKey(crypto::Secret32::random(random));
}

/// The commitments in a dealer's entry for this member.
struct Commitments {
  Bytes32 b{}, r{};

  [[nodiscard]] const Bytes32& of(wire::ShareKind kind) const {
    return kind == wire::ShareKind::kSelfMask ? b : r;
  }
};

inline Error refused(const char* message, const std::string& why) {
  return Error{std::string(message) + " refused: " + why};
}

inline std::string name_of(MemberId id) {
  return "member " + std::to_string(raw(id));
}

struct Client::State {
  State(const wire::RoundHeader& round_header, Cohort round_cohort, MemberId self_id,
        const crypto::SigningKey& signing_key, const PresharedKeys& keys,
        const crypto::VerifyKey& coordinator_key, crypto::SecureRandom& random)
      : header(round_header),
        cohort(std::move(round_cohort)),
        self(self_id),
        me(cohort.index_of(self_id).value()),
        graph(round_header),
        neighbours(graph.neighbours(me)),
        holders(graph.holders(me)),
        signing(&signing_key),
        coordinator(coordinator_key),
        h(header_hash(round_header)),
        b(crypto::random_scalar(random)),
        r(crypto::random_scalar(random)),
        enc_key(fresh_agreement_key(random)),
        mask_key(mask_agreement_key(r, h, self_id)) {
    SOTTO_CHECK(cohort.size() == header.n, "the header's n is the size of the cohort");
    wire::Advertise m1{.id = self,
                       .pk_enc = enc_key.public_key(),
                       .pk_mask = mask_key.public_key(),
                       .cm_b = commit_self_seed(h, self, b)};
    sign_advertise(*signing, h, m1);
    m1s[me] = m1;
    for (const auto& [other, key] : keys)
      if (const auto index = cohort.index_of(other); index && contains(neighbours, *index))
        preshared.emplace(*index, preshared_of_round(key, h, self, other));
  }

  wire::RoundHeader header;
  Cohort cohort;
  MemberId self;
  std::uint32_t me;  // cohort index
  MaskGraph graph;
  IndexSet neighbours;  // members that exchange keys and masks with this one
  IndexSet holders;     // members with a share of this one's secrets, and it of theirs
  const crypto::SigningKey* signing;
  crypto::VerifyKey coordinator;
  Bytes32 h;
  unsigned threads = 1;

  crypto::Secret32 b, r;
  crypto::AgreementKey enc_key, mask_key;
  // The maps by cohort index have entries only for members that exchange messages with this one,
  // because a simulation holds thousands of clients.
  std::map<std::uint32_t, wire::Advertise> m1s;  // this member's; after M2 those of neighbours
  std::map<std::uint32_t, crypto::Secret32> ze;  // of neighbours, M2 to M4: seal shares both ways
  std::map<std::uint32_t, SharePair> held;       // by dealer: good shares after M4, its own from M2
  std::map<std::uint32_t, SharePair> dealt;      // by holder: shares it may have to open, M2 to M4U
  std::map<std::uint32_t, RoundPreshared> preshared;  // with neighbours that share a key
  /// The dealers whose share was bad, with the commitments of each.
  std::map<std::uint32_t, Commitments> complaints;
  IndexSet other_keys;  // dealers whose pre-shared key differs
  std::optional<IndexSet> u1, v, u2, s;
  Bytes32 d_v{}, d_u2{}, d_s{};
  bool upload_signed = false;
  std::optional<wire::UnmaskResponse> response;

  [[nodiscard]] std::uint32_t bound() const { return std::max(header.Q, header.s_min); }

  [[nodiscard]] MemberId id_of(std::uint32_t index) const { return cohort.at(index).id; }

  [[nodiscard]] const crypto::VerifyKey& key_of(std::uint32_t index) const {
    return cohort.at(index).verify_key;
  }

  [[nodiscard]] Result<IndexSet> read_set(const char* message, const wire::Bitmap& bitmap,
                                          const IndexSet* outer) const;
  [[nodiscard]] Status check_advertisements(const wire::KeyList& m2, const IndexSet& members) const;
  [[nodiscard]] Bytes context_with(std::uint32_t other) const;
  [[nodiscard]] crypto::Secret32 share_key(std::uint32_t from, std::uint32_t to) const;
  [[nodiscard]] Bytes share_ad(MemberId from, const wire::ShareEntry& entry) const;
  [[nodiscard]] bool escrow_fits(std::uint32_t from, const wire::ShareEntry& entry) const;
  [[nodiscard]] wire::ShareEntry seal_entry(std::uint32_t to, const SharePair& shares,
                                            crypto::SecureRandom& random) const;
  [[nodiscard]] std::optional<SharePair> open_entry(std::uint32_t from,
                                                    const wire::ShareEntry& entry) const;
  /// Returns whether both shares of a pair are what the dealer committed to.
  [[nodiscard]] bool fits(std::uint32_t dealer, const SharePair& pair,
                          const Commitments& committed) const;
  [[nodiscard]] Status check_complaints(const wire::Complaints& m4b) const;
  [[nodiscard]] Result<std::map<std::uint32_t, SharePair>> opened_to_me(const wire::Fix& m4u,
                                                                        const IndexSet& set) const;
  [[nodiscard]] Status check_certificate(const wire::UnmaskRequest& m8) const;
  [[nodiscard]] Status check_upload_headers(const wire::UnmaskRequest& m8) const;
};

}  // namespace sotto::secagg
