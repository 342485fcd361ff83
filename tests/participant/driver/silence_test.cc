// A computation that fails for a reason that may lie in the data is never reported: the site stays
// silent until the attempt is over, and is charged for the silence as for an update.
#include <memory>
#include <new>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "tests/participant/driver/fake_models.h"
#include "tests/participant/driver/hostile_coordinator.h"
#include "tests/participant/driver/small_task.h"
#include "tests/participant/learning/own_folder.h"

namespace sotto::outside_test {
namespace {

namespace fs = std::filesystem;

enum class Failure { kNone, kError, kException };

/// Two attempts at round 1, each played as far as the site goes along, and the site's log.
std::pair<Outside, std::vector<std::string>> two_attempts(Failure failure) {
  const SmallTask task = classification();
  const fs::path folder = learning::own_folder() / std::to_string(static_cast<int>(failure));
  fs::create_directories(folder);
  write_task(task, folder);
  training::FakeModels models({.before_training = [failure](std::uint64_t) -> Status {
    if (failure == Failure::kException) throw std::bad_alloc();
    if (failure == Failure::kError) return Error{"record 17 cannot be opened"};
    return {};
  }});
  HostileCoordinator coordinator;
  ObservedSite site(folder,
                    {.training = file_of(task.training),
                     .evaluation = file_of(task.evaluation),
                     .declared = {{"training_examples", task.training.size()}}},
                    models, coordinator.roster(), coordinator.site_id(), coordinator.site_key());
  coordinator.connect(site);
  const config::JobConfig job = load_task(folder);
  EXPECT_TRUE(coordinator.offer(job));
  const FlatParameters model = models.initial_model(job).value();
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
    bool last_reply = false;
    for (const std::string& line : log)
      last_reply |= line.find("this site sends nothing in round") != std::string::npos;
    EXPECT_TRUE(last_reply) << "the site's people read it";
  }
}

}  // namespace
}  // namespace sotto::outside_test
