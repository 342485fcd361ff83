#include <deque>
#include <random>

#include <gtest/gtest.h>

#include "common/wire/blob_transfer.h"
#include "common/wire/codec.h"

namespace sotto::wire {
namespace {

constexpr FetchLimits kSmall{.chunk_bytes = 100, .in_flight = 4, .retry_after = Duration(5000)};
const Bytes32 kName{1, 2, 3};

TimePoint at(int ms) {
  return TimePoint(Duration(ms));
}

Bytes some_bytes(std::size_t n) {
  Bytes bytes(n);
  std::mt19937 random(3);  // NOLINT
  for (auto& b : bytes)
    b = static_cast<std::uint8_t>(random());
  return bytes;
}

BlobData answer_to(const BlobRequest& request, const Bytes& blob) {
  auto data = answer(request, blob);
  EXPECT_TRUE(data.ok());
  return std::move(data).value();
}

// Requests and answers one by one until the blob is there.
Bytes fetch_all(BlobFetch& fetch, const Bytes& blob) {
  TimePoint now = at(0);
  while (!fetch.complete()) {
    for (const BlobRequest& request : fetch.due(now))
      EXPECT_TRUE(fetch.accept(answer_to(request, blob)).ok());
    now += Duration(1);
    EXPECT_LT(now, at(100000)) << "does not end";
    if (now >= at(100000)) break;
  }
  return fetch.take();
}

TEST(BlobFetch, EveryLengthArrivesWithAndWithoutKnowingIt) {
  for (std::size_t n : {1U, 99U, 100U, 101U, 400U, 401U, 5000U}) {
    const Bytes blob = some_bytes(n);
    BlobFetch known(kName, n, n, kSmall);
    EXPECT_EQ(fetch_all(known, blob), blob);
    BlobFetch unknown(kName, std::nullopt, n, kSmall);
    EXPECT_EQ(fetch_all(unknown, blob), blob);
    EXPECT_EQ(unknown.received_bytes(), n);
  }
}

TEST(BlobAnswer, ABlobInTwoPlacesIsThatBlob) {
  Bytes blob(100);
  for (std::size_t i = 0; i < blob.size(); ++i)
    blob[i] = static_cast<std::uint8_t>(i);
  for (std::size_t cut = 0; cut <= blob.size(); ++cut)
    for (std::uint64_t offset = 0; offset < blob.size(); offset += 7)
      for (std::uint32_t length : {1U, 13U, 200U}) {
        const BlobRequest request{kName, offset, length};
        const auto whole = answer(request, blob);
        const auto pieces =
            answer(request, BytesView(blob).first(cut), BytesView(blob).subspan(cut));
        ASSERT_TRUE(pieces.ok());
        EXPECT_EQ(pieces->data, whole->data) << cut << ' ' << offset << ' ' << length;
        EXPECT_EQ(pieces->total, 100U);
      }
  EXPECT_FALSE(
      answer({kName, 100, 1}, BytesView(blob).first(40), BytesView(blob).subspan(40)).ok());
}

TEST(BlobFetch, ExpectedEmptyBlobIsCompleteWithoutAsking) {
  BlobFetch fetch(kName, 0, 1000, kSmall);
  EXPECT_TRUE(fetch.complete());
  EXPECT_TRUE(fetch.due(at(0)).empty());
  EXPECT_FALSE(fetch.wake_at().has_value());
  EXPECT_TRUE(fetch.accept(BlobData{kName, 0, 0, {}}).ok());
  EXPECT_TRUE(fetch.take().empty());
}

TEST(BlobFetch, NeverMoreInFlightThanItsWindow) {
  const Bytes blob = some_bytes(2000);
  BlobFetch fetch(kName, blob.size(), blob.size(), kSmall);
  std::deque<BlobRequest> link;
  for (const auto& request : fetch.due(at(0)))
    link.push_back(request);
  EXPECT_EQ(link.size(), 4U);
  EXPECT_TRUE(fetch.due(at(1)).empty());
  while (!link.empty()) {
    ASSERT_TRUE(fetch.accept(answer_to(link.front(), blob)).ok());
    link.pop_front();
    for (const auto& request : fetch.due(at(1)))
      link.push_back(request);
    EXPECT_LE(link.size(), 4U);
  }
  EXPECT_TRUE(fetch.complete());
}

TEST(BlobFetch, ArrivesOverALinkThatLosesDoublesAndReorders) {
  const Bytes blob = some_bytes(12345);
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);  // NOLINT
    BlobFetch fetch(kName, seed % 2 == 0 ? std::optional<std::uint64_t>(blob.size()) : std::nullopt,
                    blob.size(), kSmall);
    std::vector<BlobData> link;
    TimePoint now = at(0);
    while (!fetch.complete()) {
      ASSERT_LT(now, at(100'000'000)) << "does not end, seed " << seed;
      for (const auto& request : fetch.due(now))
        for (auto copies = random() % 3; copies > 0; --copies)
          link.push_back(answer_to(request, blob));
      if (random() % 50 == 0) fetch.reconnected();
      if (link.empty()) {
        now = std::max(now, fetch.wake_at().value());
        continue;
      }
      std::swap(link[random() % link.size()], link.back());
      ASSERT_TRUE(fetch.accept(link.back()).ok());
      link.pop_back();
      now += Duration(random() % 100);
    }
    EXPECT_EQ(fetch.take(), blob);
  }
}

TEST(BlobFetch, AsksAgainOnlyWhenNothingComesAndThenMoreAndMoreRarely) {
  const Bytes blob = some_bytes(2000);
  BlobFetch fetch(kName, blob.size(), blob.size(), kSmall);
  const auto first = fetch.due(at(0));
  EXPECT_EQ(fetch.wake_at(), at(5000));
  EXPECT_TRUE(fetch.due(at(4999)).empty());
  // One answer at 4999 ms: the other three are on their way.
  ASSERT_TRUE(fetch.accept(answer_to(first[0], blob)).ok());
  EXPECT_EQ(fetch.due(at(4999)).size(), 1U);  // the window's refill
  EXPECT_TRUE(fetch.due(at(9998)).empty());
  EXPECT_EQ(fetch.due(at(9999)).size(), 4U);
  EXPECT_TRUE(fetch.due(at(19998)).empty());
  EXPECT_EQ(fetch.due(at(19999)).size(), 4U);
  TimePoint now = at(19999);
  for (int i = 0; i < 10; ++i) {
    const TimePoint next = fetch.wake_at().value();
    EXPECT_LE(next - now, Duration(40000));
    now = next;
    EXPECT_EQ(fetch.due(now).size(), 4U);
  }
}

TEST(BlobFetch, ReconnectionResumesAndAsksOnlyForWhatIsMissing) {
  const Bytes blob = some_bytes(1000);
  BlobFetch fetch(kName, blob.size(), blob.size(), kSmall);
  const auto before = fetch.due(at(0));
  ASSERT_TRUE(fetch.accept(answer_to(before[0], blob)).ok());
  ASSERT_TRUE(fetch.accept(answer_to(before[2], blob)).ok());
  fetch.reconnected();
  EXPECT_EQ(fetch.wake_at(), TimePoint{});
  const auto after = fetch.due(at(1));
  ASSERT_EQ(after.size(), 4U);
  EXPECT_EQ(after[0].offset, 100U);
  EXPECT_EQ(after[1].offset, 300U);
  EXPECT_EQ(after[2].offset, 400U);
  // An answer from before the cut counts, once.
  ASSERT_TRUE(fetch.accept(answer_to(before[1], blob)).ok());
  ASSERT_TRUE(fetch.accept(answer_to(before[1], blob)).ok());
  EXPECT_EQ(fetch.received_bytes(), 300U);
}

TEST(BlobFetch, AnswersThatBreakTheProtocolAreErrors) {
  const Bytes blob = some_bytes(250);
  const auto fetch = [] {
    BlobFetch f(kName, 250, 250, kSmall);
    f.due(at(0));
    return f;
  };
  const BlobData good = answer_to({kName, 200, 50}, blob);
  EXPECT_TRUE(fetch().accept(good).ok());
  const auto refused = [&](auto change) {
    BlobData bad = good;
    change(bad);
    return !fetch().accept(bad).ok();
  };
  EXPECT_TRUE(refused([](BlobData& d) { d.blob[0] ^= 1; }));
  EXPECT_TRUE(refused([](BlobData& d) { d.total = 251; }));
  EXPECT_TRUE(refused([](BlobData& d) { d.total = 0; }));
  EXPECT_TRUE(refused([](BlobData& d) { d.offset = 150; }));
  EXPECT_TRUE(refused([](BlobData& d) {
    d.offset = 150;
    d.data.resize(100);
  }));
  EXPECT_TRUE(refused([](BlobData& d) { d.offset = 300; }));
  EXPECT_TRUE(refused([](BlobData& d) { d.offset = ~std::uint64_t{0} - 15; }));
  EXPECT_TRUE(refused([](BlobData& d) { d.data.pop_back(); }));
  EXPECT_TRUE(refused([](BlobData& d) { d.data.push_back(0); }));
}

TEST(BlobFetch, LongerThanAllowedOrAbsentIsAnError) {
  BlobFetch fetch(kName, std::nullopt, 249, kSmall);
  const auto requests = fetch.due(at(0));
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_FALSE(fetch.accept(answer_to(requests[0], some_bytes(250))).ok());
  EXPECT_FALSE(fetch.accept(absent(requests[0])).ok());
  EXPECT_TRUE(fetch.accept(answer_to(requests[0], some_bytes(249))).ok());
  EXPECT_FALSE(fetch.accept(absent(requests[0])).ok());
}

TEST(BlobAnswer, RangesOutsideTheBlobAreErrors) {
  const Bytes blob = some_bytes(100);
  EXPECT_TRUE(answer({kName, 99, 1}, blob).ok());
  EXPECT_EQ(answer({kName, 99, 100}, blob)->data.size(), 1U);
  EXPECT_FALSE(answer({kName, 100, 1}, blob).ok());
  EXPECT_FALSE(answer({kName, ~std::uint64_t{0}, 2}, blob).ok());
  EXPECT_FALSE(answer({kName, 0, 0}, blob).ok());
  EXPECT_FALSE(answer({kName, 0, Limits{}.blob_chunk_bytes + 1}, blob).ok());
  EXPECT_FALSE(answer({kName, 0, 1}, {}).ok());
}

TEST(BlobAnswer, AbsentSurvivesTheWire) {
  const Message message = absent({kName, 100, 1});
  const auto decoded = decode(encode(kCoordinatorId, {}, message));
  ASSERT_TRUE(decoded.ok()) << decoded.error().message;
  EXPECT_TRUE(decoded->message == message);
}

}  // namespace
}  // namespace sotto::wire
