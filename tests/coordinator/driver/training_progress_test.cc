// What a run makes of its rounds where their counters are void, were left out, or are lost with the
// closing evaluation (docs/operations.md, "Rounds without an evaluation").
#include "coordinator/driver/training_progress.h"

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/encoding/quantizer.h"
#include "common/job/plan.h"
#include "common/privacy/ledger/ledger.h"
#include "common/privacy/mechanisms/clip.h"
#include "tests/temporary_directory.h"

namespace sotto::coordinator {
namespace {

using Counts = std::vector<std::uint64_t>;
using wire::RoundStatus;

constexpr std::uint64_t kValues = 4;
constexpr std::uint64_t kRounds = 2;
constexpr RoundNumber kClosing = RoundNumber::of(kRounds + 1, 0);

/// 10 examples, 4 right.
const Counts kHonest = {10, 4, 10'000, 2, 3, 3, 2, 3, 3};
const Counts kLie = {1 << 20, 1 << 20, 0, 1 << 19, 0, 0, 1 << 19, 0, 0};

config::JobConfig job_of_two_rounds() {
  config::JobConfig job;
  job.name = "counters";
  job.task = {.type = "sequence_classification", .labels = {"a", "b"}};
  job.model.max_length = 8;
  job.rounds.num_server_rounds = kRounds;
  job.rounds.min_available_participants = 3;
  job.differential_privacy.enabled = false;
  job.stopping = {.metric = "accuracy", .target = 0.9};
  job.canonical = "{}";
  return job;
}

/// The run of one process after the other, in one folder.
struct CoordinatorCounters : ::testing::Test {
  TemporaryDirectory directory;
  config::JobConfig job = job_of_two_rounds();
  crypto::StreamRandom random{8};
  std::optional<RunFolder> folder;
  std::optional<TrainingProgress> training;
  std::uint32_t keep = 0;

  void SetUp() override { begin_process(); }

  void begin_process() {
    training.reset();
    folder.reset();
    FlatParameters model{.layout = {{"w", {kValues}}}, .values = std::vector<float>(kValues, 1)};
    folder.emplace(directory.path(), job, std::move(model), random);
    training.emplace(job, *folder, keep);
  }

  /// An attempt of three members, of which one counted `counts` and the others nothing.
  RoundRecord finish(RoundNumber round, const Counts& counts) {
    const bool closing = round == kClosing;
    encoding::EncodingSpec spec = job::encoding_of(job);
    if (counts.empty()) spec = encoding::without_metrics(std::move(spec));
    const auto lanes = encoding::lane_specs(spec, closing ? 0 : kValues, 3);
    auto sum = encoding::RingUpdate::zeros(lanes);
    for (std::uint32_t member = 0; member < 3; ++member) {
      std::optional<ClippedUpdate> update;
      if (!closing) update = clip(FlatUpdate(std::vector<float>(kValues, 0.25F)), 10).value();
      const Counts own = member == 0 ? counts : Counts(counts.size(), 0);
      auto encoded = encoding::encode(spec, lanes, {}, std::move(update), {.metrics = own}, random);
      EXPECT_TRUE(sum.add_packed(encoded->pack()).ok());
    }
    RoundOutcome outcome{.status = RoundStatus::kDone,
                         .sum = encoding::decode_sum(spec, lanes, {}, std::move(sum), 3).value()};
    RoundRecord record{.server_round = round.server_round(),
                       .closing_evaluation = closing,
                       .status = wire::RoundStatus::kDone,
                       .declared_evaluation_examples = 30};
    training->accept(round, outcome, record);
    return record;
  }

  RoundRecord lose(RoundNumber round, RoundStatus how) {
    folder->enter_phase(Phase::kUpload, round, std::nullopt);
    folder->enter_phase(Phase::kEndorse, round, std::nullopt);
    return end_without_sum(round, how);
  }

  RoundRecord end_without_sum(RoundNumber round, RoundStatus how) {
    RoundRecord record{.server_round = round.server_round(),
                       .closing_evaluation = round == kClosing,
                       .status = how,
                       .reason = "lost"};
    training->lose(how, record);
    return record;
  }

  void train_all() {
    finish(RoundNumber::of(1, 0), kHonest);
    finish(RoundNumber::of(2, 0), kHonest);
  }

  [[nodiscard]] nlohmann::json last_line() const {
    std::ifstream in(directory.path() / "metrics.jsonl");
    std::string line, last;
    while (std::getline(in, line))
      last = line;
    return nlohmann::json::parse(last);
  }
};

TEST_F(CoordinatorCounters, AServerRoundIsCountedOnceFromItsCertificateOnAlsoAfterARestart) {
  const RoundNumber first = RoundNumber::of(1, 0), second = RoundNumber::of(1, 1);
  folder->enter_phase(Phase::kUpload, first, std::nullopt);
  EXPECT_EQ(folder->counters_of(second), EvaluationCounters::kSummed);
  folder->enter_phase(Phase::kEndorse, first, std::nullopt);
  EXPECT_EQ(folder->counters_of(second), EvaluationCounters::kLeftOut);
  begin_process();
  EXPECT_EQ(folder->counters_of(second), EvaluationCounters::kLeftOut);
  EXPECT_EQ(folder->counters_of(RoundNumber::of(2, 0)), EvaluationCounters::kSummed);
  end_without_sum(first, RoundStatus::kAborted);
  EXPECT_EQ(folder->counters_of(second), EvaluationCounters::kLeftOut)
      << "who missed the burn certificate can still take part";
}

TEST_F(CoordinatorCounters, ARoundWithoutCountersStepsTheModelAndHasNoEvaluation) {
  const RoundRecord record = finish(RoundNumber::of(1, 1), {});
  EXPECT_FALSE(record.evaluation);
  EXPECT_FALSE(training->evaluation());
  EXPECT_NEAR(folder->checkpoint.model.values[0], 1.25, 1e-3);
  EXPECT_FALSE(last_line().contains("evaluation"));
  EXPECT_EQ(last_line()["no_evaluation"], "this attempt carried no counters");
}

TEST_F(CoordinatorCounters, VoidCountersLoseNoUpdateReachNoTargetAndAreNeverBest) {
  const RoundRecord record = finish(RoundNumber::of(1, 0), kLie);
  EXPECT_NEAR(folder->checkpoint.model.values[0], 1.25, 1e-3);
  EXPECT_FALSE(record.evaluation);
  EXPECT_EQ(training->early_end(), "");
  EXPECT_FALSE(folder->checkpoint.best.known);
  EXPECT_EQ(last_line()["no_evaluation"].get<std::string>().substr(0, 5), "void:");
  EXPECT_EQ(finish(RoundNumber::of(2, 0), kHonest).evaluation->value("accuracy"), 0.4);
}

TEST_F(CoordinatorCounters, AnOldModelThatCouldNotBeRemovedIsRemovedAfterALaterRound) {
  const std::filesystem::path base = directory.path() / "base",
                              models = directory.path() / "checkpoints";
  std::filesystem::create_directories(base);
  std::ofstream(base / "config.json") << "{}";
  std::ofstream(base / "vocab.txt") << "a\n";
  job.model.path = base.string();
  keep = 1;
  begin_process();
  std::filesystem::create_directories(models / "round-000000");
  std::filesystem::create_directories(models / "round-notes");
  train_all();
  EXPECT_FALSE(std::filesystem::exists(models / "round-000000"));
  EXPECT_FALSE(std::filesystem::exists(models / "round-000001"));
  EXPECT_TRUE(std::filesystem::exists(models / "round-000002"));
  EXPECT_TRUE(std::filesystem::exists(models / "best"));
  EXPECT_TRUE(std::filesystem::exists(models / "round-notes")) << "not a folder of ours";
}

TEST_F(CoordinatorCounters, NoNumberOfExamplesIsPublished) {
  finish(RoundNumber::of(1, 0), kHonest);
  const auto line = last_line();
  EXPECT_EQ(line["declared_evaluation_examples"], 30);
  for (const char* key : {"examples", "tokens", "words"})
    EXPECT_FALSE(line["evaluation"].contains(key)) << key;
}

TEST_F(CoordinatorCounters, AClosingEvaluationThatIsLostAfterItsCertificateEndsTheRunComplete) {
  train_all();
  EXPECT_FALSE(training->closing_evaluation_is_lost()) << "it has not begun";
  lose(kClosing, RoundStatus::kLost);
  begin_process();
  EXPECT_FALSE(training->complete());
  EXPECT_TRUE(training->closing_evaluation_is_lost());
  EXPECT_TRUE(training->complete());
  EXPECT_NE(training->early_end().find("no closing evaluation"), std::string::npos);
  begin_process();
  EXPECT_TRUE(training->complete());
  EXPECT_EQ(training->trained_rounds(), kRounds);
  EXPECT_NE(training->early_end().find("no closing evaluation"), std::string::npos);
}

TEST_F(CoordinatorCounters, AnAbortedClosingEvaluationIsTriedAgain) {
  train_all();
  lose(kClosing, RoundStatus::kAborted);
  EXPECT_FALSE(training->closing_evaluation_is_lost());
  begin_process();
  EXPECT_FALSE(training->closing_evaluation_is_lost());
  EXPECT_EQ(folder->counters_of(kClosing), EvaluationCounters::kSummed);
  EXPECT_EQ(finish(kClosing, kHonest).evaluation->value("accuracy"), 0.4);
  EXPECT_TRUE(training->complete());
  EXPECT_EQ(training->early_end(), "");
}

/// Two rounds of five steps at rate 0.1, and the ledger of a site that was charged in every
/// attempt.
struct CoordinatorEpsilon : CoordinatorCounters {
  static constexpr double kDelta = 1e-5;
  std::optional<privacy::PrivacyLedger> ledger;

  void SetUp() override {
    job.differential_privacy = {.enabled = true, .target_delta = kDelta, .noise_multiplier = 1};
    job.local_training.local_steps = 5;
    job.local_training.sampling_rate = 0.1;
    ledger.emplace(privacy::PrivacyLedger::open(directory / "ledger.sqlite").value());
    begin_process();
  }

  /// The message on which uploads follow leaves, and the site is charged.
  void ask_for_uploads(RoundNumber round) {
    folder->enter_phase(Phase::kUpload, round, std::nullopt);
    const privacy::Charge charge{
        .dataset_id = "records",
        .round = round,
        .steps = privacy::DpSgdSteps{.sampling_rate = 0.1, .noise_multiplier = 1, .steps = 5},
        .input = {static_cast<std::uint8_t>(round.server_round()),
                  static_cast<std::uint8_t>(round.attempt() + 1)}};
    const privacy::Budget budget{.max_epsilon = 100, .delta = kDelta};
    ASSERT_TRUE(ledger->charge_and_release(charge, budget, 0).ok());
  }

  [[nodiscard]] double of_the_ledger() const { return ledger->spent("records", kDelta).value(); }
};

TEST_F(CoordinatorEpsilon, IsThatOfTheLedgerAlsoWithLostAttemptsAndAfterARestart) {
  const RoundNumber first = RoundNumber::of(1, 0), lost = RoundNumber::of(2, 0);
  EXPECT_EQ(training->epsilon(), 0.0);
  ask_for_uploads(first);
  EXPECT_EQ(training->epsilon(), of_the_ledger()) << "updates may be on their way";
  EXPECT_EQ(finish(first, kHonest).epsilon, of_the_ledger());
  const double one_round = of_the_ledger();
  ask_for_uploads(lost);
  // A site that began again after it had been charged has no update that could be given back.
  EXPECT_EQ(end_without_sum(lost, RoundStatus::kAborted).epsilon, of_the_ledger());
  EXPECT_GT(of_the_ledger(), 1.1 * one_round);
  begin_process();
  EXPECT_EQ(training->epsilon(), of_the_ledger());
  EXPECT_EQ(end_without_sum(RoundNumber::of(2, 1), RoundStatus::kCancelled).epsilon,
            of_the_ledger())
      << "no update was asked for";
  const RoundNumber last = RoundNumber::of(2, 2);
  ask_for_uploads(last);
  EXPECT_EQ(finish(last, kHonest).epsilon, of_the_ledger());
  EXPECT_EQ(last_line()["epsilon"], of_the_ledger());
  folder->enter_phase(Phase::kUpload, kClosing, std::nullopt);
  EXPECT_EQ(finish(kClosing, kHonest).epsilon, of_the_ledger()) << "trains nothing";
  EXPECT_FALSE(folder->participant_epsilon(kDelta)) << "no noise inside the sums";
}

TEST_F(CoordinatorEpsilon, OfNoiseThatSitesCalibrateIsTheTargetAsLongAsItCoversTheAttempts) {
  job.differential_privacy.noise_multiplier = 0;
  job.differential_privacy.spare_rounds = 1;
  job.local_training.sampling_rate = 0;
  job.local_training.expected_batch_size = 8;
  begin_process();
  ask_for_uploads(RoundNumber::of(1, 0));
  EXPECT_FALSE(finish(RoundNumber::of(1, 0), kHonest).epsilon) << "training goes on";
  lose(RoundNumber::of(2, 0), RoundStatus::kLost);
  folder->enter_phase(Phase::kUpload, RoundNumber::of(2, 1), std::nullopt);
  EXPECT_EQ(finish(RoundNumber::of(2, 1), kHonest).epsilon,
            job.differential_privacy.target_epsilon);
  job.differential_privacy.spare_rounds = 0;
  begin_process();
  EXPECT_FALSE(training->epsilon()) << "one attempt more than the noise was calibrated for";
}

}  // namespace
}  // namespace sotto::coordinator
