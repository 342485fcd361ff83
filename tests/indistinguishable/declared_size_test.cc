// The number of training examples that a site declares is the only one that answers depend on: a
// coordinator that bisects on the answers finds the declared number, whatever the files hold.
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/privacy/accounting/calibration.h"
#include "participant/learning/torch_models.h"
#include "tests/participant/driver/hostile_coordinator.h"
#include "tests/participant/driver/small_task.h"
#include "tests/participant/learning/own_folder.h"

namespace sotto::outside_test {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kBatch = 32;
constexpr std::uint64_t kSteps = 6;  // of the job's three rounds

/// Bisects on the noise multiplier between "the job would cost too much" and "accepted". Each
/// answer costs the coordinator nothing.
class Bisection {
 public:
  /// `records` stand in the data file, `declared` in site.json.
  Bisection(std::size_t records, std::size_t declared) {
    const SmallTask task = with_batches();
    const fs::path folder = learning::own_folder();
    write_task(task, folder);
    std::vector<std::string> training(records, "yes\tgood film");
    HostileCoordinator coordinator;
    ObservedSite site(folder,
                      {.training = file_of(training),
                       .evaluation = file_of(task.evaluation),
                       .declared = {{"training_examples", declared}, {"evaluation_examples", 3}},
                       .policy = {{"max_epsilon", 8},
                                  {"max_epsilon_per_job", 8},
                                  {"max_jobs_judged_per_day", 1000}}},
                      learning::torch_models(), coordinator.roster(), coordinator.site_id(),
                      coordinator.site_key());
    coordinator.connect(site);
    for (int i = 0; i < 20; ++i) {
      const double middle = as_sent((low_ + high_) / 2);
      const auto job =
          load_task(folder, {"differential_privacy.noise_multiplier=" + std::to_string(middle)});
      const auto reply = coordinator.offer(job);
      answers_ += accepts(reply) ? 'a' : 'd';
      (accepts(reply) ? high_ : low_) = middle;
    }
    outside_ = site.outside();
  }

  [[nodiscard]] const std::string& answers() const { return answers_; }

  [[nodiscard]] const Outside& outside() const { return outside_; }

  /// The one number of examples whose threshold lies where the answers change.
  [[nodiscard]] std::uint64_t number_found() const {
    std::uint64_t low = 33, high = 1000000;
    while (low < high) {
      const std::uint64_t middle = (low + high) / 2;
      if (affordable(middle))
        high = middle;
      else
        low = middle + 1;
    }
    return low;
  }

 private:
  /// The job's text holds six digits.
  static double as_sent(double noise) { return std::stod(std::to_string(noise)); }

  static SmallTask with_batches() {
    SmallTask task = classification();
    task.job["local_training"].erase("sampling_rate");
    task.job["local_training"]["expected_batch_size"] = kBatch;
    return task;
  }

  [[nodiscard]] bool affordable(std::uint64_t examples) const {
    return privacy::epsilon_of(
               {.sampling_rate = static_cast<double>(kBatch) / static_cast<double>(examples),
                .noise_multiplier = high_,
                .steps = kSteps},
               1e-5)
               .value() <= 8;
  }

  double low_ = 0.3, high_ = 5;
  std::string answers_;
  Outside outside_;
};

TEST(DeclaredSize, BisectionOnTheAnswersFindsWhatIsDeclared) {
  for (const std::size_t records : {397U, 398U}) {
    const Bisection bisection(records, 500);
    EXPECT_NE(bisection.answers().find('a'), std::string::npos);
    EXPECT_NE(bisection.answers().find('d'), std::string::npos);
    EXPECT_EQ(bisection.number_found(), 500U);
  }
}

TEST(DeclaredSize, OneExampleMoreChangesNoAnswer) {
  const Bisection one(397, 397), other(398, 397);
  EXPECT_NE(one.answers().find('a'), std::string::npos) << "some job is accepted";
  EXPECT_EQ(one.answers(), other.answers());
  EXPECT_EQ(differences(one.outside(), other.outside()), std::vector<std::string>{});
}

/// Noise is calibrated to the declared size, so that the update's scale does not tell the true one.
TEST(DeclaredSize, NoiseAndRateOfARoundFollowFromIt) {
  SmallTask task = classification();
  task.job["local_training"].erase("sampling_rate");
  task.job["local_training"]["expected_batch_size"] = 10;
  task.job["differential_privacy"] = {{"target_epsilon", 4}};
  const auto charges = [&task](std::size_t records) {
    const fs::path folder = learning::own_folder();
    write_task(task, folder);
    HostileCoordinator coordinator;
    ObservedSite site(folder,
                      {.training = file_of(std::vector<std::string>(records, "yes\tgood film")),
                       .evaluation = file_of(task.evaluation),
                       .declared = {{"training_examples", 20}, {"evaluation_examples", 3}}},
                      learning::torch_models(), coordinator.roster(), coordinator.site_id(),
                      coordinator.site_key());
    coordinator.connect(site);
    const config::JobConfig job = load_task(folder);
    coordinator.offer(job);
    coordinator.play(1, learning::initial_model(job).value());
    return site.outside().charges;
  };
  const auto charged = charges(20);
  ASSERT_EQ(charged.size(), 1U);
  EXPECT_NE(charged[0].find(" rate 0.500000 "), std::string::npos) << charged[0];
  EXPECT_EQ(charged, charges(21));
}

}  // namespace
}  // namespace sotto::outside_test
