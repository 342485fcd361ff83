// The guard decides what may still be said in a round, also after a crash
// (docs/secure-aggregation.md, 2.7).
#include "participant/protocol/guard.h"

#include <csignal>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/storage/append_log.h"

namespace sotto::participant {
namespace {

constexpr RunId kRun{1};
constexpr RunId kOtherRun{2};

GuardRecord joined(std::uint64_t round, RunId run = kRun, std::uint8_t h = 5) {
  return {.run = run, .round = RoundNumber{round}, .step = GuardStep::kJoined, .h = {h}};
}

GuardRecord step(GuardStep step, std::uint64_t round, RunId run = kRun) {
  GuardRecord record = joined(round, run);
  record.step = step;
  return record;
}

GuardRecord uploaded(std::uint64_t round, std::uint8_t hash_y = 8) {
  GuardRecord record = step(GuardStep::kUploaded, round);
  record.d_u2 = {7};
  record.hash_y = {hash_y};
  return record;
}

GuardRecord endorsed(std::uint64_t round, std::uint8_t d_s = 9) {
  GuardRecord record = step(GuardStep::kEndorsed, round);
  record.d_s = {d_s};
  return record;
}

GuardRecord unmasked(std::uint64_t round, std::uint8_t d_s = 9) {
  GuardRecord record = step(GuardStep::kUnmasked, round);
  record.d_s = {d_s};
  return record;
}

GuardState after(const std::vector<GuardRecord>& records) {
  GuardState state;
  for (const GuardRecord& record : records)
    state.apply(record);
  return state;
}

// ---- the rules

TEST(GuardState, AWholeRoundIsAllowedInOrder) {
  GuardState state;
  for (const auto& record : {joined(1), uploaded(1), endorsed(1), unmasked(1), joined(2)}) {
    ASSERT_TRUE(state.allows(record).ok());
    state.apply(record);
  }
  EXPECT_EQ(state.last_round(kRun), RoundNumber{2});
}

TEST(GuardState, ARoundIsJoinedOnceAndRoundsOnlyRise) {
  const GuardState state = after({joined(5)});
  EXPECT_FALSE(state.allows(joined(4)).ok());           // old_round_number
  EXPECT_FALSE(state.allows(joined(5, kRun, 6)).ok());  // same round, other header
  EXPECT_TRUE(state.allows(joined(6)).ok());
  EXPECT_TRUE(state.allows(joined(5, kOtherRun)).ok());  // other_run_same_round: keyed by run
}

TEST(GuardState, TheSameRecordAgainIsARetransmission) {
  const GuardState state = after({joined(1), uploaded(1), endorsed(1), unmasked(1)});
  for (const auto& record : {joined(1), uploaded(1), endorsed(1), unmasked(1)}) {
    EXPECT_TRUE(state.holds(record));
    EXPECT_TRUE(state.allows(record).ok());
  }
}

TEST(GuardState, ASecondStepWithOtherContentIsRefused) {
  EXPECT_FALSE(after({joined(1), uploaded(1)}).allows(uploaded(1, 99)).ok());
  const GuardState state = after({joined(1), uploaded(1), endorsed(1)});
  EXPECT_FALSE(state.allows(endorsed(1, 99)).ok());
  EXPECT_FALSE(state.allows(unmasked(1, 99)).ok());
}

TEST(GuardState, NoStepWithoutTheOneBefore) {
  EXPECT_FALSE(GuardState().allows(uploaded(1)).ok());
  EXPECT_FALSE(after({joined(1)}).allows(endorsed(1)).ok());
  EXPECT_FALSE(after({joined(1)}).allows(unmasked(1)).ok());
  EXPECT_FALSE(after({joined(1), uploaded(1)}).allows(unmasked(1)).ok());
  EXPECT_FALSE(after({joined(1), uploaded(1)}).allows(uploaded(2)).ok());
}

TEST(GuardState, VotingToAbortAndEndorsingExcludeEachOther) {
  EXPECT_FALSE(
      after({joined(1), uploaded(1), endorsed(1)}).allows(step(GuardStep::kVotedAbort, 1)).ok());
  const GuardState voted_abort = after({joined(1), uploaded(1), step(GuardStep::kVotedAbort, 1)});
  EXPECT_FALSE(voted_abort.allows(endorsed(1)).ok());
  EXPECT_TRUE(after({joined(1)}).allows(step(GuardStep::kVotedAbort, 1)).ok());
  EXPECT_FALSE(after({joined(1), step(GuardStep::kVotedAbort, 1)}).allows(uploaded(1)).ok());
}

TEST(GuardState, NothingMoreIsSaidInARoundAfterALaterOneWasJoined) {
  const GuardState state = after({joined(1), uploaded(1), endorsed(1), joined(2)});
  EXPECT_FALSE(state.allows(unmasked(1)).ok());
  EXPECT_FALSE(state.allows(endorsed(1)).ok());
}

TEST(GuardState, AStepUnderAnotherHeaderIsRefused) {
  GuardRecord other = uploaded(1);
  other.h = {6};
  EXPECT_FALSE(after({joined(1)}).allows(other).ok());
}

TEST(GuardState, AClosedRoundAllowsNothingAndALaterOneOpens) {
  GuardState state = after({joined(1), uploaded(1), joined(3, kOtherRun)});
  state.close_newest_rounds();
  EXPECT_FALSE(state.allows(endorsed(1)).ok());
  EXPECT_FALSE(state.allows(uploaded(1)).ok());  // not even a repetition
  EXPECT_FALSE(state.allows(step(GuardStep::kUploaded, 3, kOtherRun)).ok());
  EXPECT_FALSE(state.allows(joined(1)).ok());
  EXPECT_TRUE(state.allows(joined(2)).ok());
}

// ---- counters once a server round

GuardRecord of_attempt(GuardStep step, RoundNumber round, std::uint8_t h) {
  return {.run = kRun, .round = round, .step = step, .h = {h}, .input = {h}};
}

constexpr RoundNumber kFirst = RoundNumber::of(1, 0), kSecond = RoundNumber::of(1, 1);

GuardState after_first_attempt(std::initializer_list<GuardStep> steps) {
  std::vector<GuardRecord> records;
  for (GuardStep step : steps)
    records.push_back(of_attempt(step, kFirst, 1));
  return after(records);
}

TEST(GuardState, AnEndorsedSumMayBeOpenWhateverWasJoinedSince) {
  using enum GuardStep;
  EXPECT_FALSE(after_first_attempt({kJoined, kUploaded}).may_be_open(kRun, 1));
  GuardState state = after_first_attempt({kJoined, kUploaded, kEndorsed});
  EXPECT_TRUE(state.may_be_open(kRun, 1)) << "others may unmask without this member";
  EXPECT_FALSE(state.may_be_open(kRun, 2));
  EXPECT_FALSE(state.may_be_open(kOtherRun, 1));
  state.apply(of_attempt(kJoined, kSecond, 2));
  state.apply(of_attempt(kJoined, RoundNumber::of(1, 2), 3));
  EXPECT_TRUE(state.may_be_open(kRun, 1));
  state.apply(of_attempt(kJoined, RoundNumber::of(2, 0), 4));
  EXPECT_FALSE(state.may_be_open(kRun, 1)) << "a round that cannot be joined is forgotten";
}

TEST(GuardState, AnAbortCertificateSaysThatAnEndorsedSumWasNeverOpened) {
  using enum GuardStep;
  GuardState state = after_first_attempt({kJoined, kUploaded, kEndorsed});
  state.apply(of_attempt(kJoined, kSecond, 2));
  state.apply(of_attempt(kUploaded, kSecond, 2));
  state.apply(of_attempt(kEndorsed, kSecond, 2));
  state.apply(of_attempt(kFreed, kFirst, 1));
  EXPECT_TRUE(state.may_be_open(kRun, 1)) << "the second one may";
  state.apply(of_attempt(kFreed, kSecond, 2));
  EXPECT_FALSE(state.may_be_open(kRun, 1));
}

TEST(GuardState, ALostRecordMayHaveBeenAnEndorsement) {
  using enum GuardStep;
  GuardState uploaded_only = after_first_attempt({kJoined, kUploaded});
  uploaded_only.close_newest_rounds();
  EXPECT_TRUE(uploaded_only.may_be_open(kRun, 1));
  GuardState joined_only = after_first_attempt({kJoined});
  joined_only.close_newest_rounds();
  EXPECT_FALSE(joined_only.may_be_open(kRun, 1)) << "nothing was uploaded, so nothing is in a sum";
}

// ---- inputs

GuardRecord uploaded_input(std::uint64_t round, std::uint8_t input) {
  GuardRecord record = uploaded(round);
  record.input = {input};
  return record;
}

GuardRecord freed(std::uint64_t round, std::uint8_t input) {
  GuardRecord record = step(GuardStep::kFreed, round);
  record.input = {input};
  return record;
}

TEST(GuardState, ResubmitAfterUpload) {
  const GuardState state = after({joined(1), uploaded_input(1, 40), joined(2)});
  EXPECT_FALSE(state.allows(uploaded_input(2, 40)).ok());
  EXPECT_TRUE(state.allows(uploaded_input(2, 41)).ok());
  const GuardState aborted =
      after({joined(1), uploaded_input(1, 40), joined(2), freed(1, 40)});  // late, still in time
  EXPECT_TRUE(aborted.allows(uploaded_input(2, 40)).ok());
  GuardRecord other_run = uploaded_input(7, 40);
  other_run.run = kOtherRun;
  EXPECT_FALSE(
      after({joined(1), uploaded_input(1, 40), joined(7, kOtherRun)}).allows(other_run).ok());
}

TEST(GuardState, AnInputIsFreedOnceAndUnderItsOwnHeader) {
  const GuardState state = after({joined(1), uploaded_input(1, 40)});
  EXPECT_TRUE(state.is_locked({40}));
  GuardRecord other = freed(1, 40);
  other.h = {6};
  EXPECT_FALSE(state.allows(other).ok());
  EXPECT_FALSE(state.allows(freed(1, 41)).ok());
  GuardState aborted = state;
  aborted.apply(freed(1, 40));
  EXPECT_FALSE(aborted.is_locked({40}));
  EXPECT_FALSE(aborted.allows(freed(1, 40)).ok());
  aborted.apply(joined(2));
  aborted.apply(uploaded_input(2, 40));
  EXPECT_TRUE(aborted.is_locked({40})) << "it left again";
}

// ---- the file

struct GuardFile : ::testing::Test {
  std::filesystem::path folder;
  std::filesystem::path file;

  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "sotto-guard-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
    file = folder / "guard";
  }

  void TearDown() override { std::filesystem::remove_all(folder); }

  void write(const std::vector<GuardRecord>& records) {
    auto guard = Guard::open(file);
    ASSERT_TRUE(guard.ok()) << guard.error().message;
    for (const GuardRecord& record : records)
      ASSERT_TRUE(guard->record(record).ok());
  }

  void cut(std::uintmax_t bytes) {
    std::filesystem::resize_file(file, std::filesystem::file_size(file) - bytes);
  }
};

TEST_F(GuardFile, RemembersOverARestart) {
  write({joined(1), uploaded(1), endorsed(1)});
  auto guard = Guard::open(file);
  ASSERT_TRUE(guard.ok());
  EXPECT_EQ(guard->state().last_round(kRun), RoundNumber{1});
  EXPECT_TRUE(guard->state().may_be_open(kRun, RoundNumber{1}.server_round()));
  EXPECT_FALSE(guard->record(joined(1, kRun, 6)).ok());
  EXPECT_FALSE(guard->record(endorsed(1, 99)).ok());
  EXPECT_TRUE(guard->record(unmasked(1)).ok());
}

TEST_F(GuardFile, ARefusedRecordIsNotWritten) {
  write({joined(2)});
  const auto size = std::filesystem::file_size(file);
  {
    auto guard = Guard::open(file);
    EXPECT_FALSE(guard->record(joined(1)).ok());
    EXPECT_TRUE(guard->record(joined(2)).ok());  // the same again: nothing to write
  }
  EXPECT_EQ(std::filesystem::file_size(file), size);
}

TEST_F(GuardFile, ATornRecordClosesTheNewestRoundForGood) {
  write({joined(1), uploaded(1), endorsed(1)});
  cut(5);  // the endorsement
  for (int restart = 0; restart < 2; ++restart) {
    auto guard = Guard::open(file);
    ASSERT_TRUE(guard.ok()) << guard.error().message;
    EXPECT_EQ(guard->state().last_round(kRun), RoundNumber{1});
    EXPECT_TRUE(guard->state().may_be_open(kRun, RoundNumber{1}.server_round()));
    EXPECT_FALSE(guard->record(endorsed(1, 99)).ok());
    EXPECT_FALSE(guard->record(endorsed(1)).ok());
    EXPECT_FALSE(guard->record(uploaded(1)).ok());
  }
  // Also after another run has written on, and another restart.
  write({joined(1, kOtherRun)});
  auto guard = Guard::open(file);
  EXPECT_FALSE(guard->record(endorsed(1, 99)).ok());
  EXPECT_TRUE(guard->record(joined(2)).ok());
}

TEST_F(GuardFile, EveryLengthOfATornRecordFailsClosed) {
  write({joined(1), uploaded(1)});
  const auto one = (std::filesystem::file_size(file) - 12) / 2;
  for (std::uintmax_t missing = 1; missing < one; missing += 7) {
    std::filesystem::remove(file);
    write({joined(1), uploaded(1)});
    cut(missing);
    auto guard = Guard::open(file);
    ASSERT_TRUE(guard.ok()) << missing;
    EXPECT_FALSE(guard->record(uploaded(1, 99)).ok()) << missing;
  }
}

TEST_F(GuardFile, DamageBeforeTheEndIsAnErrorNotAShorterHistory) {
  write({joined(1), uploaded(1), endorsed(1)});
  std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
  bytes.seekp(100);
  bytes.put('\x55');
  bytes.close();
  EXPECT_FALSE(Guard::open(file).ok());
}

/// A record as it was written before inputs had ids.
Bytes first_version(const GuardRecord& record) {
  ByteWriter out;
  out.u8(static_cast<std::uint8_t>(record.step));
  out.bytes(record.run);
  out.u64(record.round.value);
  for (const Bytes32& field : {record.h, record.d_u2, record.hash_y, record.d_s})
    out.bytes(field);
  return out.take();
}

TEST_F(GuardFile, AFileOfBeforeInputsHadIdsIsStillReadAndGoesOn) {
  {
    auto opened = storage::AppendLog::open(file);
    ASSERT_TRUE(opened.ok());
    for (const auto& record : {joined(1), uploaded(1), endorsed(1)})
      ASSERT_TRUE(opened->log.append(first_version(record)).ok());
  }
  write({joined(2), uploaded_input(2, 40)});
  auto guard = Guard::open(file);
  ASSERT_TRUE(guard.ok()) << guard.error().message;
  EXPECT_EQ(guard->state().last_round(kRun), RoundNumber{2});
  EXPECT_TRUE(guard->state().is_locked({40}));
  EXPECT_FALSE(guard->state().is_locked({}));
}

TEST_F(GuardFile, InputsStayLockedAndFreedOverARestart) {
  write({joined(1), uploaded_input(1, 40), joined(2)});
  EXPECT_FALSE(Guard::open(file)->record(uploaded_input(2, 40)).ok());
  write({freed(1, 40)});
  EXPECT_TRUE(Guard::open(file)->record(uploaded_input(2, 40)).ok());
}

TEST_F(GuardFile, ASecondProcessIsRefused) {
  auto first = Guard::open(file);
  ASSERT_TRUE(first.ok());
  EXPECT_FALSE(Guard::open(file).ok());
}

TEST_F(GuardFile, AWriteThatFailsIsAnErrorAndChangesNothing) {
  auto guard = Guard::open(file);
  ASSERT_TRUE(guard->record(joined(1)).ok());
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = std::filesystem::file_size(file) + 10;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status written = guard->record(uploaded(1));
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_FALSE(written.ok());
  EXPECT_FALSE(guard->state().holds(uploaded(1)));
  EXPECT_FALSE(guard->record(uploaded(1)).ok());  // the file is not trusted any more
}

}  // namespace
}  // namespace sotto::participant
