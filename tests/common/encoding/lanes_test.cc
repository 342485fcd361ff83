#include "common/encoding/lanes.h"

#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/crypto/secure_random.h"
#include "common/encoding/quantizer.h"

namespace sotto::encoding {
namespace {

nlohmann::json vectors(const char* table) {
  std::ifstream in(SOTTO_SOURCE_DIR "/tests/vectors/codec/codec.json");
  nlohmann::json rows = nlohmann::json::parse(in).at(table);
  SOTTO_CHECK(rows.size() >= 4, "the vectors are missing");
  return rows;
}

LaneSpec lane_of(const nlohmann::json& row) {
  return {.word_bits = row["word_bits"],
          .bits = row["bits"],
          .kind = LaneKind::kUpdate,
          .length = row["length"],
          .chunk_words = row["chunk_words"]};
}

RingVector words_of(const nlohmann::json& row) {
  RingVector out(lane_of(row));
  std::uint64_t i = 0;
  for (const std::string word : row["words"])
    out.set(i++, std::stoull(word, nullptr, 16));
  return out;
}

RingVector random_vector(const LaneSpec& spec, crypto::StreamRandom& random) {
  RingVector out(spec);
  std::visit(
      [&](auto& words) {
        random.fill({reinterpret_cast<std::uint8_t*>(words.data()),
                     words.size() * sizeof(decltype(words[0]))});
      },
      out.words());
  return out;
}

std::uint64_t read_mask(int bits) {
  return bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
}

std::uint8_t ring_for(int bits) {
  return bits <= 16 ? 16 : bits <= 32 ? 32 : 64;
}

RingUpdate three_lanes(crypto::StreamRandom& random) {
  RingUpdate out;
  for (const auto& [bits, length] : {std::pair{13, 100U}, {64, 5U}, {13, 7U}}) {
    out.lanes.push_back(random_vector({.word_bits = ring_for(bits),
                                       .bits = static_cast<std::uint8_t>(bits),
                                       .length = length,
                                       .chunk_words = 16},
                                      random));
    out.lanes.back().reduce();
  }
  return out;
}

TEST(PackedParts, AreTheWholePackedUpdateAndAddedChunkByChunkGiveItBack) {
  crypto::StreamRandom random(4);
  const RingUpdate update = three_lanes(random);
  const Bytes whole = update.pack();
  Bytes joined;
  PackedParts parts(update);
  for (BytesView part = parts.next(); !part.empty(); part = parts.next()) {
    EXPECT_LE(part.size(), 16U * 8) << "a chunk at a time";
    joined.insert(joined.end(), part.begin(), part.end());
  }
  EXPECT_EQ(joined, whole);
  RingUpdate read = RingUpdate::zeros(update.specs());
  for (const PackedChunk& chunk : packed_chunks(update.specs())) {
    const BytesView packed = BytesView(whole).subspan(chunk.offset, chunk.bytes);
    ASSERT_TRUE(check_packed_chunk(update.specs()[chunk.lane], chunk.chunk, packed).ok());
    read.lanes[chunk.lane].add_packed_chunk(chunk.chunk, packed);
  }
  EXPECT_EQ(read.pack(), whole);
}

TEST(PackedParts, AChunkOfAnotherLengthOrWithASpareBitIsRefused) {
  const LaneSpec lane{.word_bits = 16, .bits = 13, .length = 21, .chunk_words = 16};
  const Bytes last(lane.packed_chunk_bytes(1), 0);  // five words, 65 bits
  EXPECT_TRUE(check_packed_chunk(lane, 1, last).ok());
  EXPECT_FALSE(check_packed_chunk(lane, 0, last).ok());
  Bytes spare = last;
  spare.back() = 0x80;
  EXPECT_FALSE(check_packed_chunk(lane, 1, spare).ok());
  RingVector sum(lane);
  EXPECT_DEATH(sum.add_packed_chunk(1, spare), "was checked");
}

TEST(RingVector, PacksTheBytesOfTheIndependentImplementation) {
  for (const auto& row : vectors("packed_lanes")) {
    const Bytes bytes = words_of(row).pack();
    EXPECT_EQ(to_hex(bytes), row["packed"]) << row["bits"];
    EXPECT_EQ(bytes.size(), lane_of(row).packed_bytes());
  }
}

TEST(RingVector, AddingPackedWordsTurnsPackRound) {
  crypto::StreamRandom random(1);
  for (const int bits : {1, 7, 8, 12, 16, 18, 20, 23, 26, 31, 32, 33, 63, 64}) {
    for (const std::uint64_t length : {1U, 7U, 8U, 63U, 64U, 65U, 1000U}) {
      const LaneSpec spec{.word_bits = ring_for(bits),
                          .bits = static_cast<std::uint8_t>(bits),
                          .kind = LaneKind::kUpdate,
                          .length = length,
                          .chunk_words = 64};
      RingVector original = random_vector(spec, random);
      const Bytes bytes = original.pack();
      ASSERT_EQ(bytes.size(), spec.packed_bytes());
      RingVector twice = original.clone();
      ASSERT_TRUE(twice.add_packed(bytes).ok());
      RingVector read(spec);
      ASSERT_TRUE(read.add_packed(bytes).ok());
      original.reduce();
      EXPECT_EQ(read.words(), original.words()) << bits << " bits, " << length << " words";
      for (std::uint64_t i = 0; i < length; ++i)
        ASSERT_EQ(twice.at(i), (2 * original.at(i)) & read_mask(bits))
            << bits << " bits, word " << i;
    }
  }
}

TEST(RingVector, RefusesSpareBitsAndWrongLengths) {
  const LaneSpec spec{
      .word_bits = 32, .bits = 12, .kind = LaneKind::kUpdate, .length = 11, .chunk_words = 8};
  const Bytes good = RingVector(spec).pack();
  ASSERT_EQ(good.size(), 12U + 5U);  // 8 * 12 bits fill their bytes, 3 * 12 leave four spare bits
  EXPECT_TRUE(check_packed(spec, good).ok());
  for (int bit = 4; bit < 8; ++bit) {
    Bytes bad = good;
    bad.back() = static_cast<std::uint8_t>(1 << bit);
    EXPECT_FALSE(check_packed(spec, bad).ok()) << bit;
  }
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_FALSE(check_packed(spec, longer).ok());
  EXPECT_FALSE(check_packed(spec, BytesView(good).first(16)).ok());
  EXPECT_FALSE(check_packed(spec, {}).ok());
}

TEST(RingUpdate, AddsNothingOfPackedLanesThatDoNotFit) {
  const std::vector<LaneSpec> lanes = {
      {.word_bits = 32, .bits = 20, .kind = LaneKind::kUpdate, .length = 9, .chunk_words = 8},
      {.word_bits = 32, .bits = 12, .kind = LaneKind::kCheck, .length = 3, .chunk_words = 8}};
  crypto::StreamRandom random(3);
  RingUpdate update;
  for (const LaneSpec& lane : lanes)
    update.lanes.push_back(random_vector(lane, random));
  const Bytes good = update.pack();
  RingUpdate sum = RingUpdate::zeros(lanes);
  Bytes spare = good;
  spare.back() |= 0x80;  // only the last lane is at fault
  Bytes longer = good;
  longer.push_back(0);
  for (const BytesView bad : {BytesView(spare), BytesView(longer), BytesView(good).first(20)}) {
    EXPECT_FALSE(sum.add_packed(bad).ok());
    for (const RingVector& lane : sum.lanes)
      EXPECT_EQ(lane.words(), RingVector(lane.spec()).words());
  }
  ASSERT_TRUE(sum.add_packed(good).ok());
  EXPECT_EQ(sum.pack(), good);
}

TEST(RingVector, AddsInTheRing) {
  crypto::StreamRandom random(2);
  for (const int bits : {12, 20, 33}) {
    const LaneSpec spec{.word_bits = ring_for(bits),
                        .bits = static_cast<std::uint8_t>(bits),
                        .kind = LaneKind::kUpdate,
                        .length = 100,
                        .chunk_words = 64};
    RingVector sum = random_vector(spec, random);
    const RingVector before = sum.clone();
    const RingVector term = random_vector(spec, random);
    sum.add(term);
    for (std::uint64_t i = 0; i < spec.length; ++i)
      EXPECT_EQ(sum.at(i), (before.at(i) + term.at(i)) % (std::uint64_t{1} << bits));
  }
}

TEST(LaneSpec, RefusesWhatTheSpecificationDoesNotAllow) {
  const LaneSpec good{
      .word_bits = 32, .bits = 20, .kind = LaneKind::kUpdate, .length = 10, .chunk_words = 1024};
  EXPECT_TRUE(good.valid());
  const auto with = [&](auto change) {
    LaneSpec spec = good;
    change(spec);
    return spec.valid();
  };
  EXPECT_FALSE(with([](LaneSpec& s) { s.word_bits = 24; }));
  EXPECT_FALSE(with([](LaneSpec& s) { s.bits = 0; }));
  EXPECT_FALSE(with([](LaneSpec& s) { s.bits = 33; }));
  EXPECT_FALSE(with([](LaneSpec& s) { s.kind = static_cast<LaneKind>(4); }));
  EXPECT_FALSE(with([](LaneSpec& s) { s.length = 0; }));
  EXPECT_FALSE(with([](LaneSpec& s) { s.length = std::uint64_t{1} << 41; }));
  EXPECT_FALSE(with([](LaneSpec& s) { s.chunk_words = 0; }));
  EXPECT_FALSE(with([](LaneSpec& s) { s.chunk_words = 1000; }));
  EXPECT_FALSE(with([](LaneSpec& s) { s.chunk_words = 2; }));         // 8 bytes
  EXPECT_TRUE(with([](LaneSpec& s) { s.chunk_words = 4; }));          // 16 bytes
  EXPECT_FALSE(with([](LaneSpec& s) { s.chunk_words = 1U << 25; }));  // 2^27 bytes
}

TEST(CheckLane, EqualsTheIndependentImplementation) {
  for (const auto& row : vectors("check_lanes")) {
    const RingVector update = words_of(row);
    LaneSpec check = update.spec();
    check.kind = LaneKind::kCheck;
    check.length = update.spec().chunk_count();
    const std::string hex = row["header_hash"];
    Bytes32 header_hash{};
    const Bytes raw_hash = from_hex(hex).value();
    std::copy(raw_hash.begin(), raw_hash.end(), header_hash.begin());
    const RingVector words = check_lane(update, check, header_hash);
    for (std::uint64_t i = 0; i < check.length; ++i)
      EXPECT_EQ(words.at(i), std::stoull(row["check"][i].get<std::string>(), nullptr, 16));
  }
}

}  // namespace
}  // namespace sotto::encoding
