#include "common/privacy/ledger/ledger.h"

#include <cmath>
#include <csignal>
#include <limits>
#include <type_traits>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/storage/atomic_file.h"
#include "tests/temporary_directory.h"

namespace sotto::privacy {
namespace {

// Only the ledger makes a Released<T>.
static_assert(!std::is_constructible_v<Released<int>, int>);
static_assert(!std::is_convertible_v<int, Released<int>>);
static_assert(!std::is_default_constructible_v<Released<int>>);
static_assert(!std::is_copy_constructible_v<Released<int>>);
static_assert(!std::is_aggregate_v<Released<int>>);

constexpr double kDelta = 1e-5;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr DpSgdSteps kSteps{.sampling_rate = 0.01, .noise_multiplier = 1, .steps = 100};

Charge charge_for(std::uint64_t server_round, const std::string& dataset = "hospital/2026") {
  return {.dataset_id = dataset,
          .run = RunId{7},
          .round = RoundNumber::of(server_round, 0),
          .job_hash = Bytes32{8},
          .steps = kSteps,
          .without_privacy = false};
}

/// Of a job that plans more rounds than any budget here allows: the data set's budget is its alone,
/// and its loss is added up by privacy loss distribution.
Charge one_of_many(std::uint64_t server_round) {
  Charge charge = charge_for(server_round);
  charge.planned = 100000;
  return charge;
}

Budget budget_of(double epsilon) {
  return {.max_epsilon = epsilon, .delta = kDelta};
}

double epsilon_of_rounds(std::uint64_t rounds) {
  DpSgdSteps steps = kSteps;
  steps.steps *= rounds;
  return rounds == 0 ? 0 : epsilon_of(steps, kDelta).value();
}

NoisyRounds noisy_round() {
  return {.mechanism = NoiseMechanism::kDiscreteGaussian,
          .variance = 400 * kVarianceUnit,
          .unknown_noises = 9,
          .squared_sensitivity = 360,
          .dimension = 1024,
          .rounds = 1};
}

Charge noisy_charge(std::uint64_t server_round) {
  Charge charge = charge_for(server_round);
  charge.noise = noisy_round();
  return charge;
}

double participant_epsilon_of_rounds(std::uint64_t rounds) {
  NoisyRounds all = noisy_round();
  all.rounds = rounds;
  RdpAccountant accountant;
  SOTTO_CHECK(accountant.add(all).ok(), "rounds");
  return accountant.epsilon(kDelta);
}

class LedgerTest : public testing::Test {
 protected:
  [[nodiscard]] PrivacyLedger open() const {
    auto ledger = PrivacyLedger::open(file_);
    SOTTO_CHECK(ledger.ok(), ledger.error().message);
    return std::move(ledger).value();
  }

  [[nodiscard]] double spent_in_file() const {
    return open().spent("hospital/2026", kDelta).value();
  }

  void patch_header(std::ptrdiff_t offset, std::uint8_t value) const {
    Bytes bytes = storage::read_file(file_, 1U << 20).value();
    bytes[static_cast<std::size_t>(offset)] = value;
    SOTTO_CHECK(
        storage::write_file_atomically(file_, {bytes}, storage::FileAccess::kOwnerOnly).ok(),
        "patch");
  }

  const TemporaryDirectory directory_;
  const std::filesystem::path file_ = directory_ / "ledger.sqlite";
};

TEST_F(LedgerTest, ChargesAddUpAndTheValueComesBack) {
  PrivacyLedger ledger = open();
  EXPECT_EQ(ledger.spent("hospital/2026", kDelta).value(), 0);
  for (std::uint64_t round = 1; round <= 3; ++round) {
    auto released =
        ledger.charge_and_release(charge_for(round), budget_of(10), std::string("update"));
    ASSERT_TRUE(released.ok()) << released.error().message;
    EXPECT_EQ(std::move(released).value().take(), "update");
    EXPECT_NEAR(ledger.spent("hospital/2026", kDelta).value(), epsilon_of_rounds(round), 1e-9);
  }
}

Charge of_persons(std::uint64_t server_round) {
  Charge charge = charge_for(server_round);
  charge.job_hash = {9};
  charge.unit = ProtectedUnit::kPerson;
  charge.examples_per_person = 10;
  return charge;
}

TEST_F(LedgerTest, ADataSetIsChargedForOneUnitOnly) {
  for (const bool persons_first : {false, true}) {
    const TemporaryDirectory own;
    PrivacyLedger ledger = PrivacyLedger::open(own / "ledger.sqlite").value();
    const Charge first = persons_first ? of_persons(1) : charge_for(1);
    const Charge other = persons_first ? charge_for(2) : of_persons(2);
    ASSERT_TRUE(ledger.charge_and_release(first, budget_of(10), 1).ok());
    const auto refusals = ledger.refusals(other, budget_of(10)).value();
    ASSERT_EQ(refusals.size(), 1U);
    EXPECT_EQ(refusals[0].limit, Limit::kOtherUnit);
    EXPECT_FALSE(ledger.charge_and_release(other, budget_of(1e6), 1).ok()) << "at any budget";
    EXPECT_EQ(ledger.outlook(other, budget_of(10))->refusals.at(0).limit, Limit::kOtherUnit);
    EXPECT_EQ(ledger.spent("hospital/2026", kDelta).value(), epsilon_of_rounds(1));
    EXPECT_EQ(ledger.entries("hospital/2026", kDelta)->size(), 1U);
  }
}

TEST_F(LedgerTest, WithoutALimitUnitsMayBeMixedAndNoEpsilonIsStated) {
  PrivacyLedger ledger = open();
  ASSERT_TRUE(ledger.charge_and_release(charge_for(1), budget_of(kInfinity), 1).ok());
  ASSERT_TRUE(ledger.charge_and_release(of_persons(2), budget_of(kInfinity), 1).ok());
  const Spent spent = ledger.both_spent("hospital/2026", kDelta).value();
  EXPECT_TRUE(std::isinf(spent.epsilon));
  EXPECT_EQ(spent.units.size(), 2U);
  const auto entries = ledger.entries("hospital/2026", kDelta).value();
  EXPECT_TRUE(std::isfinite(entries.at(0).epsilon_after));
  EXPECT_TRUE(std::isinf(entries.at(1).epsilon_after));
  EXPECT_FALSE(ledger.charge_and_release(of_persons(3), budget_of(1e6), 1).ok());
  EXPECT_FALSE(ledger.charge_and_release(charge_for(3), budget_of(1e6), 1).ok());
}

TEST_F(LedgerTest, AChargeForAnExampleHasOne) {
  Charge charge = charge_for(1);
  charge.examples_per_person = 2;
  EXPECT_FALSE(open().charge_and_release(charge, budget_of(10), 1).ok());
  charge.unit = ProtectedUnit::kPerson;
  charge.examples_per_person = 0;
  EXPECT_FALSE(open().charge_and_release(charge, budget_of(10), 1).ok());
}

TEST_F(LedgerTest, RefusesOverBudgetAndSaysByHowMuch) {
  PrivacyLedger ledger = open();
  const Budget budget = budget_of((epsilon_of_rounds(2) + epsilon_of_rounds(3)) / 2);
  ASSERT_TRUE(ledger.charge_and_release(one_of_many(1), budget, 1).ok());
  ASSERT_TRUE(ledger.charge_and_release(one_of_many(2), budget, 2).ok());
  const auto refused = ledger.charge_and_release(one_of_many(3), budget, 3);
  ASSERT_FALSE(refused.ok());
  for (const double figure : {epsilon_of_rounds(2), epsilon_of_rounds(3), budget.max_epsilon}) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.4g", figure);
    EXPECT_NE(refused.error().message.find(text.data()), std::string::npos)
        << refused.error().message;
  }
  EXPECT_NEAR(ledger.spent("hospital/2026", kDelta).value(), epsilon_of_rounds(2), 1e-9);
  EXPECT_EQ(ledger.entries("hospital/2026", kDelta)->size(), 2U);
}

TEST_F(LedgerTest, ARefusedValueIsDestroyed) {
  PrivacyLedger ledger = open();
  const auto watched = std::make_shared<int>(1);
  std::shared_ptr<int> handed_in = watched;
  EXPECT_FALSE(ledger.charge_and_release(charge_for(1), budget_of(0), std::move(handed_in)).ok());
  EXPECT_EQ(watched.use_count(), 1);
}

TEST_F(LedgerTest, TheTwoStatementsAreKeptApartAndNeverAdded) {
  {
    PrivacyLedger ledger = open();
    for (std::uint64_t round = 1; round <= 3; ++round)
      ASSERT_TRUE(ledger.charge_and_release(noisy_charge(round), budget_of(10), 1).ok());
  }
  const PrivacyLedger again = open();
  const Spent spent = again.both_spent("hospital/2026", kDelta).value();
  EXPECT_NEAR(spent.epsilon, epsilon_of_rounds(3), 1e-9);
  EXPECT_NEAR(spent.participant_epsilon, participant_epsilon_of_rounds(3), 1e-9);
  EXPECT_NE(spent.epsilon, spent.participant_epsilon);
  const auto entries = again.entries("hospital/2026", kDelta).value();
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[1].charge.noise, noisy_round());
  EXPECT_NEAR(entries[1].participant_epsilon_after, participant_epsilon_of_rounds(2), 1e-9);
  EXPECT_NEAR(entries[1].epsilon_after, epsilon_of_rounds(2), 1e-9);
}

TEST_F(LedgerTest, RefusesOverTheParticipantLevelBudgetAlone) {
  PrivacyLedger ledger = open();
  Budget budget = budget_of(1000);
  budget.max_participant_epsilon =
      (participant_epsilon_of_rounds(2) + participant_epsilon_of_rounds(3)) / 2;
  ASSERT_TRUE(ledger.charge_and_release(noisy_charge(1), budget, 1).ok());
  ASSERT_TRUE(ledger.charge_and_release(noisy_charge(2), budget, 2).ok());
  const auto refused = ledger.charge_and_release(noisy_charge(3), budget, 3);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("participant-level"), std::string::npos);
  EXPECT_EQ(ledger.entries("hospital/2026", kDelta)->size(), 2U) << "nothing was charged";
}

// DP-SGD bounds what one example does; the organisation's update itself went out without a bound.
TEST_F(LedgerTest, AnUploadWithoutNoiseMakesTheParticipantLevelInfinite) {
  PrivacyLedger ledger = open();
  ASSERT_TRUE(ledger.charge_and_release(noisy_charge(1), budget_of(10), 1).ok());
  Charge evaluation = charge_for(2);
  evaluation.steps.reset();
  ASSERT_TRUE(ledger.charge_and_release(evaluation, budget_of(10), 1).ok());
  EXPECT_NEAR(ledger.both_spent("hospital/2026", kDelta)->participant_epsilon,
              participant_epsilon_of_rounds(1), 1e-9)
      << "a closing evaluation costs neither";
  ASSERT_TRUE(ledger.charge_and_release(charge_for(3), budget_of(10), 1).ok());
  const Spent spent = ledger.both_spent("hospital/2026", kDelta).value();
  EXPECT_TRUE(std::isinf(spent.participant_epsilon));
  EXPECT_TRUE(std::isfinite(spent.epsilon));
  Budget budget = budget_of(10);
  budget.max_participant_epsilon = 1e6;
  EXPECT_FALSE(ledger.charge_and_release(noisy_charge(4), budget, 1).ok());
}

TEST_F(LedgerTest, RefusesNoiseThatIsNotWorthItsStatement) {
  PrivacyLedger ledger = open();
  Charge narrow = noisy_charge(1);
  narrow.noise->variance = kVarianceUnit;
  EXPECT_FALSE(ledger.charge_and_release(narrow, budget_of(10), 1).ok());
  EXPECT_TRUE(ledger.entries("hospital/2026", kDelta)->empty());
}

TEST_F(LedgerTest, TheSameRoundOfARunIsNeverReleasedTwice) {
  PrivacyLedger ledger = open();
  ASSERT_TRUE(ledger.charge_and_release(charge_for(1), budget_of(kInfinity), 1).ok());
  EXPECT_FALSE(ledger.charge_and_release(charge_for(1), budget_of(kInfinity), 1).ok());
  Charge free = charge_for(1);
  free.steps.reset();
  EXPECT_FALSE(ledger.charge_and_release(free, budget_of(kInfinity), 1).ok());
  Charge attempt = charge_for(1);
  attempt.round = RoundNumber::of(1, 1);
  EXPECT_TRUE(ledger.charge_and_release(attempt, budget_of(kInfinity), 1).ok());
  Charge other_run = charge_for(1);
  other_run.run[0] = 9;
  EXPECT_TRUE(ledger.charge_and_release(other_run, budget_of(kInfinity), 1).ok());
  EXPECT_TRUE(ledger.charge_and_release(charge_for(1, "clinic"), budget_of(kInfinity), 1).ok());
  EXPECT_NEAR(ledger.spent("hospital/2026", kDelta).value(), epsilon_of_rounds(3), 1e-9);
}

/// This value is released again after an abort certificate (docs/secure-aggregation.md, 2.7).
TEST_F(LedgerTest, TheSameInputIsChargedOnceHoweverManyAttemptsReleaseIt) {
  Charge charge = charge_for(1);
  charge.input = {5};
  charge.noise = noisy_round();
  charge.planned = 100000;
  ASSERT_TRUE(open().charge_and_release(charge, budget_of(epsilon_of_rounds(1)), 1).ok());
  EXPECT_FALSE(open().charge_and_release(charge, budget_of(9), 1).ok()) << "the same attempt";
  charge.round = RoundNumber::of(1, 1);
  // Also when the budget would not allow another one, and by another process.
  EXPECT_TRUE(open().charge_and_release(charge, budget_of(epsilon_of_rounds(1)), 1).ok());
  EXPECT_EQ(spent_in_file(), epsilon_of_rounds(1));
  const auto entries = open().entries("hospital/2026", kDelta).value();
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[1].charge.input, Bytes32{5});
  EXPECT_FALSE(entries[1].charge.steps.has_value());
  EXPECT_NEAR(entries[1].participant_epsilon_after, participant_epsilon_of_rounds(1), 1e-9);
}

TEST_F(LedgerTest, AnInputIsPaidForByItsOwnRunAndDataAlone) {
  Charge charge = charge_for(1);
  charge.input = {5};
  ASSERT_TRUE(open().charge_and_release(charge, budget_of(9), 1).ok());
  charge.run = RunId{70};
  ASSERT_TRUE(open().charge_and_release(charge, budget_of(9), 1).ok());
  EXPECT_EQ(spent_in_file(), epsilon_of_rounds(2));
  charge.dataset_id = "hospital/2027";
  ASSERT_TRUE(open().charge_and_release(charge, budget_of(9), 1).ok());
  EXPECT_EQ(open().spent("hospital/2027", kDelta).value(), epsilon_of_rounds(1));
}

TEST_F(LedgerTest, NamelessInputsAreAllDifferent) {
  ASSERT_TRUE(open().charge_and_release(charge_for(1), budget_of(9), 1).ok());
  ASSERT_TRUE(open().charge_and_release(charge_for(2), budget_of(9), 1).ok());
  EXPECT_EQ(spent_in_file(), epsilon_of_rounds(2));
}

TEST_F(LedgerTest, CountsAcrossRestarts) {
  for (std::uint64_t round = 1; round <= 3; ++round)
    ASSERT_TRUE(open().charge_and_release(charge_for(round), budget_of(10), 1).ok());
  EXPECT_NEAR(spent_in_file(), epsilon_of_rounds(3), 1e-9);
  EXPECT_FALSE(open().charge_and_release(charge_for(3), budget_of(10), 1).ok());
}

TEST_F(LedgerTest, TrainingWithoutPrivacySpendsEverything) {
  PrivacyLedger ledger = open();
  Charge charge = charge_for(1);
  charge.steps.reset();
  charge.without_privacy = true;
  EXPECT_FALSE(ledger.charge_and_release(charge, budget_of(1e9), 1).ok());
  ASSERT_TRUE(ledger.charge_and_release(charge, budget_of(kInfinity), 1).ok());
  EXPECT_EQ(ledger.spent("hospital/2026", kDelta).value(), kInfinity);
  EXPECT_FALSE(ledger.charge_and_release(charge_for(2), budget_of(1e9), 1).ok());
  EXPECT_EQ(ledger.spent("clinic", kDelta).value(), 0);
}

TEST_F(LedgerTest, AReleaseThatDependsOnNoExampleIsRecordedAtNoCost) {
  PrivacyLedger ledger = open();
  Charge charge = charge_for(9);
  charge.steps.reset();
  ASSERT_TRUE(ledger.charge_and_release(charge, budget_of(0), 1).ok());
  EXPECT_EQ(ledger.spent("hospital/2026", kDelta).value(), 0);
  EXPECT_EQ(ledger.entries("hospital/2026", kDelta)->size(), 1U);
}

TEST_F(LedgerTest, EntriesTellTheHistory) {
  PrivacyLedger ledger = open();
  Charge second = charge_for(2);
  second.steps = DpSgdSteps{.sampling_rate = 0.5, .noise_multiplier = 1.0 / 3, .steps = 1};
  ASSERT_TRUE(ledger.charge_and_release(charge_for(1), budget_of(1000), 1).ok());
  ASSERT_TRUE(ledger.charge_and_release(second, budget_of(1000), 1).ok());
  const auto entries = ledger.entries("hospital/2026", kDelta);
  ASSERT_TRUE(entries.ok());
  ASSERT_EQ(entries->size(), 2U);
  const LedgerEntry& entry = entries.value()[1];
  EXPECT_EQ(entry.charge.run, second.run);
  EXPECT_EQ(entry.charge.round, second.round);
  EXPECT_EQ(entry.charge.job_hash, second.job_hash);
  EXPECT_EQ(entry.charge.steps->noise_multiplier, 1.0 / 3);
  EXPECT_EQ(entry.when_utc.size(), std::string("2026-01-01T00:00:00Z").size());
  EXPECT_NEAR(entries.value()[0].epsilon_after, epsilon_of_rounds(1), 1e-9);
  EXPECT_NEAR(entry.epsilon_after, ledger.spent("hospital/2026", kDelta).value(), 1e-9);
}

TEST_F(LedgerTest, HasOneOwner) {
  const PrivacyLedger first = open();
  const auto second = PrivacyLedger::open(file_);
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().message.find("locked"), std::string::npos);
}

TEST_F(LedgerTest, RefusesOtherFilesAndVersions) {
  static_cast<void>(open());
  patch_header(63, 5);  // SQLite's user_version
  EXPECT_FALSE(PrivacyLedger::open(file_).ok());
  EXPECT_FALSE(PrivacyLedger::read(file_).ok());
  patch_header(63, 4);
  EXPECT_TRUE(PrivacyLedger::open(file_).ok());
  patch_header(71, 0);  // SQLite's application_id
  EXPECT_FALSE(PrivacyLedger::open(file_).ok());
  EXPECT_FALSE(PrivacyLedger::open(directory_ / "missing/ledger").ok());
}

TEST_F(LedgerTest, RefusesChargesThatCannotBe) {
  PrivacyLedger ledger = open();
  Charge charge = charge_for(1);
  charge.steps->noise_multiplier = 0;
  EXPECT_FALSE(ledger.charge_and_release(charge, budget_of(kInfinity), 1).ok());
  EXPECT_FALSE(ledger.charge_and_release(charge_for(1, ""), budget_of(kInfinity), 1).ok());
  EXPECT_FALSE(ledger.charge_and_release(charge_for(1), budget_of(std::nan("")), 1).ok());
  EXPECT_FALSE(ledger.charge_and_release(charge_for(1), {.max_epsilon = 1, .delta = 0}, 1).ok());
  EXPECT_EQ(ledger.entries("hospital/2026", kDelta)->size(), 0U);
}

/// Kills its process the moment the ledger lets go of it.
struct KillsOnRelease {
  KillsOnRelease() = default;

  KillsOnRelease(KillsOnRelease&&) noexcept { ::raise(SIGKILL); }

  KillsOnRelease& operator=(KillsOnRelease&&) = default;
};

TEST_F(LedgerTest, TheChargeIsDurableBeforeTheValueIsReleased) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto ledger = PrivacyLedger::open(file_);
    if (ledger.ok())
      static_cast<void>(ledger->charge_and_release(charge_for(1), budget_of(10), KillsOnRelease()));
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  EXPECT_NEAR(spent_in_file(), epsilon_of_rounds(1), 1e-9);
}

TEST_F(LedgerTest, AKilledProcessLosesNoCharge) {
  constexpr std::uint64_t kRounds = 20;
  const pid_t child = ::fork();
  if (child == 0) {
    auto ledger = PrivacyLedger::open(file_);
    for (std::uint64_t round = 1; ledger.ok() && round <= kRounds; ++round)
      static_cast<void>(ledger->charge_and_release(charge_for(round), budget_of(10), 1));
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_NEAR(spent_in_file(), epsilon_of_rounds(kRounds), 1e-9);
}

TEST_F(LedgerTest, AWriteThatFailsReleasesNothing) {
  PrivacyLedger ledger = open();
  ASSERT_TRUE(ledger.charge_and_release(charge_for(1), budget_of(10), 1).ok());
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);

  struct rlimit old {};

  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);

  const struct rlimit full { .rlim_cur = 1, .rlim_max = old.rlim_max };

  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  const bool released = ledger.charge_and_release(charge_for(2), budget_of(10), 1).ok();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_FALSE(released);
  EXPECT_FALSE(ledger.charge_and_release(charge_for(3), budget_of(10), 1).ok());
}

}  // namespace
}  // namespace sotto::privacy
