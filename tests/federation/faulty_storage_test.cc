// The faulty storage kills at the operation that it is told to, and a power cut loses exactly what
// was not synced.
#include "common/simulation/faulty_storage.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "common/privacy/ledger/ledger.h"
#include "common/storage/append_log.h"
#include "common/storage/atomic_file.h"
#include "tests/temporary_directory.h"

namespace sotto::simulation {
namespace {

constexpr When kMoments[] = {When::kBefore, When::kDuring, When::kAfter};

struct FaultyStorageTest : ::testing::Test {
  Status write(const std::string& text) const {
    return storage::write_file_atomically(file, {view_of(text)}, storage::FileAccess::kOwnerOnly);
  }

  [[nodiscard]] std::string content() const {
    const Bytes bytes = storage::read_file(file, 100).value();
    return {bytes.begin(), bytes.end()};
  }

  TemporaryDirectory directory;
  std::filesystem::path file = directory / "file";
  FaultyStorage storage;
  storage::StorageScope scope{storage};
};

TEST_F(FaultyStorageTest, AnAtomicWriteIsTheOldOrTheNewFileAfterACrashAtAnyPoint) {
  ASSERT_TRUE(write("old").ok());
  const std::uint64_t operations = storage.operations();
  EXPECT_EQ(operations, 4U) << "write, sync, rename, sync of the directory";
  for (std::uint64_t at = 0; at < operations; ++at)
    for (const When when : kMoments)
      for (const Loss loss : {Loss::kNothing, Loss::kUnsynced}) {
        ASSERT_TRUE(write("old").ok());
        storage.crash_at({.operation = storage.operations() + at, .when = when, .loss = loss});
        EXPECT_THROW((void)write("new"), ProcessKilled);
        EXPECT_FALSE(write("newer").ok()) << "a process that ended writes nothing";
        storage.restart();
        const bool renamed = at > 2 || (at == 2 && when == When::kAfter);
        const bool kept = loss == Loss::kNothing || (at == 3 && when == When::kAfter);
        EXPECT_EQ(content(), renamed && kept ? "new" : "old") << at;
      }
}

TEST_F(FaultyStorageTest, AnAppendIsTornOrWholeAndNothingBeforeItIsLost) {
  for (const When when : kMoments)
    for (const Loss loss : {Loss::kNothing, Loss::kUnsynced}) {
      std::filesystem::remove(file);
      {
        auto log = storage::AppendLog::open(file);
        ASSERT_TRUE(log->log.append(view_of("first")).ok());
        storage.crash_at({.operation = storage.operations(), .when = when, .loss = loss});
        EXPECT_THROW((void)log->log.append(view_of("second")), ProcessKilled);
      }
      storage.restart();
      const auto found = storage::AppendLog::open(file);
      ASSERT_TRUE(found.ok());
      const bool kept = loss == Loss::kNothing;
      EXPECT_EQ(found->records.size(), kept && when == When::kAfter ? 2U : 1U);
      EXPECT_EQ(found->torn_tail, kept && when == When::kDuring);
    }
}

TEST_F(FaultyStorageTest, ATransactionThatIsInterruptedIsRolledBack) {
  const privacy::Charge charge{.dataset_id = "d", .round = RoundNumber::of(1, 0), .input = {1}};
  const privacy::Budget budget{.max_epsilon = 1, .delta = 1e-5};
  for (const When when : kMoments) {
    {
      auto ledger = privacy::PrivacyLedger::open(directory / "ledger").value();
      storage.crash_at({.operation = storage.operations(), .when = when});
      EXPECT_THROW((void)ledger.charge_and_release(charge, budget, 1), ProcessKilled);
    }
    storage.restart();
    const auto ledger = privacy::PrivacyLedger::open(directory / "ledger").value();
    EXPECT_EQ(ledger.entries("d", 1e-5)->size(), when == When::kAfter ? 1U : 0U);
  }
}

TEST_F(FaultyStorageTest, APowerCutTakesBackEveryKindOfChangeInItsOrder) {
  ASSERT_TRUE(write("0123456789").ok());
  const storage::FileDescriptor open_file(::open(file.c_str(), O_RDWR));
  ASSERT_TRUE(storage::write_all_at(open_file, view_of("ab"), 9).ok());
  ASSERT_EQ(storage.resize(open_file.get(), 3), 0);
  ASSERT_TRUE(storage::write_all_at(open_file, view_of("xyz"), 0).ok());
  ASSERT_EQ(storage.remove(file), 0);
  storage.end_process(Loss::kUnsynced);
  storage.restart();
  EXPECT_EQ(content(), "0123456789");
}

}  // namespace
}  // namespace sotto::simulation
