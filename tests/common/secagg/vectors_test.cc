// Single answers of SECAGG1, byte for byte as tests/vectors/secagg/secagg1.json has them.
#include "tests/common/secagg/vectors.h"

#include "common/config/federation.h"
#include "common/crypto/aead.h"
#include "common/crypto/hash.h"
#include "common/crypto/shamir.h"
#include "common/encoding/quantizer.h"
#include "common/secagg/shared/masking.h"
#include "common/secagg/shared/preshared.h"
#include "common/secagg/shared/transcript.h"
#include "common/wire/codec.h"

namespace sotto::secagg {
namespace {

using crypto::MaskSign;
using vectors::array;
using vectors::bytes;
using vectors::bytes32;
using vectors::Json;
using vectors::lane_spec;
using vectors::lane_specs;
using vectors::load;
using vectors::ring_update;
using vectors::ring_vector;
using vectors::secret;
using vectors::words_of;

struct SecAggVectors : ::testing::Test {
  Json known = load("secagg1.json");
};

wire::Advertise advertise_of(const Json& hex) {
  const Bytes all = bytes(hex);
  ByteReader in(all);
  wire::Advertise out;
  out.id = MemberId{in.u32()};
  out.pk_enc = in.array<32>();
  out.pk_mask = in.array<32>();
  out.cm_b = in.array<32>();
  out.signature = in.array<64>();
  SOTTO_CHECK(in.finished(), "an advertisement has 164 bytes");
  return out;
}

TEST_F(SecAggVectors, RosterHash) {
  const Json& v = known["roster"];
  config::Roster roster{.version = v["version"],
                        .expiry_unix_s = v["expiry"],
                        .coordinator_signing_key = bytes32(v["signing_key"]),
                        .coordinator_transport_key = bytes32(v["transport_key"]),
                        .members = {}};
  for (const Json& member : v["members"])
    roster.members.push_back({.id = MemberId{member["id"].get<std::uint32_t>()},
                              .role = member["role"],
                              .signing_key = bytes32(member["signing_key"]),
                              .transport_key = bytes32(member["transport_key"]),
                              .name = member["name"]});
  EXPECT_EQ(to_hex(roster.canonical()), v["canonical"]);
  EXPECT_EQ(to_hex(roster.hash()), v["hash"]);
}

TEST_F(SecAggVectors, CohortHash) {
  for (const Json& v : known["cohorts"]) {
    std::vector<CohortMember> members;
    for (std::uint32_t id : v["ids"])
      members.push_back({MemberId{id}, {}});
    EXPECT_EQ(to_hex(Cohort(members).hash()), v["hash"]);
  }
}

TEST_F(SecAggVectors, HeaderBytesAndHash) {
  for (const Json& v : known["headers"]) {
    wire::RoundHeader header;
    header.run = bytes32(v["run"]);
    header.round = RoundNumber{v["round"]};
    header.roster_hash = bytes32(v["roster_hash"]);
    header.cohort_hash = bytes32(v["cohort_hash"]);
    header.n = v["n"];
    header.C = v["C"];
    header.k = v["k"];
    header.t = v["t"];
    header.q = v["q"];
    header.Q = v["Q"];
    header.s_min = v["s_min"];
    header.witnesses = v["witnesses"];
    header.model_hash = bytes32(v["model_hash"]);
    header.config_hash = bytes32(v["config_hash"]);
    header.prg_id = v["prg_id"];
    header.lanes = lane_specs(v["lanes"]);
    EXPECT_EQ(to_hex(wire::header_bytes(header)), v["bytes"]);
    EXPECT_EQ(to_hex(header_hash(header)), v["hash"]);
    const auto parsed = wire::parse_header(bytes(v["bytes"]));
    ASSERT_TRUE(parsed.ok()) << parsed.error().message;
    EXPECT_EQ(*parsed, header);
  }
}

TEST_F(SecAggVectors, DigestsOfTheFourSets) {
  const Bytes32 h = bytes32(known["sets"]["h"]);
  for (const Json& v : known["sets"]["sets"]) {
    const auto bits = wire::to_bitmap(v["n"], v["members"].get<IndexSet>());
    EXPECT_EQ(to_hex(bits), v["bits"]);
    EXPECT_EQ(to_hex(digest_u1(h, bits)), v["u1"]);
    EXPECT_EQ(to_hex(digest_v(h, bits)), v["v"]);
    EXPECT_EQ(to_hex(digest_u2(h, bits)), v["u2"]);
    EXPECT_EQ(to_hex(digest_s(h, bytes32(v["u2"]), bits)), v["s"]);
  }
}

TEST_F(SecAggVectors, OwnSeedMaskKeyAndPairSeed) {
  const Json& v = known["keys"];
  const Bytes32 h = bytes32(v["h"]);
  const MemberId low{v["low"].get<std::uint32_t>()};
  const MemberId high{v["high"].get<std::uint32_t>()};
  const auto m1_low = advertise_of(v["m1_low"]);
  const auto m1_high = advertise_of(v["m1_high"]);
  EXPECT_EQ(to_hex(commit_self_seed(h, low, secret(v["b"]))), v["commitment_b"]);

  const auto key = mask_agreement_key(secret(v["r"]), h, low);
  EXPECT_EQ(key.public_key(), crypto::AgreementKey(secret(v["mask_key"])).public_key());
  EXPECT_EQ(key.public_key(), m1_low.pk_mask);
  EXPECT_EQ(crypto::AgreementKey(secret(v["ske"])).public_key(), m1_low.pk_enc);

  const Bytes context = pair_context(h, m1_low, m1_high);
  EXPECT_EQ(to_hex(context), v["pair_context"]);
  const auto from_low = pair_secret(key, m1_high.pk_mask, {}, context);
  const auto from_high =
      pair_secret(mask_agreement_key(secret(v["r_high"]), h, high), m1_low.pk_mask, {}, context);
  ASSERT_TRUE(from_low.ok() && from_high.ok());
  EXPECT_EQ(to_hex(from_low->expose()), v["pair_seed"]);
  EXPECT_TRUE(from_low->equals(*from_high));

  const auto keyed = pair_secret(key, m1_high.pk_mask, secret(v["psk"]), context);
  ASSERT_TRUE(keyed.ok());
  EXPECT_EQ(to_hex(keyed->expose()), v["pair_seed_with_psk"]);
}

TEST_F(SecAggVectors, PresharedKeyInARound) {
  const Json& v = known["keys"];
  const Bytes32 h = bytes32(v["h"]);
  const EscrowPlace place{.h = h, .dealer = MemberId{5}, .holder = MemberId{13}};
  const RoundPreshared made = preshared_of_round(secret(v["psk"]), h, MemberId{5}, MemberId{13});
  EXPECT_EQ(to_hex(made.sealing.expose()), v["preshared_sealing"]);
  EXPECT_EQ(to_hex(made.masking.expose()), v["preshared_masking"]);
  const auto escrow = make_escrow(place, made.masking, secret(v["r"]));
  EXPECT_EQ(to_hex(escrow.commitment) + to_hex(escrow.sealed), v["escrow_low_to_high"]);
}

/// What apply_masks() adds to a lane of zeros is the stream of the lane's keys, here with segments
/// of 64 bytes.
TEST_F(SecAggVectors, LaneKeysOfPairAndSelf) {
  const Json& v = known["keys"];
  for (const Json& place : v["lane_keys"]) {
    const std::uint32_t lane = place["lane"];
    const std::uint64_t segment = place["segment"];
    const encoding::LaneSpec spec{.word_bits = 32,
                                  .bits = 32,
                                  .kind = static_cast<encoding::LaneKind>(lane + 1),
                                  .length = 16 * segment + 11,
                                  .chunk_words = 16};
    for (const char* kind : {"pair", "self"}) {
      const bool self = kind == std::string("self");
      std::vector<MaskSeed> seeds;
      seeds.push_back({.kind = self ? MaskSeed::Kind::kSelf : MaskSeed::Kind::kPair,
                       .secret = secret(v[self ? "b" : "pair_seed"]),
                       .self_id = MemberId{v["low"].get<std::uint32_t>()},
                       .sign = MaskSign::kAdd});
      std::vector<encoding::RingVector> lanes;
      lanes.emplace_back(spec);
      apply_masks(lanes, bytes32(v["h"]), seeds, 2, 64);
      Bytes stream(44);
      crypto::keystream(secret(place[kind]), lane, 0, stream);
      const Bytes packed = lanes[0].pack();
      EXPECT_EQ(to_hex(BytesView(packed).last(44)), to_hex(stream))
          << kind << " lane " << lane << " segment " << segment;
    }
  }
}

TEST_F(SecAggVectors, MaskStreamAtItsBeginningAndUpToByte2To32) {
  const auto key = secret(known["masks"]["key"]);
  for (const Json& v : known["masks"]["streams"])
    for (const auto backend : {crypto::MaskBackend::kOpenssl, crypto::MaskBackend::kIpsecMb}) {
      if (!crypto::mask_backend_available(backend)) continue;
      Bytes stream(64);
      crypto::keystream(key, v["lane"], v["first_block"], stream, backend);
      EXPECT_EQ(to_hex(stream), v["bytes"]) << crypto::name(backend) << " " << v["first_block"];
    }
}

TEST_F(SecAggVectors, SealedShareAndItsCommitments) {
  const Json& v = known["share"];
  const Bytes32 h = bytes32(v["h"]);
  const MemberId dealer{v["dealer"].get<std::uint32_t>()};
  const MemberId holder{v["holder"].get<std::uint32_t>()};
  const Bytes32 share_b = bytes32(v["share_b"]);
  const Bytes32 share_r = bytes32(v["share_r"]);
  EXPECT_EQ(to_hex(commit_share(wire::ShareKind::kSelfMask, h, dealer, holder, share_b)), v["cb"]);
  EXPECT_EQ(to_hex(commit_share(wire::ShareKind::kMaskKey, h, dealer, holder, share_r)), v["cr"]);
  ByteWriter plain;
  plain.bytes(share_b);
  plain.bytes(share_r);
  const auto key = secret(v["key"]);
  const auto nonce = array<24>(v["nonce"]);
  const Bytes associated = bytes(v["associated_data"]);
  EXPECT_EQ(to_hex(crypto::seal(key, nonce, plain.view(), associated)), v["ciphertext"]);
  Bytes opened(64);
  ASSERT_TRUE(crypto::open(key, nonce, bytes(v["ciphertext"]), associated, opened));
  EXPECT_EQ(to_hex(opened), to_hex(plain.view()));
}

TEST_F(SecAggVectors, ShamirSplitWithFixedCoefficientsAndReconstruction) {
  for (const Json& v : known["shamir"]) {
    std::vector<crypto::Secret32> coefficients;
    for (const Json& c : v["coefficients"])
      coefficients.push_back(secret(c));
    const auto shares = crypto::share_with_coefficients(
        secret(v["secret"]), coefficients, static_cast<std::uint32_t>(v["shares"].size()));
    for (std::size_t i = 0; i < shares.size(); ++i)
      EXPECT_EQ(to_hex(shares[i].expose()), v["shares"][i]);

    const auto points = v["responders"].get<std::vector<std::uint32_t>>();
    std::vector<Bytes32> answers;
    for (std::uint32_t point : points)
      answers.push_back(bytes32(v["shares"][point - 1]));
    const auto reconstructor = crypto::Reconstructor::create(points).value();
    EXPECT_EQ(to_hex(reconstructor.reconstruct(answers).expose()), v["secret"]);
    answers[0] = bytes32(v["forged_share"]);
    EXPECT_EQ(to_hex(reconstructor.reconstruct(answers).expose()), v["forged_secret"]);
  }
}

TEST_F(SecAggVectors, PackedLanes) {
  std::vector<int> widths;
  for (const Json& v : known["packing"]) {
    const auto spec = lane_spec(v);
    EXPECT_EQ(to_hex(ring_vector(spec, v["words"]).pack()), v["packed"]) << int{spec.bits};
    widths.push_back(spec.bits);
  }
  EXPECT_EQ(widths, (std::vector<int>{1, 7, 8, 12, 16, 20, 23, 26, 31, 32, 33, 63, 64}));
}

TEST_F(SecAggVectors, HashOfAnUploadAndOfCountersAlone) {
  const Json& v = known["upload"];
  const auto lanes = lane_specs(v["lanes"]);
  const auto update = ring_update(lanes, v["words"]);
  const Bytes32 h = bytes32(v["h"]);
  const MemberId id{v["id"].get<std::uint32_t>()};
  EXPECT_EQ(to_hex(update.pack()), v["packed"]);
  EXPECT_EQ(to_hex(hash_of_upload(h, id, lanes, bytes(v["packed"]))), v["hash_y"]);
  EXPECT_EQ(
      to_hex(hash_of_upload(h, id, std::span(lanes).subspan(1, 1), bytes(v["counters_alone"]))),
      v["hash_y_of_counters_alone"]);
  for (const Json& one : v["long"]) {
    Bytes packed(one["bytes"].get<std::size_t>());
    for (std::size_t i = 0; i < packed.size(); ++i)
      packed[i] = static_cast<std::uint8_t>(151 * i + i / 256);
    const encoding::LaneSpec lane{
        .word_bits = 16, .bits = 16, .length = packed.size() / 2, .chunk_words = 8};
    EXPECT_EQ(to_hex(hash_of_upload(h, id, std::span(&lane, 1), packed)), one["hash_y"]);
  }
}

TEST_F(SecAggVectors, CheckLane) {
  for (const Json& v : known["check"]) {
    const auto spec = lane_spec(v);
    auto check = spec;
    check.kind = encoding::LaneKind::kCheck;
    check.length = spec.chunk_count();
    EXPECT_EQ(words_of(encoding::check_lane(ring_vector(spec, v["words"]), check, bytes32(v["h"]))),
              v["check"]);
  }
}

}  // namespace
}  // namespace sotto::secagg
