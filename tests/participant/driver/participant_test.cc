// The production Participant with a trainer that needs no learning library, through whole rounds.
#include "participant/driver/participant.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/participant/driver/fake_models.h"
#include "tests/participant/driver/hostile_coordinator.h"
#include "tests/participant/driver/small_task.h"
#include "tests/participant/learning/own_folder.h"

namespace sotto::outside_test {
namespace {

using Rounds = std::vector<std::uint64_t>;

/// A site that trains with `models`: round 1, two attempts at round 2, and an attempt at round 3
/// that the coordinator gives up before the upload.
Outside outside_of(training::FakeModels& models, const std::string& name) {
  const SmallTask task = classification();
  const auto folder = learning::own_folder() / name;
  write_task(task, folder);
  HostileCoordinator coordinator;
  ObservedSite site(folder,
                    {.training = file_of(task.training),
                     .evaluation = file_of(task.evaluation),
                     .declared = {{"training_examples", task.training.size()}}},
                    models, coordinator.roster(), coordinator.site_id(), coordinator.site_key());
  coordinator.connect(site);
  const config::JobConfig job = load_task(folder);
  EXPECT_TRUE(accepts(coordinator.offer(job)));
  const FlatParameters model = models.initial_model(job).value();
  coordinator.play(1, model);
  coordinator.ask(2, model);
  coordinator.play(2, model);
  coordinator.ask(3, model);
  return site.outside();
}

std::vector<Bytes32> uploads(const Outside& outside) {
  std::vector<Bytes32> out;
  for (const Sent& sent : outside.sent)
    if (const auto* header = std::get_if<wire::UploadHeader>(&sent.envelope.message))
      out.push_back(header->hash_y);
  return out;
}

TEST(Participant, TrainsChargesAndUploadsWithATrainerOfAnyLibrary) {
  training::FakeModels models;
  const Outside outside = outside_of(models, "site");
  EXPECT_EQ(models.trained(), (Rounds{1, 2, 3}))
      << "an attempt at the same round uses the same update";
  EXPECT_EQ(models.kept(), (Rounds{1, 2})) << "what is not sent is not kept";
  EXPECT_EQ(count<wire::UploadHeader>(outside), 2U);
  EXPECT_EQ(outside.charges.size(), 2U);
}

TEST(Participant, UploadsTheUpdateOfItsTrainer) {
  training::FakeModels one({.seed = 1}), same({.seed = 1}), other({.seed = 2});
  const Outside first = outside_of(one, "one");
  const Outside second = outside_of(same, "same");
  const Outside third = outside_of(other, "other");
  EXPECT_EQ(uploads(first), uploads(second)) << "the same seeds give the same bytes";
  EXPECT_NE(uploads(first), uploads(third));
  EXPECT_EQ(differences(first, third), std::vector<std::string>{}) << "only the update differs";
}

}  // namespace
}  // namespace sotto::outside_test
