// A computation that fails for a reason that may lie in the data is never reported: the site stays
// silent until the attempt is over, and is charged for the silence as for an update.
#include <memory>
#include <new>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "participant/learning/local_trainer.h"
#include "tests/indistinguishable/hostile_coordinator.h"
#include "tests/indistinguishable/small_task.h"
#include "tests/participant/learning/own_folder.h"

namespace sotto::outside_test {
namespace {

namespace fs = std::filesystem;
using learning::LocalTrainer;
using learning::TrainedUpdate;

enum class Failure { kNone, kError, kException };

/// The production trainer, but for train().
class FailingTrainer final : public LocalTrainer {
 public:
  FailingTrainer(std::unique_ptr<LocalTrainer> real, Failure failure)
      : real_(std::move(real)), failure_(failure) {}

  Result<TrainedUpdate> train(
      const FlatParameters& model, std::uint64_t server_round, crypto::SecureRandom& random,
      const std::function<void(learning::TrainingProgress)>& progress) override {
    if (failure_ == Failure::kException) throw std::bad_alloc();
    if (failure_ == Failure::kError) return Error{"record 17 cannot be opened"};
    return real_->train(model, server_round, random, progress);
  }

  void keep() override { real_->keep(); }

  Result<std::vector<std::uint64_t>> evaluate(const FlatParameters& model) override {
    return real_->evaluate(model);
  }

  [[nodiscard]] const privacy::DpSgdSteps& steps_per_round() const override {
    return real_->steps_per_round();
  }

  [[nodiscard]] std::uint64_t training_examples() const override {
    return real_->training_examples();
  }

  [[nodiscard]] std::uint64_t evaluation_examples() const override {
    return real_->evaluation_examples();
  }

  [[nodiscard]] std::vector<std::string> data_warnings() const override {
    return real_->data_warnings();
  }

 private:
  std::unique_ptr<LocalTrainer> real_;
  Failure failure_;
};

/// Two attempts at round 1, each played as far as the site goes along, and the site's log.
std::pair<Outside, std::vector<std::string>> two_attempts(Failure failure) {
  const SmallTask task = classification();
  const fs::path folder = learning::own_folder() / std::to_string(static_cast<int>(failure));
  fs::create_directories(folder);
  write_task(task, folder);
  HostileCoordinator coordinator;
  ObservedSite site(folder,
                    {.training = file_of(task.training),
                     .evaluation = file_of(task.evaluation),
                     .declared = {{"training_examples", task.training.size()}},
                     .wrap_trainer =
                         [failure](std::unique_ptr<LocalTrainer> real) {
                           return std::make_unique<FailingTrainer>(std::move(real), failure);
                         }},
                    coordinator.roster(), coordinator.site_id(), coordinator.site_key());
  coordinator.connect(site);
  const config::JobConfig job = load_task(folder);
  EXPECT_TRUE(coordinator.offer(job));
  const FlatParameters model = learning::initial_model(job).value();
  coordinator.play(1, model);
  coordinator.play(1, model);
  return {site.outside(), site.log()};
}

TEST(Silence, AFailedComputationSendsNothingAndIsChargedForEachAttempt) {
  const auto [without, unused] = two_attempts(Failure::kNone);
  ASSERT_EQ(count<wire::UploadHeader>(without), 2U);
  ASSERT_EQ(without.charges.size(), 2U);
  for (const Failure failure : {Failure::kError, Failure::kException}) {
    const auto [outside, log] = two_attempts(failure);
    EXPECT_EQ(count<wire::Advertise>(outside), 2U) << "the next attempt is joined";
    EXPECT_EQ(count<wire::LeaveRound>(outside), 0U);
    EXPECT_EQ(count<wire::UploadHeader>(outside), 0U);
    EXPECT_EQ(outside.charges.size(), 2U);
    bool said = false;
    for (const std::string& line : log)
      said |= line.find("gets nothing from this site") != std::string::npos;
    EXPECT_TRUE(said) << "the site's people read it";
  }
}

}  // namespace
}  // namespace sotto::outside_test
