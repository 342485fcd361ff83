// n real clients and a coordinator written by hand for tests: it says what a test tells it to say,
// also lies, and opens sums on its own.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "common/crypto/shamir.h"
#include "common/secagg/client/client.h"
#include "common/secagg/shared/transcript.h"
#include "common/wire/codec.h"

namespace sotto::secagg {

inline IndexSet all_of(std::uint32_t n) {
  IndexSet out;
  for (std::uint32_t i = 0; i < n; ++i)
    out.push_back(i);
  return out;
}

inline IndexSet without(IndexSet set, std::uint32_t index) {
  std::erase(set, index);
  return set;
}

template <class T>
void expect_refused(const Result<T>& result, const std::string& why) {
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().message.find(why), std::string::npos) << result.error().message;
}

inline std::vector<encoding::LaneSpec> test_lanes() {
  using encoding::LaneKind;
  return {
      {.word_bits = 32, .bits = 21, .kind = LaneKind::kUpdate, .length = 37, .chunk_words = 16},
      {.word_bits = 64, .bits = 64, .kind = LaneKind::kCounters, .length = 6, .chunk_words = 16},
      {.word_bits = 32, .bits = 21, .kind = LaneKind::kCheck, .length = 3, .chunk_words = 16}};
}

/// Members have ids 10, 20, ... so that an id is never an index.
struct TestRound {
  explicit TestRound(std::uint32_t n, std::uint32_t C = 1,
                     RoundNumber round = RoundNumber::of(1, 0), std::uint64_t seed = 1)
      : random(seed), coordinator(crypto::SigningKey::generate(random)) {
    for (std::uint32_t i = 0; i < n; ++i) {
      keys.push_back(crypto::SigningKey::generate(random));
      roster.push_back({MemberId{10 * (i + 1)}, keys.back().verify_key()});
    }
    const Thresholds thresholds = complete_graph_thresholds(n, C).value();
    header.run = Bytes32{1};
    header.round = round;
    header.roster_hash = Bytes32{2};
    header.cohort_hash = Cohort(roster).hash();
    header.n = n;
    header.C = C;
    header.k = n - 1;
    header.t = thresholds.t;
    header.Q = thresholds.Q;
    header.s_min = thresholds.s_min;
    header.witnesses = thresholds.witnesses;
    header.model_hash = Bytes32{3};
    header.config_hash = Bytes32{4};
    header.lanes = test_lanes();
    join();
  }

  /// Fresh clients for the present header: also to begin another round with the same identities.
  void join() {
    h = header_hash(header);
    preshared.resize(header.n);
    clients.clear();
    m1.clear();
    for (std::uint32_t i = 0; i < header.n; ++i) {
      clients.emplace_back(header, Cohort(roster), id(i), keys[i], preshared[i],
                           coordinator.verify_key(), random);
      m1.push_back(clients.back().advertise());
    }
    m3.assign(header.n, std::nullopt);
    m4a.assign(header.n, std::nullopt);
    m5.assign(header.n, std::nullopt);
    m7.assign(header.n, std::nullopt);
    y.assign(header.n, Bytes{});
  }

  [[nodiscard]] MemberId id(std::uint32_t index) const { return roster[index].id; }

  [[nodiscard]] wire::Bitmap bits(const IndexSet& set) const {
    return wire::to_bitmap(header.n, set);
  }

  [[nodiscard]] wire::Offer offer() const {
    wire::Offer m0{.header = header,
                   .deadline_ms = {1000, 1000, 1000, 1000, 1000, 1000},
                   .cohort = wire::to_bitmap(static_cast<std::uint32_t>(roster.size()),
                                             all_of(static_cast<std::uint32_t>(roster.size()))),
                   .signature = {}};
    sign_offer(coordinator, m0);
    return m0;
  }

  [[nodiscard]] LocalRules rules() const {
    LocalRules out;
    out.roster_hash = header.roster_hash;
    out.run = header.run;
    out.config_hash = header.config_hash;
    out.min_colluders = header.C;
    out.min_cohort = 3;
    out.lanes = header.lanes;
    out.last_round = RoundNumber{header.round.value - 1};
    return out;
  }

  [[nodiscard]] wire::KeyList key_list(std::uint32_t to, const IndexSet& set) const {
    wire::KeyList m2{.u1 = bits(set), .signature = {}, .advertisements = {}};
    for (std::uint32_t i : set)
      if (i != to) m2.advertisements.push_back(m1[i]);
    sign_key_list(coordinator, h, m2);
    return m2;
  }

  [[nodiscard]] const wire::ShareEntry& entry(std::uint32_t from, std::uint32_t to) const {
    const auto& entries = m3[from]->entries;
    const auto at = std::find_if(entries.begin(), entries.end(),
                                 [&](const wire::ShareEntry& e) { return e.to == id(to); });
    return *at;
  }

  [[nodiscard]] wire::ShareForward forward(std::uint32_t to, const IndexSet& set) const {
    wire::ShareForward m4{.v = bits(set), .signature = {}, .entries = {}};
    for (std::uint32_t i : set)
      if (i != to) m4.entries.push_back({id(i), entry(i, to)});
    sign_share_forward(coordinator, h, m4);
    return m4;
  }

  [[nodiscard]] wire::Fix fix(const IndexSet& set) const {
    wire::Fix m4u{.u2 = bits(set), .signature = {}};
    sign_fix(coordinator, h, m4u);
    return m4u;
  }

  [[nodiscard]] wire::Survivors survivors(const IndexSet& u2, const IndexSet& s) const {
    wire::Survivors m6{.d_u2 = digest_u2(h, bits(u2)), .s = bits(s), .signature = {}};
    sign_survivors(coordinator, h, m6);
    return m6;
  }

  [[nodiscard]] Bytes32 d_s(const IndexSet& u2, const IndexSet& s) const {
    return digest_s(h, digest_u2(h, bits(u2)), bits(s));
  }

  [[nodiscard]] wire::UnmaskRequest request(const IndexSet& u2, const IndexSet& s,
                                            const IndexSet& signers) const {
    wire::UnmaskRequest m8{
        .certificate = {}, .d_u2 = digest_u2(h, bits(u2)), .d_s = d_s(u2, s), .headers = {}};
    for (std::uint32_t i : signers)
      m8.certificate.push_back(*m7[i]);
    for (std::uint32_t i : s)
      m8.headers.push_back(*m5[i]);
    return m8;
  }

  // ---- honest phases over a set of members

  void deal(const IndexSet& u1) {
    for (std::uint32_t i : u1)
      m3[i] = clients[i].deal(key_list(i, u1), random).value();
  }

  void check(const IndexSet& v) {
    for (std::uint32_t i : v)
      m4a[i] = clients[i].check_shares(forward(i, v)).value();
  }

  void fix_u2(const IndexSet& u2) {
    for (std::uint32_t i : u2)
      ASSERT_TRUE(clients[i].accept_u2(fix(u2)).ok());
  }

  /// Lane words i + value, counters 1, ...: small enough that no sum wraps.
  [[nodiscard]] encoding::RingUpdate input(std::uint64_t value) const {
    encoding::RingUpdate update;
    for (const auto& lane : header.lanes) {
      update.lanes.emplace_back(lane);
      for (std::uint64_t i = 0; i < lane.length; ++i)
        update.lanes.back().set(i, i + value);
    }
    return update;
  }

  void upload(std::uint32_t i) {
    MaskedUpdate masked = clients[i].mask_job().run(input(100 + i), 1);
    y[i] = masked.packed();
    m5[i] = clients[i].upload_header(masked.hash_y());
  }

  void upload(const IndexSet& members) {
    for (std::uint32_t i : members)
      upload(i);
  }

  void endorse(const IndexSet& u2, const IndexSet& s) {
    for (std::uint32_t i : s)
      m7[i] = clients[i].endorse(survivors(u2, s)).value().message;
  }

  void until_dealt() { deal(all_of(header.n)); }

  void until_checked() {
    until_dealt();
    check(all_of(header.n));
  }

  void until_fixed() {
    until_checked();
    fix_u2(all_of(header.n));
  }

  void until_uploaded() {
    until_fixed();
    upload(all_of(header.n));
  }

  // ---- opening

  [[nodiscard]] std::vector<encoding::RingVector> masked_sum(const IndexSet& s) const {
    auto out = encoding::RingUpdate::zeros(header.lanes);
    for (std::uint32_t i : s)
      SOTTO_CHECK(out.add_packed(y[i]).ok(), "an upload has the round's lanes");
    return std::move(out.lanes);
  }

  /// Opens b of S and r of U2 \ S from these answers and takes the masks off.
  [[nodiscard]] std::vector<encoding::RingVector> open(
      const IndexSet& u2, const IndexSet& s, const std::vector<wire::UnmaskResponse>& m9) const {
    std::vector<std::uint32_t> points;
    for (const auto& response : m9)
      points.push_back(*Cohort(roster).index_of(response.id) + 1);
    const auto reconstructor = crypto::Reconstructor::create(points).value();
    std::vector<MaskSeed> seeds;
    for (std::size_t at = 0; at < u2.size(); ++at) {
      std::vector<Bytes32> shares;
      for (const auto& response : m9)
        shares.push_back(response.shares.at(at).share);
      const crypto::Secret32 secret = reconstructor.reconstruct(shares);
      const std::uint32_t i = u2[at];
      if (contains(s, i)) {
        EXPECT_EQ(commit_self_seed(h, id(i), secret), m1[i].cm_b);
        seeds.push_back(
            {MaskSeed::Kind::kSelf, secret.clone(), id(i), crypto::MaskSign::kSubtract});
        continue;
      }
      const auto key = mask_agreement_key(secret, h, id(i));
      EXPECT_EQ(key.public_key(), m1[i].pk_mask);
      for (std::uint32_t j : s)
        seeds.push_back({MaskSeed::Kind::kPair,
                         pair_secret(key, m1[j].pk_mask, {},
                                     pair_context(h, m1[std::min(i, j)], m1[std::max(i, j)]))
                             .value(),
                         {},
                         j < i ? crypto::MaskSign::kSubtract : crypto::MaskSign::kAdd});
    }
    auto lanes = masked_sum(s);
    apply_masks(lanes, h, seeds, 1);
    return lanes;
  }

  [[nodiscard]] std::vector<encoding::RingVector> plain_sum(const IndexSet& s) const {
    std::vector<encoding::RingVector> out;
    for (const auto& lane : header.lanes)
      out.emplace_back(lane);
    for (std::uint32_t i : s) {
      const encoding::RingUpdate one = input(100 + i);
      for (std::size_t lane = 0; lane < out.size(); ++lane)
        out[lane].add(one.lanes[lane]);
    }
    for (auto& lane : out)
      lane.reduce();
    return out;
  }

  crypto::StreamRandom random;
  crypto::SigningKey coordinator;
  std::vector<crypto::SigningKey> keys;
  std::vector<CohortMember> roster;
  wire::RoundHeader header;
  Bytes32 h{};
  std::vector<PresharedKeys> preshared;  // by member; what join() gives its client
  std::vector<Client> clients;
  std::vector<wire::Advertise> m1;
  std::vector<std::optional<wire::Shares>> m3;
  std::vector<std::optional<wire::ShareCheck>> m4a;
  std::vector<std::optional<wire::UploadHeader>> m5;
  std::vector<std::optional<wire::Endorse>> m7;
  std::vector<Bytes> y;
};

}  // namespace sotto::secagg
