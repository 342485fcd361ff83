// What leaves a site does not depend on its training records, except through the noise: for pairs
// of neighbouring data sets, with the site's randomness fixed, a hostile coordinator sees the same
// messages at the same times, with the same sizes and fields, but for lane 0 of an upload and what
// is hashed or signed over it; and the ledgers hold the same entries.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/job/saved_model.h"
#include "participant/learning/torch_models.h"
#include "tests/indistinguishable/crafted_models.h"
#include "tests/participant/driver/hostile_coordinator.h"
#include "tests/participant/driver/small_task.h"
#include "tests/participant/learning/own_folder.h"

namespace sotto::outside_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Records = std::vector<std::string>;

/// What a hostile coordinator does to a site whose task lies in a folder.
using Script = std::function<void(HostileCoordinator&, const fs::path&)>;

Outside conversation(const SmallTask& task, const SiteFiles& files, const Script& script) {
  const fs::path folder = learning::own_folder();  // the same for both: no path tells them apart
  write_task(task, folder);
  HostileCoordinator coordinator;
  ObservedSite site(folder, files, learning::torch_models(), coordinator.roster(),
                    coordinator.site_id(), coordinator.site_key());
  coordinator.connect(site);
  script(coordinator, folder);
  return site.outside();
}

/// Two data sets that differ in one record.
struct Neighbours {
  std::string name;
  SmallTask task;
  std::string record;  // as it stands in the data file
  /// Models that a hostile coordinator makes from the job's own one.
  std::vector<std::function<FlatParameters(FlatParameters)>> models{};
};

SiteFiles files_of(const SmallTask& task) {
  return {.training = file_of(task.training),
          .evaluation = file_of(task.evaluation),
          .declared = {{"training_examples", 20}, {"evaluation_examples", 3}}};
}

/// Named in a failure by what differs.
void PrintTo(const Neighbours& pair, std::ostream* out) {
  *out << pair.name;
}

/// The record stands in the middle, so that every line behind it has another number.
SiteFiles files_with(const SmallTask& task, const std::string& record) {
  SiteFiles files = files_of(task);
  Records records = task.training;
  records.insert(records.begin() + 3, record);
  files.training = file_of(records);
  return files;
}

std::function<FlatParameters(FlatParameters)> infinite_loss(std::size_t token) {
  return [token](FlatParameters model) { return with_infinite_loss(std::move(model), token); };
}

std::function<FlatParameters(FlatParameters)> infinite_gradient(std::size_t token) {
  return [token](FlatParameters model) { return with_infinite_gradient(std::move(model), token); };
}

constexpr std::size_t kSecret = 15;  // of classification() and tagging()
constexpr std::size_t kH = 8;        // of language()

std::vector<Neighbours> all_neighbours() {
  std::string long_text = "yes\tgood";
  for (int i = 0; i < 300; ++i)
    long_text += " film";
  const std::string long_word = "no\t" + std::string(1 << 16, 'x');
  return {
      {"ClassAnOrdinaryRecord", classification(), "yes\tgood book"},
      {"ClassALabelThatTheJobLacks", classification(), "other\tgood book"},
      {"ClassALineWithoutATab", classification(), "good book"},
      {"ClassALineWithoutText", classification(), "yes\t "},
      {"ClassALineThatIsNotUtf8", classification(), "yes\tgood \xE9"},
      {"ClassALongLine", classification(), long_text},
      {"ClassALongWord", classification(), long_word},
      {"ClassAPoisonedToken",
       classification(),
       "no\tsecret film",
       {infinite_loss(kSecret), infinite_gradient(kSecret)}},
      {"TagsAnOrdinarySentence", tagging(), "ada\tB-PER\n"},
      {"TagsAKindThatTheJobLacks", tagging(), "ada\tB-MISC\n"},
      {"TagsAWordWithoutATag", tagging(), "ada\tB-PER\nbob\n"},
      {"TagsAnEntityThatDoesNotBegin", tagging(), "ada\tO\nbob\tI-PER\n"},
      {"TagsASentenceThatIsNotUtf8", tagging(), "ada\xE9\tO\n"},
      {"TagsAPoisonedToken",
       tagging(),
       "bob\tB-PER\nsecret\tO\n",
       {infinite_loss(kSecret), infinite_gradient(kSecret)}},
      {"LanguageAnOrdinaryLine", language(), "abcd"},
      {"LanguageALineOfOneToken", language(), "a"},
      {"LanguageALineOfBlanks", language(), "   "},
      {"LanguageALineThatIsNotUtf8", language(), "ab\xE9"},
      {"LanguageALongLine", language(), std::string(5000, 'b')},
      {"LanguageAPoisonedToken", language(), "abhab", {infinite_gradient(kH)}},
  };
}

/// The job's own model, then the crafted ones. A site trains the last one.
std::vector<FlatParameters> models_of(const Neighbours& pair, const config::JobConfig& job) {
  std::vector<FlatParameters> models = {learning::initial_model(job).value()};
  for (const auto& craft : pair.models)
    models.push_back(craft(models.front()));
  return models;
}

/// Every kind of question: attempts that go no further than M1, whole rounds, of which another
/// model gives the counters each time, and the closing evaluation.
void every_question(const Neighbours& pair, HostileCoordinator& coordinator,
                    const fs::path& folder) {
  const config::JobConfig job = load_task(folder);
  const std::vector<FlatParameters> models = models_of(pair, job);
  coordinator.offer(job);
  for (const FlatParameters& model : models)
    coordinator.ask(1, model);
  for (std::uint64_t round = 1; round <= job.rounds.num_server_rounds; ++round)
    for (std::size_t i = 0; i < models.size(); ++i)
      coordinator.play(round, models[(round + i) % models.size()]);
  for (const FlatParameters& model : models)
    coordinator.ask(job.rounds.num_server_rounds + 1, model);
  coordinator.play(job.rounds.num_server_rounds + 1, models.back());
}

/// How many rounds of every_question() end with a sum: those with a model that the site trains.
/// The conversations that are compared are not both empty then.
std::size_t whole_rounds(const Neighbours& pair) {
  const fs::path folder = learning::own_folder();
  write_task(pair.task, folder);
  const config::JobConfig job = load_task(folder);
  std::size_t trained = 0;
  for (const FlatParameters& model : models_of(pair, job))
    if (std::ranges::all_of(model.values, [](float v) { return std::abs(v) <= (1 << 20); }))
      ++trained;
  return trained * job.rounds.num_server_rounds + 1;
}

class Indistinguishable : public testing::TestWithParam<Neighbours> {};

TEST_P(Indistinguishable, OneRecordChangesNothingThatLeavesTheSite) {
  const Neighbours& pair = GetParam();
  const Script script = [&pair](HostileCoordinator& coordinator, const fs::path& folder) {
    every_question(pair, coordinator, folder);
  };
  const Outside without = conversation(pair.task, files_of(pair.task), script);
  const Outside with = conversation(pair.task, files_with(pair.task, pair.record), script);
  EXPECT_EQ(differences(without, with), std::vector<std::string>{});
  EXPECT_EQ(count<wire::UnmaskResponse>(without), whole_rounds(pair));
  EXPECT_EQ(without.charges.size(), whole_rounds(pair));
}

/// Sets of labels that tell a class apart: each label renamed in turn, and each label alone among
/// names that no record has.
std::vector<json> label_questions(const json& labels) {
  std::vector<json> out;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    json renamed = labels, alone = labels;
    for (std::size_t k = 0; k < labels.size(); ++k)
      (k == i ? renamed : alone)[k] = "another" + std::to_string(k);
    out.insert(out.end(), {renamed, alone});
  }
  return out;
}

class IndistinguishableLabels : public testing::TestWithParam<Neighbours> {};

TEST_P(IndistinguishableLabels, OneRecordChangesNoAnswerToJobsWithOtherLabels) {
  const Neighbours& pair = GetParam();
  const std::vector<json> questions = label_questions(pair.task.job["task"]["labels"]);
  const Script script = [&](HostileCoordinator& coordinator, const fs::path& folder) {
    for (const json& labels : questions) {
      SmallTask renamed = pair.task;
      renamed.job["task"]["labels"] = labels;
      write_task(renamed, folder);
      const config::JobConfig job = load_task(folder);
      coordinator.offer(job);
      coordinator.play(1, learning::initial_model(job).value());
    }
  };
  for (const bool declared : {false, true}) {
    SiteFiles without = files_of(pair.task), with = files_with(pair.task, pair.record);
    if (declared)
      without.declared["labels"] = with.declared["labels"] = pair.task.job["task"]["labels"];
    const Outside one = conversation(pair.task, without, script);
    EXPECT_EQ(differences(one, conversation(pair.task, with, script)), std::vector<std::string>{});
    EXPECT_EQ(count<wire::JobReply>(one), questions.size());
    EXPECT_EQ(count<wire::UnmaskResponse>(one), declared ? 0 : questions.size())
        << "a site declines a job that lacks a label which it declares";
  }
}

std::vector<Neighbours> labelled_neighbours() {
  std::vector<Neighbours> out = all_neighbours();
  std::erase_if(out, [](const Neighbours& n) { return !n.task.job["task"].contains("labels"); });
  return out;
}

std::string name_of(const testing::TestParamInfo<Neighbours>& pair) {
  return pair.param.name;
}

INSTANTIATE_TEST_SUITE_P(Neighbours, Indistinguishable, testing::ValuesIn(all_neighbours()),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Neighbours, IndistinguishableLabels,
                         testing::ValuesIn(labelled_neighbours()), name_of);

/// Adapters need the weights that they are added to.
void write_base_weights(const fs::path& folder) {
  const config::JobConfig whole = load_task(folder);
  ASSERT_TRUE(
      job::save_initial_model(folder / "base", whole, learning::initial_model(whole).value()).ok());
  fs::copy_file(folder / "base" / "model.safetensors", folder / "model" / "model.safetensors");
}

/// Adapters of values as large as a site accepts; else with_infinite_gradient().
FlatParameters crafted_for(const config::JobConfig& job, FlatParameters model) {
  if (job.lora.r == 0) return with_infinite_gradient(std::move(model), kSecret);
  std::ranges::fill(model.values, static_cast<float>(1 << 20));
  return model;
}

/// What a job may ask for beside: each goes another way through the trainer or the encoding.
TEST(IndistinguishableJobs, APoisonedTokenChangesNothingInAnyKindOfJob) {
  const Neighbours pair{.name = "",
                        .task = classification(),
                        .record = "no\tsecret film",
                        .models = {infinite_gradient(kSecret)}};
  const SiteFiles without = files_of(pair.task), with = files_with(pair.task, pair.record);
  for (const std::vector<std::string>& overrides : std::vector<std::vector<std::string>>{
           {"differential_privacy.clipping=\"automatic\""},
           {"differential_privacy.clipping=\"per_layer\""},
           {"differential_privacy.clipping=\"adaptive\""},
           {"local_training.optimizer=\"adam\""},
           {"local_training.momentum=0.9", "local_training.learning_rate=1000"},
           {"local_training.proximal_mu=1"},
           {"local_training.sampling_rate=0.001"},
           {"lora.r=2", "lora.target_modules=[\"all-linear\"]", "model.initial=\"weights\""},
           {"distributed_privacy.enabled=true", "distributed_privacy.noise_multiplier=5"}}) {
    const Script script = [&](HostileCoordinator& coordinator, const fs::path& folder) {
      if (overrides.front().starts_with("lora")) write_base_weights(folder);
      const config::JobConfig job = load_task(folder, overrides);
      const FlatParameters model = learning::initial_model(job).value();
      const FlatParameters crafted = crafted_for(job, model);
      coordinator.offer(job);
      coordinator.ask(1, crafted);
      for (std::uint64_t round = 1; round <= 4; ++round)
        coordinator.play(round, round == 2 ? model : crafted);
    };
    const Outside one = conversation(pair.task, without, script);
    EXPECT_EQ(differences(one, conversation(pair.task, with, script)), std::vector<std::string>{})
        << overrides.front();
    EXPECT_EQ(count<wire::UnmaskResponse>(one), 4U) << overrides.front();
  }
}

/// A data set of one record against an empty one: that there is nothing to train on is a fact about
/// the data as well.
TEST(IndistinguishableSizes, TheLastRecordChangesNothing) {
  const SmallTask task = classification();
  SiteFiles without = files_of(task), with = without;
  without.training = "";
  with.training = file_of({"yes\tgood film"});
  const Neighbours pair{.name = "", .task = task, .record = ""};
  const Script script = [&pair](HostileCoordinator& coordinator, const fs::path& folder) {
    every_question(pair, coordinator, folder);
  };
  const Outside one = conversation(task, without, script);
  EXPECT_EQ(differences(one, conversation(task, with, script)), std::vector<std::string>{});
  EXPECT_EQ(count<wire::UnmaskResponse>(one), whole_rounds(pair));
}

/// Records of the evaluation split are not protected, and their counters are in lane 1. That a
/// counter cannot be computed is nevertheless no answer of its own.
TEST(IndistinguishableSizes, AnEvaluationRecordChangesCountersAlone) {
  for (const auto& [task, record, model] :
       {std::tuple{classification(), std::string("no\tsecret film"), infinite_gradient(kSecret)},
        std::tuple{classification(), std::string("other\tgood"), infinite_gradient(kSecret)},
        std::tuple{classification(), std::string("no tab"), infinite_gradient(kSecret)},
        std::tuple{language(), std::string("a"), infinite_gradient(kH)},
        std::tuple{language(), std::string("ah\xE9"), infinite_gradient(kH)},
        std::tuple{language(), std::string("ahah"), infinite_gradient(kH)}}) {
    const SiteFiles without = files_of(task);
    SiteFiles with = without;
    Records records = task.evaluation;
    records.back() = record;  // the declared number stays right
    with.evaluation = file_of(records);
    const Neighbours pair{.name = "", .task = task, .record = "", .models = {model}};
    const Script script = [&pair](HostileCoordinator& coordinator, const fs::path& folder) {
      every_question(pair, coordinator, folder);
    };
    const Outside one = conversation(task, without, script);
    EXPECT_EQ(differences(one, conversation(task, with, script), Hidden::kUpdateAndCounters),
              std::vector<std::string>{})
        << record;
    EXPECT_EQ(count<wire::UnmaskResponse>(one), whole_rounds(pair));
  }
}

}  // namespace
}  // namespace sotto::outside_test
