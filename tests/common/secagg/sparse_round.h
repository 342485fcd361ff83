// A real server and n real clients on a ring, taken through a round by sets of those who take part.
// The parameters are small, so that a round of 300 takes a second; that a header with such numbers
// is refused is offer_check's claim.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "common/secagg/client/client.h"
#include "common/secagg/server/server.h"
#include "common/secagg/shared/transcript.h"
#include "common/wire/codec.h"

namespace sotto::secagg {

struct SparseParameters {
  std::uint32_t n = 300;
  std::uint32_t C = 1;
  std::uint32_t k = 8;
  std::uint32_t t = 5;
  std::uint32_t q = 1;
  std::uint32_t Q = 0;          // NOLINT; 0: that of all n
  std::uint32_t witnesses = 0;  // 0: everybody
  std::uint32_t keyed = 0;      // members at most so far apart on the ring have a key of their own
};

/// Indexes are places on the ring. Ids are not in their order.
struct SparseRound {
  explicit SparseRound(const SparseParameters& p, std::uint64_t seed = 1)
      : random(seed), coordinator(crypto::SigningKey::generate(random)) {
    std::vector<CohortMember> roster;
    std::map<MemberId, crypto::SigningKey> by_id;
    for (std::uint32_t i = 0; i < p.n; ++i) {
      auto key = crypto::SigningKey::generate(random);
      roster.push_back({MemberId{10 * (i + 1)}, key.verify_key()});
      by_id.emplace(roster.back().id, std::move(key));
    }
    cohort = Cohort::on_ring(ring_order({.value = Bytes32{9}, .members = {}}, {}, roster));
    header = {.run = Bytes32{1},
              .round = RoundNumber::of(1, 0),
              .roster_hash = Bytes32{2},
              .cohort_hash = cohort->hash(),
              .n = p.n,
              .C = p.C,
              .k = p.k,
              .t = p.t,
              .q = p.q,
              .Q = p.Q == 0 ? (p.n + p.C) / 2 + 1 : p.Q,
              .s_min = (p.n + p.C) / 2 + 1,
              .witnesses = p.witnesses == 0 ? p.n : p.witnesses,
              .graph = wire::Graph::kCirculant,
              .model_hash = Bytes32{3},
              .config_hash = Bytes32{4},
              .lanes = {{.word_bits = 32,
                         .bits = 25,
                         .kind = encoding::LaneKind::kUpdate,
                         .length = 5,
                         .chunk_words = 16}}};
    for (std::uint32_t i = 0; i < p.n; ++i)
      keys.push_back(std::move(by_id.at(id(i))));
    std::vector<PresharedKeys> preshared(p.n);
    for (std::uint32_t i = 0; i < p.n; ++i)
      for (std::uint32_t step = 1; step <= p.keyed; ++step) {
        const std::uint32_t j = (i + step) % p.n;
        const auto key = crypto::Secret32::random(random);
        preshared[i].emplace(id(j), key.clone());
        preshared[j].emplace(id(i), key.clone());
      }
    for (std::uint32_t i = 0; i < p.n; ++i)
      clients.emplace_back(header, *cohort, id(i), keys[i], preshared[i], coordinator.verify_key(),
                           random);
    server.emplace(header, *cohort, coordinator);
  }

  [[nodiscard]] MemberId id(std::uint32_t index) const { return cohort->at(index).id; }

  [[nodiscard]] EvidenceRoster evidence_roster() const {
    EvidenceRoster roster{.roster_hash = header.roster_hash,
                          .coordinator = coordinator.verify_key(),
                          .members = cohort->members()};
    std::ranges::sort(roster.members, {}, &CohortMember::id);
    return roster;
  }

  [[nodiscard]] IndexSet all() const { return but({}); }

  /// Everybody but these.
  [[nodiscard]] IndexSet but(const IndexSet& gone) const {
    IndexSet out;
    for (std::uint32_t i = 0; i < header.n; ++i)
      if (!contains(gone, i)) out.push_back(i);
    return out;
  }

  template <class M>
  void accept(const M& message) {
    const MessageResult result = server->accept(message);
    ASSERT_EQ(result.kind, MessageResult::Kind::kAccepted) << result.reason;
  }

  Status advertise(const IndexSet& who) {
    for (std::uint32_t i : who)
      accept(clients[i].advertise());
    return server->fix_u1();
  }

  Status deal(const IndexSet& who) {
    for (std::uint32_t i : who)
      accept(clients[i].deal(server->key_list(id(i)), random).value());
    return server->fix_v();
  }

  Status check(const IndexSet& who) {
    for (std::uint32_t i : who)
      accept(clients[i].check_shares(server->share_forward(id(i))).value());
    return server->fix_u2();
  }

  /// y of a member of U2, added to the sum.
  void upload_one(std::uint32_t i) {
    ASSERT_TRUE(clients[i].accept_u2(server->fix_message(id(i))).ok());
    const MaskedUpdate masked = clients[i].mask_job().run(input(i), 1);
    accept(clients[i].upload_header(masked.hash_y()));
    ASSERT_TRUE(server->check_upload(id(i), masked.packed()).ok());
    add(masked.packed());
    server->upload_complete(id(i));
  }

  Status upload(const IndexSet& who) {
    for (std::uint32_t i : who)
      upload_one(i);
    return server->fix_s();
  }

  void endorse(const IndexSet& who) {
    for (std::uint32_t i : who) {
      const auto m7 = clients[i].endorse(server->survivors());
      ASSERT_TRUE(m7.ok()) << m7.error().message;
      ASSERT_EQ(server->accept(id(i), m7->message).kind, MessageResult::Kind::kAccepted);
    }
  }

  void unmask(const IndexSet& who) {
    for (std::uint32_t i : who) {
      const auto m9 = clients[i].unmask(server->unmask_request(id(i)));
      ASSERT_TRUE(m9.ok()) << m9.error().message;
      accept(*m9);
    }
  }

  /// The server's plain sum is the sum of the inputs of S.
  void expect_exact_sum() {
    ASSERT_TRUE(server->can_open());
    auto job = server->open();
    ASSERT_TRUE(job.ok()) << job.error().message;
    encoding::RingUpdate masked;
    masked.lanes.push_back(sum());
    const encoding::RingUpdate opened = std::move(job).value().run(std::move(masked), 1);
    for (std::uint64_t word = 0; word < header.lanes[0].length; ++word) {
      std::uint64_t expected = 0;
      for (std::uint32_t i : server->s())
        expected += word + i;
      EXPECT_EQ(opened.lanes[0].at(word), expected);
    }
  }

  [[nodiscard]] encoding::RingUpdate input(std::uint32_t i) const {
    encoding::RingUpdate update;
    update.lanes.emplace_back(header.lanes[0]);
    for (std::uint64_t word = 0; word < header.lanes[0].length; ++word)
      update.lanes[0].set(word, word + i);
    return update;
  }

  void add(BytesView packed) {
    if (!total) total.emplace(header.lanes[0]);
    ASSERT_TRUE(total->add_packed(packed).ok());
  }

  [[nodiscard]] encoding::RingVector sum() { return std::move(*total); }

  crypto::StreamRandom random;
  crypto::SigningKey coordinator;
  std::vector<crypto::SigningKey> keys;
  std::optional<Cohort> cohort;
  wire::RoundHeader header;
  std::vector<Client> clients;
  std::optional<Server> server;
  std::optional<encoding::RingVector> total;
};

}  // namespace sotto::secagg
