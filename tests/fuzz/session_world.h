// The coordinator and the other members as session_fuzz.cc needs them: it holds all their keys, so
// it can sign whatever the input asks for. The session is member 0 of four.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "common/encoding/quantizer.h"
#include "common/model/flat_parameters.h"
#include "common/secagg/client/client.h"
#include "common/secagg/shared/transcript.h"
#include "common/wire/codec.h"
#include "participant/protocol/session.h"

namespace sotto::fuzz {

constexpr std::uint32_t kMembers = 4;
constexpr std::uint64_t kServerRounds = 3;

/// What the others say in M1 and M3 when U1 is a given set.
struct Dealt {
  std::vector<std::optional<wire::Advertise>> m1{kMembers};
  std::vector<std::optional<wire::Shares>> m3{kMembers};
};

class World {
 public:
  World() : coordinator(crypto::SigningKey::generate(random_)) {
    for (std::uint32_t i = 0; i < kMembers; ++i) {
      keys.push_back(crypto::SigningKey::generate(random_));
      roster.push_back({MemberId{10 * (i + 1)}, keys.back().verify_key()});
    }
    encoding.metrics = {"examples"};
    agreement.run = Bytes32{1};
    agreement.roster_hash = Bytes32{2};
    agreement.config_hash = Bytes32{4};
    agreement.num_server_rounds = kServerRounds;
    agreement.parameters = model.values.size();
    agreement.encoding = encoding;
    agreement.max_round = Duration{600000};
  }

  [[nodiscard]] wire::RoundHeader header(RoundNumber round) const {
    const auto thresholds = secagg::complete_graph_thresholds(kMembers, 1).value();
    const bool evaluation = round.server_round() == kServerRounds + 1;
    wire::RoundHeader out;
    out.run = agreement.run;
    out.round = round;
    out.roster_hash = agreement.roster_hash;
    out.cohort_hash = secagg::Cohort(roster).hash();
    out.n = kMembers;
    out.C = 1;
    out.k = kMembers - 1;
    out.t = thresholds.t;
    out.Q = thresholds.Q;
    out.s_min = thresholds.s_min;
    out.witnesses = thresholds.witnesses;
    out.model_hash = model.hash();
    out.config_hash = agreement.config_hash;
    out.lanes = encoding::lane_specs(encoding, evaluation ? 0 : model.values.size(), kMembers);
    return out;
  }

  /// Made once for each header, U1 and M1 of the session: the others are the same at every turn.
  const Dealt& dealt(const wire::RoundHeader& header, const secagg::IndexSet& u1,
                     const wire::Advertise& session_m1) {
    ByteWriter key;
    key.bytes(wire::header_bytes(header));
    key.bytes(session_m1.signature);
    for (std::uint32_t i : u1)
      key.u32(i);
    if (made_.size() > 256) made_.clear();
    const auto [at, fresh] = made_.try_emplace(key.take());
    if (fresh) at->second = deal(header, u1, session_m1);
    return at->second;
  }

 private:
  [[nodiscard]] Dealt deal(const wire::RoundHeader& header, const secagg::IndexSet& u1,
                           const wire::Advertise& session_m1) const {
    Dealt out;
    out.m1[0] = session_m1;
    std::map<std::uint32_t, secagg::Client> clients;
    std::map<std::uint32_t, crypto::StreamRandom> randoms;
    for (std::uint32_t i = 1; i < kMembers; ++i) {
      randoms.try_emplace(i, 100 + i);
      const auto at = clients.emplace(
          i, secagg::Client(header, secagg::Cohort(roster), roster[i].id, keys[i],
                            secagg::PresharedKeys{}, coordinator.verify_key(), randoms.at(i)));
      out.m1[i] = at.first->second.advertise();
    }
    for (auto& [i, client] : clients) {
      if (!secagg::contains(u1, i)) continue;
      wire::KeyList m2{.u1 = wire::to_bitmap(kMembers, u1), .signature = {}, .advertisements = {}};
      for (std::uint32_t j : u1)
        if (j != i) m2.advertisements.push_back(*out.m1[j]);
      secagg::sign_key_list(coordinator, client.h(), m2);
      auto m3 = client.deal(m2, randoms.at(i));
      if (m3.ok()) out.m3[i] = std::move(m3).value();
    }
    return out;
  }

  crypto::StreamRandom random_{1};
  std::map<Bytes, Dealt> made_;

 public:
  crypto::SigningKey coordinator;
  std::vector<crypto::SigningKey> keys;
  std::vector<secagg::CohortMember> roster;
  FlatParameters model{.layout = {{.name = "w", .shape = {5}}}, .values = {1, 2, 3, 4, 5}};
  encoding::EncodingSpec encoding;
  participant::Agreement agreement;
};

}  // namespace sotto::fuzz
