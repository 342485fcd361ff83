// Which uploads are pulled when: members that trickle or are silent hold up nobody but themselves.
#include "coordinator/protocol/round_uploads.h"

#include <deque>

#include <gtest/gtest.h>

namespace sotto::coordinator {
namespace {

constexpr Duration kSecond{1000};

/// Members answer ranges of their uploads: honest ones at once, others when a test lets them.
struct Uploads {
  Uploads(std::uint32_t members, std::uint64_t bytes)
      : upload_bytes(bytes), collector({.upload_bytes = bytes, .at_once = 4, .fetch = {}}) {
    for (std::uint32_t i = 1; i <= members; ++i) {
      Bytes32 hash{};
      hash.fill(static_cast<std::uint8_t>(i));
      collector.add(MemberId{i}, hash, now);
    }
  }

  void ask() {
    for (auto& e : collector.due(RoundNumber::of(1, 0), now)) {
      const auto& request = std::get<wire::BlobRequest>(e.message);
      if (!answered[e.peer].contains(request.offset)) asked[e.peer].push_back(request);
      ever_asked.insert(e.peer);
    }
  }

  /// The oldest range that the member was asked for; false when there is none.
  bool answer(MemberId member) {
    while (!asked[member].empty() && answered[member].contains(asked[member].front().offset))
      asked[member].pop_front();  // it was asked for again
    if (asked[member].empty()) return false;
    const wire::BlobRequest r = asked[member].front();
    asked[member].pop_front();
    answered[member].insert(r.offset);
    const auto taken = collector.accept(
        member,
        {.blob = r.blob, .total = upload_bytes, .offset = r.offset, .data = Bytes(r.length)}, now);
    EXPECT_TRUE(taken.ok()) << taken.error().message;
    if (taken.ok() && taken->fresh) received[member] += r.length;
    if (taken.ok() && taken->whole) whole.insert(member);
    return true;
  }

  void answer_all(MemberId member) {
    while (answer(member)) {
    }
  }

  std::uint64_t upload_bytes;
  TimePoint now{};
  UploadCollector collector;
  std::map<MemberId, std::deque<wire::BlobRequest>> asked;
  std::map<MemberId, std::set<std::uint64_t>> answered;
  std::map<MemberId, std::uint64_t> received;
  std::set<MemberId> ever_asked, whole;
};

// n = 20, C = 5, 440 MB each. Four members answer one range of 256 KiB every 14 s, which is less
// than the patience of 15 s.
TEST(UploadCollector, FourMembersThatTrickleHoldUpNobody) {
  Uploads uploads(20, std::uint64_t{440} << 20);
  const TimePoint deadline{Duration(600000)};
  std::optional<TimePoint> last_honest;
  for (; uploads.now < deadline; uploads.now += kSecond) {
    for (int windows = 0; windows < 8; ++windows) {  // 16 MiB a second
      uploads.ask();
      for (std::uint32_t i = 5; i <= 20; ++i)
        uploads.answer_all(MemberId{i});
    }
    if (uploads.now.time_since_epoch().count() % 14000 == 0)
      for (std::uint32_t i = 1; i <= 4; ++i)
        uploads.answer(MemberId{i});
    if (!last_honest && uploads.whole.size() == 16) last_honest = uploads.now;
  }
  EXPECT_EQ(uploads.whole.size(), 16U) << "every honest upload is whole before the deadline";
  ASSERT_TRUE(last_honest.has_value());
  // The first turn of those that trickle; then all places are the others', 28 s for each of four.
  EXPECT_LE(*last_honest - TimePoint{}, uploads.collector.turn() + Duration(4 * 28 * 1000));
}

TEST(UploadCollector, ATurnIsAsLongAsPatienceWithEveryPlace) {
  Uploads uploads(5, std::uint64_t{440} << 20);
  EXPECT_EQ(uploads.collector.turn(), 4 * uploads.collector.patience());
  for (; uploads.now < TimePoint{} + uploads.collector.turn(); uploads.now += kSecond) {
    uploads.ask();
    for (std::uint32_t i = 1; i <= 4; ++i)
      uploads.answer(MemberId{i});  // slow: an eighth of what is in flight
    EXPECT_FALSE(uploads.ever_asked.contains(MemberId{5}));
  }
  uploads.ask();
  EXPECT_TRUE(uploads.ever_asked.contains(MemberId{5}));
}

TEST(UploadCollector, WhoLostItsPlaceGoesOnWhereItWas) {
  const std::uint64_t ranges = 80;
  Uploads uploads(8, ranges * wire::FetchLimits{}.chunk_bytes);
  // Everybody sends a range a second: 80 s for one upload, which is longer than a turn.
  for (; uploads.whole.size() < 8 && uploads.now < TimePoint{Duration(1000000)};
       uploads.now += kSecond) {
    uploads.ask();
    for (std::uint32_t i = 1; i <= 8; ++i)
      uploads.answer(MemberId{i});
  }
  EXPECT_EQ(uploads.whole.size(), 8U);
  for (const auto& [member, bytes] : uploads.received)
    EXPECT_EQ(bytes, uploads.upload_bytes) << raw(member);
  EXPECT_LE(uploads.now.time_since_epoch(), Duration(2 * 80 * 1000 + 20 * 1000));
}

TEST(UploadCollector, WhoeverHadFewerTurnsIsNext) {
  Uploads uploads(6, std::uint64_t{440} << 20);
  const auto pass = [&](Duration time) {
    for (const TimePoint end = uploads.now + time; uploads.now < end; uploads.now += kSecond) {
      uploads.ask();
      for (std::uint32_t i = 1; i <= 7; ++i)
        uploads.answer(MemberId{i});
    }
    uploads.ask();
  };
  pass(uploads.collector.turn());  // 5 and 6 have their first turn, two others wait again
  Bytes32 hash{};
  hash.fill(7);
  uploads.collector.add(MemberId{7}, hash, uploads.now);
  pass(uploads.collector.turn());
  EXPECT_TRUE(uploads.ever_asked.contains(MemberId{7})) << "before anybody has a second turn";
}

TEST(UploadCollector, WithoutAQueueNobodyLosesAPlace) {
  Uploads uploads(4, std::uint64_t{440} << 20);
  uploads.ask();
  uploads.now += Duration(3600000);
  uploads.ask();
  for (std::uint32_t i = 1; i <= 4; ++i)
    EXPECT_TRUE(uploads.answer(MemberId{i}));
}

}  // namespace
}  // namespace sotto::coordinator
