// Rings of SECAGG1 as tests/vectors/secagg/circulant.json has them: genesis, draws, neighbours,
// parameters, published sums.
#include "common/secagg/randomness/draw.h"
#include "common/secagg/randomness/shared_randomness.h"
#include "common/secagg/shared/graph.h"
#include "common/secagg/shared/published_sum.h"
#include "tests/common/secagg/vectors.h"

namespace sotto::secagg {
namespace {

using vectors::array;
using vectors::bytes;
using vectors::bytes32;
using vectors::Json;
using vectors::load;

struct SecAggRingVectors : ::testing::Test {
  Json known = load("circulant.json");
};

std::vector<MemberId> ids_of(const Json& numbers) {
  std::vector<MemberId> out;
  for (const Json& number : numbers)
    out.push_back(MemberId{number.get<std::uint32_t>()});
  return out;
}

TEST_F(SecAggRingVectors, SharedRandomness) {
  const Json& v = known["genesis"];
  RandomnessContext context{.run = bytes32(v["run"]), .roster_hash = bytes32(v["roster_hash"])};
  wire::RandomnessProof proof{.run = context.run, .entries = {}, .reveals = {}};
  for (const Json& member : v["members"]) {
    const MemberId id{member["id"].get<std::uint32_t>()};
    context.roster.push_back({id, bytes32(member["verify_key"])});
    proof.entries.push_back({.id = id,
                             .commitment = bytes32(member["commitment"]),
                             .signature = array<64>(member["g1"])});
    proof.reveals.push_back({.run = context.run,
                             .id = id,
                             .digest = bytes32(v["digest"]),
                             .r = bytes32(member["r"]),
                             .signature = array<64>(member["g3"])});
  }
  const auto shared_randomness = check_randomness_proof(context, proof);
  ASSERT_TRUE(shared_randomness.ok()) << shared_randomness.error().message;
  EXPECT_EQ(to_hex(shared_randomness->value), v["genesis"]);
}

TEST_F(SecAggRingVectors, CohortsTheirOrderAndNeighbours) {
  for (const Json& v : known["draws"]) {
    const CohortDraw draw{.shared_randomness = {.value = bytes32(known["genesis"]["genesis"]),
                                                .members = ids_of(v["members"])},
                          .cohort_size = v["cohort_size"]};
    const RoundNumber round{v["round"].get<std::uint64_t>()};
    const std::vector<MemberId> cohort = drawn_cohort(draw, round);
    EXPECT_EQ(cohort, ids_of(v["cohort"]));
    std::vector<CohortMember> members;
    for (MemberId id : cohort)
      members.push_back({id, {}});
    const auto ring = ring_order(draw.shared_randomness, round, members);
    wire::RoundHeader header;
    header.graph = wire::Graph::kCirculant;
    header.n = static_cast<std::uint32_t>(ring.size());
    header.k = v["k"];
    const MaskGraph graph(header);
    for (std::uint32_t i = 0; i < header.n; ++i) {
      EXPECT_EQ(ring[i].id, MemberId{v["ring"][i].get<std::uint32_t>()});
      std::vector<MemberId> around;
      for (std::uint32_t j : graph.neighbours(i))
        around.push_back(ring[j].id);
      std::ranges::sort(around);
      EXPECT_EQ(around, ids_of(v["neighbours"][i]));
    }
  }
}

TEST_F(SecAggRingVectors, Parameters) {
  for (const Json& v : known["parameters"]) {
    SCOPED_TRACE(v.dump());
    const auto got = graph_parameters(v["n"], v["C"], {.dropout_percent = v["dropout_percent"]});
    ASSERT_TRUE(got.ok());
    EXPECT_EQ(got->graph == wire::Graph::kCirculant, v["graph"] == "circulant");
    EXPECT_EQ(got->k, v["k"]);
    EXPECT_EQ(got->q, v["q"]);
    EXPECT_EQ(got->thresholds.t, v["t"]);
    EXPECT_EQ(got->thresholds.Q, v["Q"]);
    EXPECT_EQ(got->thresholds.s_min, v["s_min"]);
    EXPECT_EQ(got->thresholds.witnesses, v["witnesses"]);
  }
}

TEST_F(SecAggRingVectors, APublishedSum) {
  const Json& v = known["published_sum"];
  const PublishedSum sum{.server_round = v["server_round"],
                         .h = bytes32(v["h"]),
                         .size = {.n = v["n"], .C = v["C"]},
                         .survivors = v["survivors"],
                         .packed = bytes(v["packed"])};
  EXPECT_EQ(to_hex(published_sum_blob(bytes32(v["run"]), sum.server_round)), v["blob"]);
  EXPECT_EQ(to_hex(encode(sum)), v["bytes"]);
  EXPECT_EQ(decode_published_sum(bytes(v["bytes"])).value(), sum);
}

}  // namespace
}  // namespace sotto::secagg
