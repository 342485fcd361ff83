// Secure aggregation alone: the sum of the vectors of five members, computed by a server that sees
// none of them, although one member disappears after its keys were dealt. No network: a function
// call stands for each message. docs/secure-aggregation.md describes the phases.
#include <cstdio>
#include <optional>
#include <vector>

#include "common/base/check.h"
#include "common/encoding/quantizer.h"
#include "common/privacy/mechanisms/clip.h"
#include "common/secagg/client/client.h"
#include "common/secagg/server/server.h"
#include "common/secagg/shared/transcript.h"

using namespace sotto;

namespace {

constexpr std::uint32_t kMembers = 5;
constexpr std::uint32_t kColluders = 1;  // may work together with the server
constexpr std::uint32_t kAbsent = 4;     // uploads nothing
constexpr std::size_t kValues = 1000;

template <class T>
T value_of(Result<T> result) {
  SOTTO_CHECK(result.ok(), result.error().message);
  return std::move(result).value();
}

void expect(const Status& status) {
  SOTTO_CHECK(status.ok(), status.error().message);
}

void expect(const secagg::MessageResult& verdict) {
  SOTTO_CHECK(verdict.kind == secagg::MessageResult::Kind::kAccepted, verdict.reason);
}

/// Everybody computes the same header; with a network it arrives in the server's signed offer.
wire::RoundHeader header_for(const secagg::Cohort& cohort, const encoding::EncodingSpec& encoding) {
  const auto thresholds = value_of(secagg::complete_graph_thresholds(kMembers, kColluders));
  wire::RoundHeader header;
  header.round = RoundNumber::of(1, 0);
  header.cohort_hash = cohort.hash();
  header.n = kMembers;
  header.C = kColluders;
  header.k = kMembers - 1;
  header.t = thresholds.t;
  header.Q = thresholds.Q;
  header.s_min = thresholds.s_min;
  header.witnesses = thresholds.witnesses;
  header.lanes = encoding::lane_specs(encoding, kValues, kMembers);
  return header;
}

}  // namespace

int main() {
  crypto::OsRandom random;
  const crypto::SigningKey server_key = crypto::SigningKey::generate(random);
  std::vector<crypto::SigningKey> keys;
  std::vector<secagg::CohortMember> members;
  for (std::uint32_t i = 0; i < kMembers; ++i) {
    keys.push_back(crypto::SigningKey::generate(random));
    members.push_back({MemberId{i + 1}, keys.back().verify_key()});
  }
  const secagg::Cohort cohort(members);
  const encoding::EncodingSpec encoding{.quantization_bits = 16, .value_range = 1};
  const wire::RoundHeader header = header_for(cohort, encoding);

  secagg::Server server(header, cohort, server_key);
  std::vector<secagg::Client> clients;
  for (std::uint32_t i = 0; i < kMembers; ++i)
    clients.emplace_back(header, cohort, members[i].id, keys[i], secagg::PresharedKeys{},
                         server_key.verify_key(), random);

  // Keys, then shares of every member's secrets at the others, then a check of the shares.
  for (secagg::Client& client : clients)
    expect(server.accept(client.advertise()));
  expect(server.fix_u1());
  for (std::uint32_t i = 0; i < kMembers; ++i)
    expect(server.accept(value_of(clients[i].deal(server.key_list(members[i].id), random))));
  expect(server.fix_v());
  for (std::uint32_t i = 0; i < kMembers; ++i)
    expect(server.accept(value_of(clients[i].check_shares(server.share_forward(members[i].id)))));
  expect(server.fix_u2());
  for (std::uint32_t i = 0; i < kMembers; ++i)
    expect(clients[i].accept_u2(server.fix_message(members[i].id)));

  // Masked vectors. Member i's is 0.01 * (i + 1) everywhere. The server adds what it cannot read.
  encoding::RingUpdate sum = encoding::RingUpdate::zeros(header.lanes);
  for (std::uint32_t i = 0; i < kMembers; ++i) {
    if (i == kAbsent) continue;
    const FlatUpdate vector(std::vector<float>(kValues, 0.01F * static_cast<float>(i + 1)));
    auto plain = encoding::encode(encoding, header.lanes, clients[i].h(),
                                  value_of(clip(FlatUpdate(vector.values), 100)), {}, random);
    const secagg::MaskedUpdate masked =
        clients[i].mask_job().run(value_of(std::move(plain)), /*threads=*/1);
    expect(server.accept(clients[i].upload_header(masked.hash_y())));
    expect(server.check_upload(members[i].id, masked.packed()));
    server.upload_complete(members[i].id);
    expect(sum.add_packed(masked.packed()));
  }

  // The survivors certify who is in the sum, and only then open what hides it.
  expect(server.fix_s());
  for (std::uint32_t i = 0; i < kMembers; ++i)
    if (i != kAbsent)
      expect(
          server.accept(members[i].id, value_of(clients[i].endorse(server.survivors())).message));
  for (std::uint32_t i = 0; i < kMembers; ++i)
    if (i != kAbsent)
      expect(server.accept(value_of(clients[i].unmask(server.unmask_request(members[i].id)))));
  auto opened = value_of(server.open()).run(std::move(sum), /*threads=*/1);
  const auto decoded = value_of(
      encoding::decode_sum(encoding, header.lanes, server.h(), std::move(opened), kMembers - 1));

  encoding::MeanParts mean(decoded);
  const double found = static_cast<double>(mean.next()[0]) * (kMembers - 1);
  std::printf("sum of %u vectors without member %u: %.4f (expected %.4f)\n", kMembers - 1,
              kAbsent + 1, found, 0.01 + 0.02 + 0.03 + 0.04);
  return found > 0.0995 && found < 0.1005 ? 0 : 1;
}
