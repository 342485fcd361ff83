#include "common/wire/codec.h"

#include <fstream>
#include <random>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/common/wire/samples.h"

namespace sotto::wire {
namespace {

using samples::h32;
using samples::kRound;
using samples::kSender;

Bytes frame_of(const Message& message) {
  return encode(kSender, kRound, message);
}

nlohmann::json golden_frames() {
  std::ifstream in(SOTTO_SOURCE_DIR "/tests/vectors/wire/frames.json");
  return nlohmann::json::parse(in);
}

// The body length in the frame's head follows what was done to the body.
void fix_length(Bytes& frame) {
  const std::uint64_t length = frame.size() - kFrameHeaderBytes;
  for (std::size_t i = 0; i < 8; ++i)
    frame[16 + i] = static_cast<std::uint8_t>(length >> (8 * i));
}

void put_u32(Bytes& frame, std::size_t body_offset, std::uint32_t v) {
  for (std::size_t i = 0; i < 4; ++i)
    frame[kFrameHeaderBytes + body_offset + i] = static_cast<std::uint8_t>(v >> (8 * i));
}

// What decode() says of `message` with one byte of its body replaced.
std::string error_with(const Message& message, std::size_t body_offset, std::uint8_t byte) {
  Bytes frame = frame_of(message);
  frame.at(kFrameHeaderBytes + body_offset) = byte;
  const auto decoded = decode(frame);
  return decoded.ok() ? "" : decoded.error().message;
}

template <class M>
M sample() {
  for (const Message& message : samples::all())
    if (const M* found = std::get_if<M>(&message)) return *found;
  throw std::logic_error("no sample");
}

bool refused(const Message& message, const Limits& limits, std::string_view mentions) {
  const auto decoded = decode(frame_of(message), limits);
  return !decoded.ok() && decoded.error().message.find(mentions) != std::string::npos;
}

TEST(WireCodec, EveryMessageHasItsFrozenBytes) {
  const auto frames = golden_frames();
  EXPECT_EQ(samples::all().size(), std::variant_size_v<Message>);
  for (const Message& message : samples::all()) {
    const std::string name(name_of(message));
    EXPECT_EQ(to_hex(frame_of(message)), frames.at(name).get<std::string>()) << name;
  }
}

TEST(WireCodec, FrozenBytesDecodeToTheirMessage) {
  const auto frames = golden_frames();
  for (const Message& message : samples::all()) {
    const auto bytes = from_hex(frames.at(std::string(name_of(message))).get<std::string>());
    const auto decoded = decode(bytes.value());
    ASSERT_TRUE(decoded.ok()) << decoded.error().message;
    EXPECT_EQ(decoded->sender, kSender);
    EXPECT_EQ(decoded->round, kRound);
    EXPECT_TRUE(decoded->message == message) << name_of(message);
  }
}

TEST(WireCodec, HeaderBytesAreFrozenAndParseBack) {
  const Bytes bytes = header_bytes(samples::header());
  EXPECT_EQ(to_hex(bytes), golden_frames().at("header").get<std::string>());
  EXPECT_EQ(bytes.size(), 211U + 3 * 20);
  const auto parsed = parse_header(bytes);
  ASSERT_TRUE(parsed.ok());
  EXPECT_TRUE(*parsed == samples::header());
}

TEST(WireCodec, FramesAsLongAsTheSpecificationSays) {
  const auto body = [](const Message& m) { return frame_of(m).size() - kFrameHeaderBytes; };
  EXPECT_EQ(body(sample<Advertise>()), 164U);
  EXPECT_EQ(body(sample<UploadHeader>()), 132U);
  EXPECT_EQ(body(sample<Endorse>()), 69U);
  EXPECT_EQ(body(sample<RoundResult>()), 161U);
  EXPECT_EQ(body(sample<AbortRequest>()), 276U + 3 * 20);
  EXPECT_EQ(body(sample<AbortVote>()), 69U);
}

TEST(WireCodec, TruncationAtEveryLengthIsRefused) {
  for (const Message& message : samples::all()) {
    const Bytes whole = frame_of(message);
    for (std::size_t n = 0; n < whole.size(); ++n) {
      Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n));
      EXPECT_FALSE(decode(cut).ok()) << name_of(message) << " cut to " << n;
      if (n < kFrameHeaderBytes) continue;
      fix_length(cut);
      EXPECT_FALSE(decode(cut).ok()) << name_of(message) << " with a body of " << n;
    }
  }
}

TEST(WireCodec, TrailingByteIsRefused) {
  for (const Message& message : samples::all()) {
    Bytes longer = frame_of(message);
    longer.push_back(0);
    EXPECT_FALSE(decode(longer).ok()) << name_of(message);
    fix_length(longer);
    EXPECT_FALSE(decode(longer).ok()) << name_of(message);
  }
}

TEST(WireCodec, OtherVersionAndUnknownTypeAreRefused) {
  Bytes frame = frame_of(Hello{});
  EXPECT_FALSE(is_of_another_protocol(frame));
  for (const int other : {0, 1, 2, 4}) {
    frame[0] = static_cast<std::uint8_t>(other);
    EXPECT_FALSE(decode(frame).ok());
    EXPECT_TRUE(is_of_another_protocol(frame));
  }
  for (std::uint32_t type = 0; type < 65536; ++type) {
    if (type <= 14 || (type >= 32 && type <= 38)) continue;
    Bytes other = frame_of(Hello{});
    other[2] = static_cast<std::uint8_t>(type);
    other[3] = static_cast<std::uint8_t>(type >> 8);
    ASSERT_FALSE(decode(other).ok()) << type;
  }
}

TEST(WireCodec, CountsAboveTheirLimitAreRefused) {
  Limits limits;
  limits.cohort = 1;
  EXPECT_TRUE(refused(sample<Shares>(), limits, "shares"));
  EXPECT_TRUE(refused(sample<UnmaskRequest>(), limits, "endorsements"));
  EXPECT_TRUE(refused(sample<UnmaskResponse>(), limits, "revealed shares"));
  EXPECT_TRUE(refused(sample<AbortCertificate>(), limits, "burn votes"));
  EXPECT_TRUE(refused(sample<Offer>(), limits, "cohort size"));
  EXPECT_TRUE(refused(sample<AbortRequest>(), limits, "cohort size"));
  limits.cohort = 0;
  EXPECT_TRUE(refused(sample<Complaints>(), limits, "complaints"));
  EXPECT_TRUE(refused(sample<Opening>(), limits, "opened shares"));
  EXPECT_TRUE(refused(Fix{{}, {}, {{}}}, limits, "opened shares"));
  EXPECT_TRUE(refused(KeyList{{}, {}, {samples::advertise()}}, limits, "advertisements"));
  EXPECT_TRUE(refused(ShareForward{{}, {}, {{}}}, limits, "forwarded shares"));
  EXPECT_TRUE(refused(UnmaskRequest{{}, {}, {}, {samples::upload()}}, limits, "upload headers"));
  EXPECT_TRUE(refused(sample<KeyList>(), limits, "bitmap"));
  EXPECT_TRUE(refused(sample<ShareForward>(), limits, "bitmap"));
  EXPECT_TRUE(refused(sample<ShareCheck>(), limits, "bitmap"));
  EXPECT_TRUE(refused(sample<Fix>(), limits, "bitmap"));
  EXPECT_TRUE(refused(sample<Survivors>(), limits, "bitmap"));
}

TEST(WireCodec, SizesAboveTheirLimitAreRefused) {
  Limits limits;
  limits.roster_members = 8;
  EXPECT_TRUE(refused(sample<Offer>(), limits, "bitmap"));
  limits = {};
  limits.lanes = 2;
  EXPECT_TRUE(refused(sample<Offer>(), limits, "lanes"));
  limits = {};
  limits.lane_words = 999999;
  EXPECT_TRUE(refused(sample<Offer>(), limits, "lane words"));
  limits = {};
  limits.job_bytes = 11;
  EXPECT_TRUE(refused(sample<JobOffer>(), limits, "job"));
  limits.reason_bytes = 8;
  EXPECT_TRUE(refused(sample<JobReply>(), limits, "reason"));
  EXPECT_TRUE(refused(sample<LeaveRound>(), limits, "reason"));
  EXPECT_TRUE(refused(RunFinished{{}, true, {}, "123456789", {}}, limits, "reason"));
  limits.blob_chunk_bytes = 4;
  EXPECT_TRUE(refused(sample<BlobRequest>(), limits, "range"));
  EXPECT_TRUE(refused(sample<BlobData>(), limits, "range"));
  limits.blob_bytes = 262143;
  EXPECT_TRUE(refused(sample<BlobRequest>(), limits, "offset"));
  EXPECT_TRUE(refused(sample<BlobData>(), limits, "blob bytes"));
}

// With the widest limits a count that the frame cannot hold is refused before it is allocated: four
// billion entries of any of these would not fit in this machine.
TEST(WireCodec, CountsThatTheFrameCannotHoldAreRefused) {
  Limits limits;
  limits.cohort = limits.roster_members = 0xffffffff;
  limits.job_bytes = limits.reason_bytes = limits.blob_chunk_bytes = 0xffffffff;
  limits.blob_bytes = ~std::uint64_t{0};

  struct Case {
    Message message;
    std::size_t count_at;
  };

  const std::vector<Case> cases = {{KeyList{}, 66},        {Shares{}, 4},
                                   {ShareForward{}, 66},   {UnmaskRequest{}, 1},
                                   {UnmaskRequest{}, 69},  {AbortCertificate{}, 1},
                                   {UnmaskResponse{}, 68}, {Complaints{}, 0},
                                   {Opening{}, 36},        {Fix{}, 66},
                                   {JobOffer{}, 32},       {JobReply{}, 89},
                                   {LeaveRound{}, 0},      {BlobData{}, 48},
                                   {RunFinished{}, 65}};
  for (const Case& c : cases) {
    Bytes frame = frame_of(c.message);
    ASSERT_TRUE(decode(frame, limits).ok());
    put_u32(frame, c.count_at, 0xffffffff);
    EXPECT_FALSE(decode(frame, limits).ok()) << name_of(c.message) << " at " << c.count_at;
  }
}

TEST(WireCodec, EnumeratorsOutOfRangeAreRefused) {
  EXPECT_NE(error_with(sample<RoundResult>(), 0, 4).find("round status"), std::string::npos);
  EXPECT_NE(error_with(sample<UnmaskResponse>(), 76, 2).find("share kind"), std::string::npos);
  EXPECT_NE(error_with(sample<Offer>(), 144, 2).find("neighbour graph"), std::string::npos);
  EXPECT_NE(error_with(sample<Offer>(), 209, 2).find("mask generator"), std::string::npos);
  EXPECT_NE(error_with(sample<Offer>(), 211 + 2, 0).find("lane codec"), std::string::npos);
  EXPECT_NE(error_with(sample<Offer>(), 211 + 2, 4).find("lane codec"), std::string::npos);
  EXPECT_NE(error_with(sample<JobReply>(), 68, 3).find("job answer"), std::string::npos);
  EXPECT_NE(error_with(sample<RunFinished>(), 32, 255).find("yes/no"), std::string::npos);
}

TEST(WireCodec, HeadersOfAnotherProtocolAreRefused) {
  EXPECT_NE(error_with(sample<Offer>(), 6, '2').find("SECAGG1"), std::string::npos);
  EXPECT_NE(error_with(sample<Offer>(), 7, ' ').find("SECAGG1"), std::string::npos);
}

TEST(WireCodec, PaddingThatIsNotZeroIsRefused) {
  for (std::size_t pad : {3U, 16U, 17U, 18U, 19U})
    EXPECT_NE(error_with(sample<Offer>(), 211 + pad, 1).find("padding"), std::string::npos) << pad;
}

TEST(WireCodec, LanesThatCannotBePackedAreRefused) {
  const auto with = [](auto change) {
    Offer offer = sample<Offer>();
    change(offer.header.lanes[0]);
    return decode(frame_of(offer)).ok();
  };
  EXPECT_TRUE(with([](encoding::LaneSpec&) {}));
  EXPECT_FALSE(with([](encoding::LaneSpec& lane) { lane.word_bits = 24; }));
  EXPECT_FALSE(with([](encoding::LaneSpec& lane) { lane.bits = 0; }));
  EXPECT_FALSE(with([](encoding::LaneSpec& lane) { lane.bits = 33; }));
  EXPECT_FALSE(with([](encoding::LaneSpec& lane) { lane.length = 0; }));
  EXPECT_FALSE(with([](encoding::LaneSpec& lane) { lane.chunk_words = 0; }));
  EXPECT_FALSE(with([](encoding::LaneSpec& lane) { lane.chunk_words = 65537; }));
  EXPECT_FALSE(with([](encoding::LaneSpec& lane) { lane.chunk_words = 2; }));
  EXPECT_FALSE(with([](encoding::LaneSpec& lane) { lane.chunk_words = 1U << 25; }));
}

TEST(WireCodec, SurvivorAndAbortMessagesAreToldApartByTheirKind) {
  const auto as_kind = [](const Message& message, std::uint8_t kind) {
    Bytes frame = frame_of(message);
    frame.at(kFrameHeaderBytes) = kind;
    return decode(frame);
  };
  // An endorsement and a vote have the same fields, so that the kind alone says which one it is.
  EXPECT_TRUE(std::holds_alternative<AbortVote>(as_kind(sample<Endorse>(), 1)->message));
  EXPECT_TRUE(std::holds_alternative<Endorse>(as_kind(sample<AbortVote>(), 0)->message));
  EXPECT_FALSE(as_kind(sample<Survivors>(), 1).ok());
  EXPECT_FALSE(as_kind(sample<UnmaskRequest>(), 1).ok());
  EXPECT_FALSE(as_kind(sample<AbortRequest>(), 0).ok());
  EXPECT_FALSE(as_kind(sample<AbortCertificate>(), 0).ok());
  for (const Message& message : {Message(sample<Survivors>()), Message(sample<Endorse>()),
                                 Message(sample<UnmaskRequest>()), Message(sample<AbortVote>())})
    EXPECT_NE(as_kind(message, 2).error().message.find("kind"), std::string::npos);
}

TEST(WireCodec, BlobRangeBehindItsBlobIsRefused) {
  EXPECT_TRUE(decode(frame_of(BlobData{{}, 10, 6, Bytes(4)})).ok());
  EXPECT_FALSE(decode(frame_of(BlobData{{}, 10, 7, Bytes(4)})).ok());
  EXPECT_FALSE(decode(frame_of(BlobData{{}, 10, 11, {}})).ok());
}

// Whatever decodes is encoded to the same bytes: one message, one frame. And nothing that a random
// change makes of a frame disturbs the decoder.
TEST(WireCodec, WhatDecodesEncodesToTheSameBytes) {
  std::mt19937 random(7);  // NOLINT: the same cases every time
  const auto messages = samples::all();
  std::size_t accepted = 0;
  for (int i = 0; i < 50000; ++i) {
    Bytes frame = frame_of(messages[random() % messages.size()]);
    for (auto changes = random() % 3; changes > 0; --changes)
      frame[random() % frame.size()] = static_cast<std::uint8_t>(random());
    const auto decoded = decode(frame);
    if (!decoded.ok()) {
      EXPECT_FALSE(decoded.error().message.empty());
      continue;
    }
    ++accepted;
    ASSERT_EQ(encode(decoded->sender, decoded->round, decoded->message), frame);
  }
  EXPECT_GT(accepted, 10000U);
}

TEST(WireCodec, RandomBytesNeverDecode) {
  std::mt19937 random(8);  // NOLINT
  for (int i = 0; i < 20000; ++i) {
    Bytes noise(random() % 300);
    for (auto& byte : noise)
      byte = static_cast<std::uint8_t>(random());
    EXPECT_FALSE(decode(noise).ok());
  }
}

TEST(Bitmap, IndexesComeBackAndBitZeroIsTheLowestOfByteZero) {
  EXPECT_EQ(to_bitmap(10, {0, 3, 9}), (Bitmap{0x09, 0x02}));
  for (std::uint32_t n = 0; n <= 40; ++n) {
    std::vector<std::uint32_t> odd;
    for (std::uint32_t i = 1; i < n; i += 2)
      odd.push_back(i);
    const auto back = from_bitmap(n, to_bitmap(n, odd));
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(*back, odd);
  }
}

TEST(Bitmap, WrongLengthOrSpareBitIsRefused) {
  EXPECT_FALSE(from_bitmap(8, {0x01, 0x00}).ok());
  EXPECT_FALSE(from_bitmap(9, {0x01}).ok());
  EXPECT_FALSE(from_bitmap(0, {0x00}).ok());
  EXPECT_FALSE(from_bitmap(9, {0x01, 0x02}).ok());
  EXPECT_FALSE(from_bitmap(5, {0x20}).ok());
  EXPECT_TRUE(from_bitmap(5, {0x10}).ok());
}

}  // namespace
}  // namespace sotto::wire
