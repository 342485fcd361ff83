#include <csignal>
#include <filesystem>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/storage/append_log.h"
#include "common/storage/atomic_file.h"
#include "tests/temporary_directory.h"

namespace sotto::storage {
namespace {

constexpr std::uint64_t kLimit = 1U << 20;

Bytes bytes_of_text(std::string_view text) {
  const BytesView view = view_of(text);
  return {view.begin(), view.end()};
}

void put(const std::filesystem::path& file, BytesView content) {
  ASSERT_TRUE(write_file_atomically(file, {content}, FileAccess::kOwnerOnly).ok());
}

std::size_t files_in(const std::filesystem::path& directory) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(directory), {}));
}

TEST(AtomicFile, ReplacesTheWholeContent) {
  const TemporaryDirectory directory;
  const auto file = directory / "a";
  put(file, view_of("a long first content"));
  const Bytes second = bytes_of_text("second");
  ASSERT_TRUE(write_file_atomically(file, {second, second}, FileAccess::kEveryoneReads).ok());
  EXPECT_EQ(read_file(file, kLimit).value(), bytes_of_text("secondsecond"));
  EXPECT_EQ(files_in(directory.path()), 1U);
}

TEST(AtomicFile, GivesTheAccessAskedFor) {
  const TemporaryDirectory directory;

  struct stat status {};

  put(directory / "key", view_of("k"));
  ASSERT_EQ(::stat((directory / "key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  ASSERT_TRUE(
      write_file_atomically(directory / "model", {view_of("m")}, FileAccess::kEveryoneReads).ok());
  ASSERT_EQ(::stat((directory / "model").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0644U);
}

TEST(AtomicFile, LeavesNothingBehindWhenItFails) {
  const TemporaryDirectory directory;
  EXPECT_FALSE(
      write_file_atomically(directory / "missing/a", {view_of("x")}, FileAccess::kOwnerOnly).ok());
  std::filesystem::create_directory(directory / "taken");
  EXPECT_FALSE(
      write_file_atomically(directory / "taken", {view_of("x")}, FileAccess::kOwnerOnly).ok());
  EXPECT_EQ(files_in(directory.path()), 1U);
}

TEST(ReadFile, RefusesWhatIsTooLongOrNoFile) {
  const TemporaryDirectory directory;
  put(directory / "a", view_of("12345"));
  EXPECT_TRUE(read_file(directory / "a", 5).ok());
  EXPECT_FALSE(read_file(directory / "a", 4).ok());
  EXPECT_FALSE(read_file(directory / "b", 5).ok());
  EXPECT_FALSE(read_file(directory.path(), 5).ok());
  ASSERT_EQ(::mkfifo((directory / "pipe").c_str(), 0600), 0);
  EXPECT_FALSE(read_file(directory / "pipe", 5).ok());
}

TEST(ReadFile, TellsAMissingFileFromOneThatCannotBeRead) {
  const TemporaryDirectory directory;
  put(directory / "a", view_of("12345"));
  EXPECT_EQ(read_file_if_exists(directory / "a", 5).value(), bytes_of_text("12345"));
  EXPECT_FALSE(read_file_if_exists(directory / "b", 5).value().has_value());
  EXPECT_EQ(read_file(directory / "b", 5).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(read_file_if_exists(directory / "a" / "inside", 5).ok()) << "its folder is a file";
  EXPECT_FALSE(read_file_if_exists(directory / "a", 4).ok());
}

TEST(LockFile, HasOneHolder) {
  const TemporaryDirectory directory;
  {
    const auto first = LockFile::acquire(directory / "lock");
    ASSERT_TRUE(first.ok());
    EXPECT_FALSE(LockFile::acquire(directory / "lock").ok());
  }
  EXPECT_TRUE(LockFile::acquire(directory / "lock").ok());
}

TEST(LockFile, IsFreedWhenItsProcessIsKilled) {
  const TemporaryDirectory directory;
  const pid_t child = ::fork();
  if (child == 0) {
    const auto held = LockFile::acquire(directory / "lock");
    ::raise(held.ok() ? SIGKILL : SIGTERM);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(WTERMSIG(status), SIGKILL);
  EXPECT_TRUE(LockFile::acquire(directory / "lock").ok());
}

class AppendLogTest : public testing::Test {
 protected:
  /// A log with three records, closed; gives the file's bytes.
  Bytes three_records() {
    auto opened = AppendLog::open(file_);
    SOTTO_CHECK(opened.ok() && opened->records.empty(), "a fresh log");
    for (const char* text : {"first", "", "third record"})
      SOTTO_CHECK(opened->log.append(view_of(text)).ok(), "append");
    return read_file(file_, kLimit).value();
  }

  [[nodiscard]] std::vector<std::string> records() const {
    auto opened = AppendLog::open(file_);
    SOTTO_CHECK(opened.ok(), opened.error().message);
    std::vector<std::string> out;
    for (const Bytes& record : opened->records)
      out.emplace_back(record.begin(), record.end());
    if (opened->torn_tail) out.emplace_back("<torn>");
    return out;
  }

  using Texts = std::vector<std::string>;
  const TemporaryDirectory directory_;
  const std::filesystem::path file_ = directory_ / "log";
};

TEST_F(AppendLogTest, GivesBackWhatWasAppended) {
  three_records();
  EXPECT_EQ(records(), (Texts{"first", "", "third record"}));
  {
    auto opened = AppendLog::open(file_);
    ASSERT_TRUE(opened->log.append(view_of("fourth")).ok());
  }
  EXPECT_EQ(records(), (Texts{"first", "", "third record", "fourth"}));
}

TEST_F(AppendLogTest, HasOneOwner) {
  const auto first = AppendLog::open(file_);
  ASSERT_TRUE(first.ok());
  EXPECT_FALSE(AppendLog::open(file_).ok());
}

TEST_F(AppendLogTest, EveryCutOfTheLastRecordIsATornTailOrACleanEnd) {
  const Bytes whole = three_records();
  const std::size_t last = whole.size() - 40 - std::string("third record").size();
  for (std::size_t size = last; size < whole.size(); ++size) {
    put(file_, BytesView(whole).first(size));
    EXPECT_EQ(records(), size == last ? (Texts{"first", ""}) : (Texts{"first", "", "<torn>"}));
  }
}

TEST_F(AppendLogTest, ATailOfZerosIsTorn) {
  Bytes bytes = three_records();
  bytes.resize(bytes.size() + 4096);
  put(file_, bytes);
  EXPECT_EQ(records(), (Texts{"first", "", "third record", "<torn>"}));
}

TEST_F(AppendLogTest, EveryFlippedBitIsReported) {
  const Bytes whole = three_records();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    Bytes bytes = whole;
    bytes[at] ^= 0x10;
    put(file_, bytes);
    auto opened = AppendLog::open(file_);
    if (!opened.ok()) continue;
    EXPECT_TRUE(opened->torn_tail) << at;
    EXPECT_EQ(opened->records.size(), 2U) << at << ": an earlier record is never given up silently";
  }
}

TEST_F(AppendLogTest, ARecordIsGoodOnlyWhereItWasWritten) {
  Bytes bytes = three_records();
  const Bytes first(bytes.begin() + 12, bytes.begin() + 12 + 45);
  bytes.insert(bytes.end(), first.begin(), first.end());
  put(file_, bytes);
  EXPECT_EQ(records(), (Texts{"first", "", "third record", "<torn>"}));
}

TEST_F(AppendLogTest, TheNextRecordTakesTheTornTailsPlace) {
  const Bytes whole = three_records();
  put(file_, BytesView(whole).first(whole.size() - 3));
  {
    auto opened = AppendLog::open(file_);
    ASSERT_TRUE(opened->torn_tail);
    ASSERT_TRUE(opened->log.append(view_of("short")).ok());
    ASSERT_TRUE(opened->log.append(view_of("another")).ok());
  }
  EXPECT_EQ(records(), (Texts{"first", "", "short", "another"}));
}

TEST_F(AppendLogTest, ATornTailIsReportedUntilARecordCoversIt) {
  const Bytes whole = three_records();
  put(file_, BytesView(whole).first(whole.size() - 3));
  EXPECT_EQ(records(), records());
  EXPECT_EQ(records().back(), "<torn>");
}

TEST_F(AppendLogTest, SurvivesKillAfterAppend) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto opened = AppendLog::open(file_);
    const bool written = opened.ok() && opened->log.append(view_of("before the kill")).ok();
    ::raise(written ? SIGKILL : SIGTERM);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(WTERMSIG(status), SIGKILL);
  EXPECT_EQ(records(), (Texts{"before the kill"}));
}

TEST_F(AppendLogTest, AFailedWriteStopsTheLog) {
  auto opened = AppendLog::open(file_);
  ASSERT_TRUE(opened.ok());
  const auto size = static_cast<rlim_t>(std::filesystem::file_size(file_));
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);

  struct rlimit old {};

  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);

  const struct rlimit full { .rlim_cur = size + 10, .rlim_max = old.rlim_max };

  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  const bool first = opened->log.append(view_of("does not fit")).ok();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_FALSE(first);
  EXPECT_FALSE(opened->log.append(view_of("x")).ok());
  opened = Error{"closed"};
  EXPECT_EQ(records(), (Texts{"<torn>"}));
}

TEST_F(AppendLogTest, RefusesAnotherFormat) {
  put(file_, view_of("SOTTOLOG\x02\0\0\0"));
  EXPECT_FALSE(AppendLog::open(file_).ok());
  put(file_, {});
  EXPECT_FALSE(AppendLog::open(file_).ok());
}

}  // namespace
}  // namespace sotto::storage
