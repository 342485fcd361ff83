// Who may open records, how long they stay in memory, and what many threads may do at once.
#include <atomic>
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/participant/data/record_store_fixture.h"

namespace sotto::data {
namespace {

// Nobody makes a capability or an opened record but a store, and nobody makes two of one.
static_assert(!std::is_default_constructible_v<Capability>);
static_assert(!std::is_constructible_v<Capability, SecureRecordStore&, Purpose, std::uint64_t>);
static_assert(!std::is_constructible_v<Capability, SecureRecordStore&, Purpose>);
static_assert(!std::is_copy_constructible_v<Capability> && !std::is_copy_assignable_v<Capability>);
static_assert(!std::is_move_assignable_v<Capability>);
static_assert(!std::is_default_constructible_v<OpenedRecord>);
static_assert(!std::is_copy_constructible_v<OpenedRecord> &&
              !std::is_copy_assignable_v<OpenedRecord>);
static_assert(!std::is_copy_constructible_v<SecureRecordStore> &&
              !std::is_move_constructible_v<SecureRecordStore>);

template <class Store>
concept OpensWithoutCapability = requires(Store& store) {
  store.open_record(std::size_t{0});
};

template <class Store>
concept OpensWithAPurposeAlone = requires(Store& store) {
  store.open_record(Purpose::kTrain, std::size_t{0});
};

static_assert(!OpensWithoutCapability<SecureRecordStore>);
static_assert(!OpensWithAPurposeAlone<SecureRecordStore>);

using SecureRecordStoreTest = RecordStoreTest;
constexpr Duration kMinute{60'000};

std::string refusal(SecureRecordStore& store, const Capability& capability) {
  const auto opened = store.open_record(capability, 0);
  return opened.ok() ? "opened" : opened.error().message;
}

TEST_F(SecureRecordStoreTest, OpensOnTheThreadThatTheCapabilityWasGivenTo) {
  write("s", {"one", "two"});
  const auto store = open("s").value();
  const Capability mine = store->grant(Purpose::kTrain);
  EXPECT_EQ(text_of(store->open_record(mine, 1)->bytes()), "two");
  std::string there;
  std::thread([&] { there = refusal(*store, mine); }).join();
  EXPECT_NE(there.find("belongs to another thread"), std::string::npos) << there;
  EXPECT_EQ(there.find("one"), std::string::npos);

  // A later thread may get the number that the system gave to one that has ended.
  std::optional<Capability> left;
  std::thread([&] { left.emplace(store->grant(Purpose::kTrain)); }).join();
  std::thread([&] { there = refusal(*store, *left); }).join();
  EXPECT_NE(there.find("belongs to another thread"), std::string::npos) << there;
  EXPECT_EQ(store->counts(), (OpenCounts{1, 0, 0})) << "what was refused was not opened";
}

TEST_F(SecureRecordStoreTest, ACapabilityOfAnotherStoreOrOneMovedAwayOpensNothing) {
  write("s", {"one"});
  const auto store = open("s").value(), again = open("s").value();
  Capability first = again->grant(Purpose::kCheck);
  EXPECT_NE(refusal(*store, first).find("belongs to another store"), std::string::npos);
  const Capability second = std::move(first);
  // NOLINTNEXTLINE(bugprone-use-after-move): that is the question
  EXPECT_NE(refusal(*again, first).find("belongs to another store"), std::string::npos);
  EXPECT_EQ(refusal(*again, second), "opened");
}

TEST_F(SecureRecordStoreTest, CountsEveryOpenByPurposeAlsoFromTheCache) {
  write("s", {"one", "two"});
  const auto store = open("s", {.time_to_live = kMinute}).value();
  const Capability train = store->grant(Purpose::kTrain), check = store->grant(Purpose::kCheck);
  for (int i = 0; i < 3; ++i)
    (void)store->open_record(train, 0);
  (void)store->open_record(check, 0);
  EXPECT_EQ(store->counts(), (OpenCounts{3, 0, 1}));
}

TEST_F(SecureRecordStoreTest, TheUseOfWhatWasMadeOfARecordIsCountedAndRefusedLikeItsOpening) {
  write("s", {"one"});
  const auto store = open("s").value(), other = open("s").value();
  const Capability mine = store->grant(Purpose::kEvaluate);
  EXPECT_TRUE(store->count_use(mine).ok());
  EXPECT_FALSE(other->count_use(mine).ok());
  bool there = true;
  std::thread([&] { there = store->count_use(mine).ok(); }).join();
  EXPECT_FALSE(there);
  EXPECT_EQ(store->counts(), (OpenCounts{0, 1, 0}));
  EXPECT_EQ(other->counts(), OpenCounts{});
}

TEST_F(SecureRecordStoreTest, WithoutACacheARecordIsWipedWhenItIsReleased) {
  write("s", {"one secret"});
  const auto store = open("s").value();
  const Capability mine = store->grant(Purpose::kTrain);
  const std::uint8_t* where = nullptr;
  {
    const OpenedRecord opened = store->open_record(mine, 0).value();
    where = opened.bytes().data();
    EXPECT_EQ(store->in_memory(), 1U);
    EXPECT_EQ(*where, 'o');
  }
  EXPECT_EQ(store->in_memory(), 0U);
  EXPECT_EQ(text_of({where, 10}), std::string(10, '\0'));
}

TEST_F(SecureRecordStoreTest, TheCacheForgetsAfterItsTimeAlsoWhatIsUsedAgainAndAgain) {
  write("s", {"one", "two"});
  const auto store = open("s", {.time_to_live = kMinute}).value();
  const Capability mine = store->grant(Purpose::kTrain);
  const auto where = [&](std::size_t index) {
    return store->open_record(mine, index)->bytes().data();
  };
  const std::uint8_t* const first = where(0);
  for (int i = 0; i < 3; ++i) {
    test_time() += kMinute / 4;
    EXPECT_EQ(where(0), first);
    EXPECT_EQ(store->in_memory(), 1U);
  }
  test_time() += kMinute / 4;
  where(1);
  EXPECT_EQ(store->in_memory(), 1U) << "the first is a minute old";
  EXPECT_EQ(text_of({first, 3}) == "one", false);
}

TEST_F(SecureRecordStoreTest, WhatIsHeldOutlivesItsTimeAndGoesWithItsHolder) {
  write("s", {"one"});
  const auto store = open("s", {.time_to_live = kMinute}).value();
  const Capability mine = store->grant(Purpose::kTrain);
  {
    const OpenedRecord held = store->open_record(mine, 0).value();
    test_time() += 2 * kMinute;
    EXPECT_NE(store->open_record(mine, 0)->bytes().data(), held.bytes().data());
    EXPECT_EQ(text_of(held.bytes()), "one");
    EXPECT_EQ(store->in_memory(), 2U);
  }
  EXPECT_EQ(store->in_memory(), 1U) << "the newer one, for its minute";
}

TEST_F(SecureRecordStoreTest, TheCacheEndsWithTheLastCapability) {
  write("s", {"one", "two"});
  const auto store = open("s", {.time_to_live = kMinute}).value();
  std::optional<Capability> one(store->grant(Purpose::kTrain)), two(store->grant(Purpose::kTrain));
  (void)store->open_record(*one, 0);
  std::optional<OpenedRecord> held(store->open_record(*two, 1).value());
  one.reset();
  EXPECT_EQ(store->in_memory(), 2U);
  two.reset();
  EXPECT_EQ(store->in_memory(), 1U) << "what is held stays";
  held.reset();
  EXPECT_EQ(store->in_memory(), 0U);
}

TEST_F(SecureRecordStoreTest, IsBoundedByItsMemory) {
  const std::string big(1500, 'x');
  write("s", {big, big, big, big});
  const auto store = open("s", {.memory_bytes = 4096, .time_to_live = kMinute}).value();
  const Capability mine = store->grant(Purpose::kTrain);
  for (std::size_t i = 0; i < 4; ++i)
    ASSERT_TRUE(store->open_record(mine, i).ok()) << "what nobody holds makes room";
  EXPECT_EQ(store->in_memory(), 2U);
  const OpenedRecord one = store->open_record(mine, 0).value();
  const OpenedRecord two = store->open_record(mine, 1).value();
  const auto third = store->open_record(mine, 2);
  EXPECT_NE(third.error().message.find("all memory for opened records is in use"),
            std::string::npos);
  EXPECT_FALSE(open("s", {.memory_bytes = 1024}).ok()) << "no record would ever fit";
}

TEST_F(SecureRecordStoreTest, MemoryThatMayBeSwappedIsNotUsed) {
  write("s", {"one"});
  std::filesystem::permissions(folder.path(), std::filesystem::perms{0755});
  std::filesystem::permissions(folder / "s", std::filesystem::perms{0644});
  constexpr int kLocksAnyway = 77;
  const pid_t child = ::fork();
  if (child == 0) {  // root may lock what it likes: be somebody else
    const rlimit none{0, 0};
    if (::setrlimit(RLIMIT_MEMLOCK, &none) != 0) ::_exit(2);
    if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) ::_exit(3);
    char page = 0;
    if (::mlock(&page, 1) == 0) ::_exit(kLocksAnyway);
    const auto store = open("s");
    const bool refused =
        !store.ok() && store.error().message.find("cannot be locked") != std::string::npos;
    ::_exit(refused ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  if (WEXITSTATUS(status) == kLocksAnyway) GTEST_SKIP() << "a sanitizer stands in for mlock";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(SecureRecordStoreTest, ADamagedRecordLeavesNothingOpenAndIsNotCounted) {
  write("s", {"one", "two"});
  const int file = ::open((folder / "s").c_str(), O_RDWR | O_CLOEXEC);
  const char wrong = 0;
  ASSERT_EQ(::pwrite(file, &wrong, 1, ::lseek(file, 0, SEEK_END) - 1), 1);
  ::close(file);
  const auto store = open("s").value();
  const Capability mine = store->grant(Purpose::kCheck);
  EXPECT_TRUE(store->open_record(mine, 0).ok());
  EXPECT_NE(refusal(*store, mine), "");
  const auto second = store->open_record(mine, 1);
  EXPECT_EQ(second.error().message,
            (folder / "s").string() +
                ": record 2: it fails authentication: the file was damaged or changed");
  EXPECT_EQ(store->in_memory(), 0U);
  EXPECT_EQ(store->counts()[2], 2U);
}

/// Under TSan this is the proof that loaders share a store rightly.
TEST_F(SecureRecordStoreTest, ManyReadersAndWritersAtOnceSeeWholeRecords) {
  constexpr std::size_t kRecords = 40;
  std::vector<std::string> records;
  for (std::size_t i = 0; i < kRecords; ++i)
    records.push_back("record " + std::to_string(i) + std::string(40 * i, 'x'));
  write("s", records);
  // So little memory that cached records are driven out all the time.
  const auto store = open("s", {.memory_bytes = 16384, .time_to_live = kMinute}).value();
  std::atomic<std::uint64_t> opened = 0, wrong = 0, full = 0;
  const auto reader = [&](std::size_t seed) {
    const Capability mine = store->grant(seed % 2 == 0 ? Purpose::kTrain : Purpose::kEvaluate);
    for (std::size_t i = 0; i < 2000; ++i) {
      const std::size_t index = (seed + i * i) % kRecords;
      const auto record = store->open_record(mine, index);
      if (!record.ok())
        ++full;
      else if (++opened; text_of(record->bytes()) != records[index])
        ++wrong;
    }
  };
  const auto writer = [&](std::size_t number) {
    const std::string name = "w" + std::to_string(number % 2);
    for (int i = 0; i < 20; ++i) {
      write(name, records);
      const auto other = open(name);
      if (!other.ok()) continue;
      const Capability mine = (*other)->grant(Purpose::kCheck);
      const auto record = (*other)->open_record(mine, 7);
      if (!record.ok() || text_of(record->bytes()) != records[7]) ++wrong;
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < 8; ++i)
      threads.emplace_back(reader, i);
    for (std::size_t i = 0; i < 3; ++i)
      threads.emplace_back(writer, i);
  }
  EXPECT_EQ(wrong, 0U);
  EXPECT_GT(opened, 8U * 2000U / 2);
  const OpenCounts counts = store->counts();
  EXPECT_EQ(counts[0] + counts[1], opened);
  EXPECT_EQ(counts[2], 0U);
  EXPECT_EQ(store->in_memory(), 0U);
}

}  // namespace
}  // namespace sotto::data
