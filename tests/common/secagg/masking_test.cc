#include "common/secagg/shared/masking.h"

#include <gtest/gtest.h>

#include "common/crypto/hash.h"
#include "common/crypto/hash_pieces.h"

namespace sotto::secagg {
namespace {

using encoding::LaneKind;
using encoding::LaneSpec;

const Bytes32 kH{1, 2, 3};

std::vector<LaneSpec> lanes_of(std::uint8_t word_bits, std::uint8_t bits, std::uint64_t length) {
  return {{.word_bits = word_bits,
           .bits = bits,
           .kind = LaneKind::kUpdate,
           .length = length,
           .chunk_words = 1024},
          {.word_bits = 64, .bits = 64, .kind = LaneKind::kCounters, .length = 6, .chunk_words = 8},
          {.word_bits = word_bits,
           .bits = bits,
           .kind = LaneKind::kCheck,
           .length = (length + 1023) / 1024,
           .chunk_words = 1024}};
}

std::vector<encoding::RingVector> zeros(const std::vector<LaneSpec>& lanes) {
  std::vector<encoding::RingVector> out;
  for (const LaneSpec& lane : lanes)
    out.emplace_back(lane);
  return out;
}

crypto::Secret32 secret(std::uint64_t seed) {
  crypto::StreamRandom random(seed);
  return crypto::Secret32::random(random);
}

MaskSeed pair(std::uint64_t seed, crypto::MaskSign sign) {
  return {MaskSeed::Kind::kPair, secret(seed), {}, sign};
}

MaskSeed self(std::uint64_t seed, std::uint32_t id, crypto::MaskSign sign) {
  return {MaskSeed::Kind::kSelf, secret(seed), MemberId{id}, sign};
}

std::vector<MaskSeed> some_seeds() {
  std::vector<MaskSeed> seeds;
  seeds.push_back(pair(1, crypto::MaskSign::kAdd));
  seeds.push_back(pair(2, crypto::MaskSign::kSubtract));
  seeds.push_back(self(3, 7, crypto::MaskSign::kAdd));
  return seeds;
}

bool all_zero(const encoding::RingVector& lane) {
  for (std::uint64_t i = 0; i < lane.spec().length; ++i)
    if (lane.at(i) != 0) return false;
  return true;
}

TEST(Masking, TheTwoEndsOfAPairCancel) {
  for (auto [word_bits, bits] : {std::pair<int, int>{16, 11}, {32, 21}, {64, 40}}) {
    const auto specs =
        lanes_of(static_cast<std::uint8_t>(word_bits), static_cast<std::uint8_t>(bits), 9000);
    auto low = zeros(specs), high = zeros(specs);
    std::vector<MaskSeed> add, subtract;
    add.push_back(pair(5, crypto::MaskSign::kAdd));
    subtract.push_back(pair(5, crypto::MaskSign::kSubtract));
    apply_masks(low, kH, add, 1);
    apply_masks(high, kH, subtract, 1);
    for (std::size_t lane = 0; lane < specs.size(); ++lane) {
      EXPECT_FALSE(all_zero(low[lane]));
      low[lane].add(high[lane]);
      low[lane].reduce();
      EXPECT_TRUE(all_zero(low[lane])) << word_bits << " lane " << lane;
    }
  }
}

TEST(Masking, ResultDoesNotDependOnTheNumberOfThreads) {
  for (std::uint64_t length : {1ULL, 2048ULL, 4096ULL, 20001ULL}) {
    const auto specs = lanes_of(32, 21, length);
    auto one = zeros(specs);
    apply_masks(one, kH, some_seeds(), 1);
    for (unsigned threads : {2U, 3U, 16U}) {
      auto many = zeros(specs);
      apply_masks(many, kH, some_seeds(), threads);
      for (std::size_t lane = 0; lane < specs.size(); ++lane)
        EXPECT_EQ(one[lane].words(), many[lane].words()) << length << " " << threads;
    }
  }
}

TEST(Masking, SelfMaskFollowsTheKeyScheduleOfTheSpecification) {
  auto lanes = zeros(lanes_of(32, 32, 40));
  std::vector<MaskSeed> seeds;
  seeds.push_back(self(3, 7, crypto::MaskSign::kAdd));
  apply_masks(lanes, kH, seeds, 2);
  for (std::uint8_t lane = 0; lane < 3; ++lane) {
    ByteWriter context;
    context.bytes(kH);
    context.u32(7);
    context.u8(lane);
    context.u64(0);
    const auto key = crypto::kdf("SA1 self", secret(3), {context.view()});
    Bytes stream(16);
    crypto::keystream(key, lane, 0, stream);
    const std::uint64_t width = lane == 1 ? 8 : 4;
    std::uint64_t word = 0;
    for (std::uint64_t i = 0; i < width; ++i)
      word |= std::uint64_t{stream[i]} << (8 * i);
    EXPECT_EQ(lanes[lane].at(0), word) << int{lane};
  }
}

TEST(Masking, CountersHaveTheSameLaneNumberWithoutAnUpdate) {
  auto all = zeros(lanes_of(32, 21, 100));
  std::vector<LaneSpec> only_counters{lanes_of(32, 21, 100)[1]};
  auto evaluation = zeros(only_counters);
  apply_masks(all, kH, some_seeds(), 1);
  apply_masks(evaluation, kH, some_seeds(), 1);
  EXPECT_EQ(all[1].words(), evaluation[0].words());
}

TEST(Masking, StreamsDifferBetweenLanesMembersAndRounds) {
  const auto first_word = [](std::vector<MaskSeed> seeds, const Bytes32& h, std::size_t lane) {
    auto lanes = zeros(lanes_of(32, 32, 2048));
    apply_masks(lanes, h, seeds, 1);
    return lanes[lane].at(0);
  };
  const auto one_self = [](std::uint32_t id) {
    std::vector<MaskSeed> seeds;
    seeds.push_back(self(3, id, crypto::MaskSign::kAdd));
    return seeds;
  };
  const std::uint64_t base = first_word(one_self(7), kH, 0);
  EXPECT_NE(base, first_word(one_self(7), kH, 2));
  EXPECT_NE(base, first_word(one_self(8), kH, 0));
  EXPECT_NE(base, first_word(one_self(7), Bytes32{9}, 0));
}

TEST(Masking, BothEndsDeriveOnePairSecretAndTheContextSeparates) {
  crypto::StreamRandom random(11);
  wire::Advertise low{.id = MemberId{1}}, high{.id = MemberId{2}};
  const auto low_key = mask_agreement_key(secret(21), kH, low.id);
  const auto high_key = mask_agreement_key(secret(22), kH, high.id);
  low.pk_mask = low_key.public_key();
  high.pk_mask = high_key.public_key();
  const Bytes context = pair_context(kH, low, high);
  EXPECT_EQ(context.size(), 32U + 8U + 2U * 164U);
  const auto a = pair_secret(low_key, high.pk_mask, {}, context);
  const auto b = pair_secret(high_key, low.pk_mask, {}, context);
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_TRUE(a->equals(*b));
  const auto c = pair_secret(low_key, high.pk_mask, {}, pair_context(Bytes32{9}, low, high));
  ASSERT_TRUE(c.ok());
  EXPECT_FALSE(a->equals(*c));
  EXPECT_FALSE(pair_secret(low_key, crypto::PublicKey{}, {}, context).ok());  // low order
}

TEST(Masking, MaskKeyDependsOnSeedRoundAndMember) {
  const auto key = [](std::uint64_t r, const Bytes32& h, std::uint32_t id) {
    return mask_agreement_key(secret(r), h, MemberId{id}).public_key();
  };
  EXPECT_EQ(key(1, kH, 2), key(1, kH, 2));
  EXPECT_NE(key(1, kH, 2), key(1, kH, 3));
  EXPECT_NE(key(1, kH, 2), key(1, Bytes32{9}, 2));
  EXPECT_NE(key(1, kH, 2), key(2, kH, 2));
}

TEST(Masking, UploadHashCoversEveryByteItsOwnerAndItsRound) {
  const auto specs = lanes_of(32, 21, 9000);
  Bytes packed(upload_bytes(specs));
  const Bytes32 base = hash_of_upload(kH, MemberId{1}, specs, packed);
  EXPECT_NE(base, hash_of_upload(kH, MemberId{2}, specs, packed));
  EXPECT_NE(base, hash_of_upload(Bytes32{9}, MemberId{1}, specs, packed));
  for (std::size_t at :
       {std::size_t{0}, crypto::kPieceBytes - 1, crypto::kPieceBytes, packed.size() - 1}) {
    packed[at] ^= 1;
    EXPECT_NE(base, hash_of_upload(kH, MemberId{1}, specs, packed)) << at;
    packed[at] ^= 1;
  }
}

TEST(MaskingDeathTest, AnUploadOfAnotherSizeIsOurBug) {
  const auto specs = lanes_of(32, 21, 3000);
  EXPECT_DEATH(hash_of_upload(kH, MemberId{1}, specs, Bytes(3)), "exactly");
}

}  // namespace
}  // namespace sotto::secagg
