// Members of a SECAGG1 round as tests of the coordinator see them: straight-line code from the
// specification that checks nothing and can be told to say anything. Written apart from
// secagg::Client, so that the two check each other.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "common/crypto/secure_random.h"
#include "common/crypto/shamir.h"
#include "common/encoding/quantizer.h"
#include "common/model/update.h"
#include "common/privacy/mechanisms/clip.h"
#include "common/secagg/shared/masking.h"
#include "common/secagg/shared/transcript.h"
#include "common/wire/codec.h"

namespace sotto::testing {

struct ScriptedMember {
  MemberId id{};
  crypto::SigningKey signing;
  crypto::AgreementKey enc;
  crypto::Secret32 b;
  crypto::Secret32 r;
  std::vector<crypto::Secret32> b_shares;  // by holder's cohort index
  std::vector<crypto::Secret32> r_shares;
  wire::Advertise m1;
};

class ScriptedMembers {
 public:
  ScriptedMembers(std::uint32_t n, std::uint32_t C, std::uint64_t values = 20)
      : coordinator(crypto::SigningKey::generate(random)) {
    encoding.metrics = {"correct"};
    std::vector<crypto::SigningKey> keys;
    for (std::uint32_t i = 0; i < n; ++i) {
      keys.push_back(crypto::SigningKey::generate(random));
      roster.push_back({MemberId{10 + 3 * i}, keys.back().verify_key()});
    }
    const auto thresholds = secagg::complete_graph_thresholds(n, C).value();
    header.round = RoundNumber::of(1, 0);
    header.cohort_hash = cohort().hash();
    header.n = n;
    header.C = C;
    header.k = n - 1;
    header.t = thresholds.t;
    header.Q = thresholds.Q;
    header.s_min = thresholds.s_min;
    header.witnesses = thresholds.witnesses;
    header.model_hash.fill(7);
    header.lanes = encoding::lane_specs(encoding, values, n);
    h = secagg::header_hash(header);
    for (std::uint32_t i = 0; i < n; ++i)
      members.push_back(make_member(i, std::move(keys[i])));
  }

  [[nodiscard]] secagg::Cohort cohort() const { return secagg::Cohort(roster); }

  [[nodiscard]] std::uint32_t n() const { return header.n; }

  [[nodiscard]] wire::Bitmap bits(const secagg::IndexSet& set) const {
    return wire::to_bitmap(n(), set);
  }

  [[nodiscard]] secagg::IndexSet all() const {
    secagg::IndexSet set;
    for (std::uint32_t i = 0; i < n(); ++i)
      set.push_back(i);
    return set;
  }

  [[nodiscard]] Bytes32 d_u2(const secagg::IndexSet& u2) const {
    return secagg::digest_u2(h, bits(u2));
  }

  [[nodiscard]] Bytes32 d_s(const secagg::IndexSet& u2, const secagg::IndexSet& s) const {
    return secagg::digest_s(h, d_u2(u2), bits(s));
  }

  [[nodiscard]] wire::Shares shares(std::uint32_t i, const secagg::IndexSet& u1,
                                    const secagg::IndexSet& with_key = {}) const {
    const ScriptedMember& m = members[i];
    wire::Shares m3{.id = m.id, .entries = {}};
    for (std::uint32_t j : u1) {
      wire::ShareEntry entry;
      entry.to = roster[j].id;
      if (secagg::contains(with_key, j)) entry.escrow.emplace();
      if (j != i) entry.ciphertext.fill(0x5a);  // the coordinator cannot open it anyway
      entry.cb = secagg::commit_share(wire::ShareKind::kSelfMask, h, m.id, entry.to,
                                      m.b_shares[j].expose());
      entry.cr = secagg::commit_share(wire::ShareKind::kMaskKey, h, m.id, entry.to,
                                      m.r_shares[j].expose());
      secagg::sign_share_entry(m.signing, h, m.id, entry);
      m3.entries.push_back(entry);
    }
    return m3;
  }

  [[nodiscard]] wire::ShareCheck check(std::uint32_t i, const secagg::IndexSet& v,
                                       const secagg::IndexSet& bad = {},
                                       const secagg::IndexSet& other_keys = {}) const {
    wire::ShareCheck m4a{.id = members[i].id,
                         .d_v = secagg::digest_v(h, bits(v)),
                         .bad_dealers = bits(bad),
                         .other_keys = bits(other_keys),
                         .signature = {}};
    secagg::sign_share_check(members[i].signing, h, m4a);
    return m4a;
  }

  /// What dealer i opens to those who complain in `m4b`; sign again after changing it.
  [[nodiscard]] wire::Opening opening(std::uint32_t i, const wire::Complaints& m4b) const {
    wire::Opening m4c{.id = members[i].id, .d_v = {}, .shares = {}, .signature = {}};
    for (const wire::ShareCheck& check : m4b.checks) {
      const std::uint32_t holder = *cohort().index_of(check.id);
      wire::OpenedShare opened{.member = check.id, .b = {}, .r = {}};
      std::ranges::copy(members[i].b_shares[holder].expose(), opened.b.begin());
      std::ranges::copy(members[i].r_shares[holder].expose(), opened.r.begin());
      m4c.shares.push_back(opened);
      m4c.d_v = check.d_v;
    }
    secagg::sign_opening(members[i].signing, h, m4c);
    return m4c;
  }

  /// Member i's plain input: every value is 0.01 (i + 1), weight 1, metric i.
  [[nodiscard]] encoding::RingUpdate input(std::uint32_t i) const {
    crypto::StreamRandom rounding(1000 + i);
    std::optional<ClippedUpdate> update;
    if (header.lanes.size() > 1)
      update = clip(FlatUpdate(std::vector<float>(header.lanes[0].length,
                                                  0.01F * static_cast<float>(i + 1))),
                    100.0)
                   .value();
    return encoding::encode(encoding, header.lanes, h, std::move(update),
                            {.weight = 1, .metrics = {i}}, rounding)
        .value();
  }

  /// Packed y of member i: the specification's formula, word for word.
  [[nodiscard]] Bytes masked_input(std::uint32_t i, const secagg::IndexSet& u2) const {
    std::vector<secagg::MaskSeed> seeds;
    seeds.push_back({secagg::MaskSeed::Kind::kSelf, members[i].b.clone(), members[i].id,
                     crypto::MaskSign::kAdd});
    const auto own = secagg::mask_agreement_key(members[i].r, h, members[i].id);
    for (std::uint32_t j : u2) {
      if (j == i) continue;
      const Bytes context =
          secagg::pair_context(h, members[std::min(i, j)].m1, members[std::max(i, j)].m1);
      seeds.push_back({secagg::MaskSeed::Kind::kPair,
                       secagg::pair_secret(own, members[j].m1.pk_mask, {}, context).value(),
                       {},
                       i < j ? crypto::MaskSign::kAdd : crypto::MaskSign::kSubtract});
    }
    encoding::RingUpdate y = input(i);
    secagg::apply_masks(y.lanes, h, seeds, 1);
    return y.pack();
  }

  [[nodiscard]] wire::UploadHeader upload_header(std::uint32_t i, const secagg::IndexSet& u2,
                                                 BytesView packed) const {
    wire::UploadHeader m5{.id = members[i].id,
                          .d_u2 = d_u2(u2),
                          .hash_y = secagg::hash_of_upload(h, members[i].id, header.lanes, packed),
                          .signature = {}};
    secagg::sign_upload(members[i].signing, h, m5);
    return m5;
  }

  [[nodiscard]] wire::Endorse endorse(std::uint32_t i, const secagg::IndexSet& u2,
                                      const secagg::IndexSet& s) const {
    wire::Endorse m7{.id = members[i].id, .signature = {}};
    secagg::sign_endorse(members[i].signing, h, d_u2(u2), d_s(u2, s), m7);
    return m7;
  }

  [[nodiscard]] wire::AbortVote abort_vote(std::uint32_t i) const {
    wire::AbortVote vote{.id = members[i].id, .signature = {}};
    secagg::sign_abort_vote(members[i].signing, h, vote);
    return vote;
  }

  /// Member i's answer to the certificate; sign again after changing it.
  [[nodiscard]] wire::UnmaskResponse unmask(std::uint32_t i, const secagg::IndexSet& u2,
                                            const secagg::IndexSet& s) const {
    wire::UnmaskResponse m9{
        .id = members[i].id, .d_u2 = d_u2(u2), .d_s = d_s(u2, s), .shares = {}, .signature = {}};
    for (std::uint32_t dealer : u2) {
      const bool alive = secagg::contains(s, dealer);
      const auto& share = alive ? members[dealer].b_shares[i] : members[dealer].r_shares[i];
      wire::RevealedShare revealed{
          .dealer = members[dealer].id,
          .kind = alive ? wire::ShareKind::kSelfMask : wire::ShareKind::kMaskKey,
          .share = {}};
      std::ranges::copy(share.expose(), revealed.share.begin());
      m9.shares.push_back(revealed);
    }
    secagg::sign_unmask_response(members[i].signing, h, m9);
    return m9;
  }

  /// The sum over `s` of the plain inputs, reduced.
  [[nodiscard]] encoding::RingUpdate plain_sum(const secagg::IndexSet& s) const {
    encoding::RingUpdate sum;
    for (const auto& lane : header.lanes)
      sum.lanes.emplace_back(lane);
    for (std::uint32_t i : s) {
      const encoding::RingUpdate one = input(i);
      for (std::size_t lane = 0; lane < sum.lanes.size(); ++lane)
        sum.lanes[lane].add(one.lanes[lane]);
    }
    for (auto& lane : sum.lanes)
      lane.reduce();
    return sum;
  }

  crypto::StreamRandom random{42};
  crypto::SigningKey coordinator;
  encoding::EncodingSpec encoding;
  std::vector<secagg::CohortMember> roster;
  wire::RoundHeader header;
  Bytes32 h{};
  std::vector<ScriptedMember> members;

 private:
  ScriptedMember make_member(std::uint32_t i, crypto::SigningKey signing) {
    ScriptedMember m{.id = roster[i].id,
                     .signing = std::move(signing),
                     .enc = crypto::AgreementKey(crypto::Secret32::random(random)),
                     .b = crypto::random_scalar(random),
                     .r = crypto::random_scalar(random),
                     .b_shares = {},
                     .r_shares = {},
                     .m1 = {}};
    m.b_shares = crypto::share_secret(m.b, header.t, header.n, random);
    m.r_shares = crypto::share_secret(m.r, header.t, header.n, random);
    m.m1.id = m.id;
    m.m1.pk_enc = m.enc.public_key();
    m.m1.pk_mask = secagg::mask_agreement_key(m.r, h, m.id).public_key();
    m.m1.cm_b = secagg::commit_self_seed(h, m.id, m.b);
    secagg::sign_advertise(m.signing, h, m.m1);
    return m;
  }
};

inline bool same_words(const encoding::RingUpdate& a, const encoding::RingUpdate& b) {
  if (a.lanes.size() != b.lanes.size()) return false;
  for (std::size_t i = 0; i < a.lanes.size(); ++i)
    if (a.lanes[i].words() != b.lanes[i].words()) return false;
  return true;
}

}  // namespace sotto::testing
