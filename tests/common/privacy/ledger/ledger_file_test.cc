// The ledger's file (common/privacy/ledger/ledger_file.h): older versions of it, and reading it
// while somebody else writes.
#include "common/privacy/ledger/ledger_file.h"

#include <cmath>
#include <csignal>
#include <limits>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/privacy/ledger/ledger.h"
#include "common/storage/atomic_file.h"
#include "tests/temporary_directory.h"

namespace sotto::privacy {
namespace {

constexpr double kDelta = 1e-5;
constexpr DpSgdSteps kSteps{.sampling_rate = 0.01, .noise_multiplier = 1, .steps = 100};
constexpr const char* kDataset = "hospital/2026";

Charge charge_for(std::uint64_t server_round) {
  return {.dataset_id = kDataset,
          .run = RunId{7},
          .round = RoundNumber::of(server_round, 0),
          .job_hash = Bytes32{8},
          .steps = kSteps};
}

constexpr Budget kBudget{.max_epsilon = 10, .delta = kDelta};

double epsilon_of_rounds(std::uint64_t rounds) {
  DpSgdSteps steps = kSteps;
  steps.steps *= rounds;
  return epsilon_of(steps, kDelta).value();
}

class LedgerFile : public testing::Test {
 protected:
  void old_file(const std::string& name) const {
    std::filesystem::copy_file(SOTTO_SOURCE_DIR "/tests/vectors/ledger/" + name, file_,
                               std::filesystem::copy_options::overwrite_existing);
  }

  [[nodiscard]] PrivacyLedger open() const { return PrivacyLedger::open(file_).value(); }

  [[nodiscard]] PrivacyLedger read() const { return PrivacyLedger::read(file_).value(); }

  [[nodiscard]] Bytes bytes() const { return storage::read_file(file_, 1U << 20).value(); }

  const TemporaryDirectory directory_;
  const std::filesystem::path file_ = directory_ / "ledger.sqlite";
};

TEST_F(LedgerFile, FilesOfVersions1And2KeepTheirChargesAndGoOn) {
  for (const char* name : {"version1.db", "version2.db"}) {
    old_file(name);
    EXPECT_EQ(open().spent(kDataset, kDelta).value(), epsilon_of_rounds(1)) << name;
    EXPECT_EQ(open().entries(kDataset, kDelta)->at(0).charge.input, Bytes32{});
    EXPECT_FALSE(open().charge_and_release(charge_for(1), kBudget, 1).ok()) << "the same round";
    Charge next = charge_for(2);
    next.input = {5};
    EXPECT_TRUE(open().charge_and_release(next, kBudget, 1).ok());
    EXPECT_EQ(open().spent(kDataset, kDelta).value(), epsilon_of_rounds(2));
    EXPECT_TRUE(std::isinf(open().both_spent(kDataset, kDelta)->participant_epsilon))
        << "its old uploads had no noise";
  }
}

/// Two jobs: three rounds' worth of the first (one attempt was lost, another repeated at no cost),
/// one round of the second and its closing evaluation.
TEST_F(LedgerFile, AFileOfVersion3IsCountedByAFilterOverAllItsRows) {
  old_file("version3.db");
  const Spent spent = open().both_spent(kDataset, kDelta).value();
  RdpAccountant all;
  ASSERT_TRUE(all.add(DpSgdSteps{.sampling_rate = 0.01, .noise_multiplier = 1, .steps = 300}).ok());
  ASSERT_TRUE(all.add(DpSgdSteps{.sampling_rate = 0.02, .noise_multiplier = 2, .steps = 50}).ok());
  EXPECT_NEAR(spent.epsilon, all.epsilon(kDelta), 1e-12);
  EXPECT_GT(spent.epsilon, 1.1016033787136841) << "what version 3 said: a sum that is no filter";
  EXPECT_NEAR(spent.participant_epsilon, 2.8136532471312767, 1e-12) << "as version 3 said";
  ASSERT_EQ(open().entries(kDataset, kDelta)->size(), 6U);
  EXPECT_FALSE(open().rule(kDataset).value().has_value()) << "nothing is decided by looking";
  Charge charge = charge_for(3);
  charge.job_hash = {11};
  charge.run = {12};
  charge.planned = 100000;
  ASSERT_TRUE(open().charge_and_release(charge, kBudget, 1).ok());
  const auto rule = open().rule(kDataset).value();
  ASSERT_TRUE(rule.has_value());
  EXPECT_FALSE(rule->one_job.has_value()) << "several jobs are in it";
  EXPECT_EQ(rule->order, best_order(all, kBudget.max_epsilon, kDelta));
  ASSERT_TRUE(all.add(kSteps).ok());
  EXPECT_NEAR(open().spent(kDataset, kDelta).value(),
              filter_epsilon(rule->order, rdp_at(all, rule->order), kDelta), 1e-12);
}

TEST_F(LedgerFile, AnOldFileIsReadAsItIs) {
  old_file("version3.db");
  const Bytes before = bytes();
  EXPECT_EQ(read().entries(kDataset, kDelta)->size(), 6U);
  EXPECT_EQ(bytes(), before);
}

/// One round of a job that protects persons with at most two examples.
TEST_F(LedgerFile, ChargesOfPersonsAreCountedAndNoJobForExamplesFollows) {
  old_file("persons.db");
  const Spent spent = open().both_spent(kDataset, kDelta).value();
  EXPECT_EQ(spent.epsilon, epsilon_of_rounds(1));
  EXPECT_EQ(spent.units, std::set{ProtectedUnit::kPerson});
  const LedgerEntry entry = open().entries(kDataset, kDelta)->at(0);
  EXPECT_EQ(entry.charge.unit, ProtectedUnit::kPerson);
  EXPECT_EQ(entry.charge.examples_per_person, 2U);
  const auto refused = open().charge_and_release(charge_for(2), kBudget, 1);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("protected persons"), std::string::npos)
      << refused.error().message;
  Charge next = charge_for(2);
  next.unit = ProtectedUnit::kPerson;
  next.examples_per_person = 5;
  EXPECT_TRUE(open().charge_and_release(next, kBudget, 1).ok());
  EXPECT_EQ(open().spent(kDataset, kDelta).value(), epsilon_of_rounds(2));
}

TEST_F(LedgerFile, ChargesOfAUnitThatIsNotKnownAreNotCounted) {
  for (const char* change : {"UPDATE charges SET unit = 2", "UPDATE charges SET examples = 0"}) {
    old_file("persons.db");
    ASSERT_TRUE(execute(open_ledger_file(file_).value().get(), change).ok());
    const auto spent = open().spent(kDataset, kDelta);
    ASSERT_FALSE(spent.ok());
    EXPECT_NE(spent.error().message.find("newer program"), std::string::npos);
    EXPECT_FALSE(open().entries(kDataset, kDelta).ok());
    EXPECT_FALSE(open().charge_and_release(charge_for(2), kBudget, 1).ok());
  }
}

TEST_F(LedgerFile, IsReadWhileItsOwnerHasItOpen) {
  PrivacyLedger owner = open();
  ASSERT_TRUE(owner.charge_and_release(charge_for(1), kBudget, 1).ok());
  PrivacyLedger reader = read();
  EXPECT_EQ(reader.spent(kDataset, kDelta).value(), epsilon_of_rounds(1));
  const auto second = PrivacyLedger::open(file_);
  ASSERT_FALSE(second.ok()) << "a second writer";
  EXPECT_NE(second.error().message.find("locked"), std::string::npos);
  ASSERT_TRUE(owner.charge_and_release(charge_for(2), kBudget, 1).ok())
      << "a reader is in nobody's way";
  EXPECT_EQ(reader.spent(kDataset, kDelta).value(), epsilon_of_rounds(1)) << "what it was then";
  EXPECT_EQ(read().spent(kDataset, kDelta).value(), epsilon_of_rounds(2));
  EXPECT_FALSE(reader.charge_and_release(charge_for(3), kBudget, 1).ok());
}

TEST_F(LedgerFile, IsReadFromAnotherProcessBetweenTheWritesOfItsOwner) {
  constexpr std::uint64_t kRounds = 60;
  const pid_t child = ::fork();
  if (child == 0) {
    auto ledger = PrivacyLedger::open(file_);
    for (std::uint64_t round = 1; ledger.ok() && round <= kRounds; ++round)
      static_cast<void>(ledger->charge_and_release(
          charge_for(round),
          {.max_epsilon = std::numeric_limits<double>::infinity(), .delta = kDelta}, 1));
    ::raise(SIGKILL);
  }
  int status = 0;
  double before = 0;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    const auto ledger = PrivacyLedger::read(file_);
    ASSERT_TRUE(ledger.ok()) << ledger.error().message;
    const double now = ledger->spent(kDataset, kDelta).value();
    EXPECT_GE(now, before);
    before = now;
  }
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(read().spent(kDataset, kDelta).value(), epsilon_of_rounds(kRounds));
  EXPECT_EQ(open().spent(kDataset, kDelta).value(), epsilon_of_rounds(kRounds));
}

TEST_F(LedgerFile, ReadingWhereThereIsNoneMakesNone) {
  EXPECT_EQ(read().spent(kDataset, kDelta).value(), 0);
  EXPECT_TRUE(std::filesystem::is_empty(file_.parent_path()));
}

}  // namespace
}  // namespace sotto::privacy
