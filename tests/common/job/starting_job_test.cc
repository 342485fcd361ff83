// The rule of `job init` (common/job/starting_job.h).
#include "common/job/starting_job.h"

#include <variant>

#include <gtest/gtest.h>

#include "common/config/parse.h"
#include "common/tasks/registry.h"

namespace sotto::job {
namespace {

StartingFacts facts() {
  return {.name = "tickets",
          .task = {.type = "sequence_classification", .labels = {"billing", "say \"other\""}},
          .model_path = "../model",
          .hidden_size = 64,
          .positions = 64,
          .pretrained = true,
          .participants = 4,
          .examples = 2400,
          .epsilon = 8};
}

config::JobConfig parsed(const StartingFacts& facts) {
  const std::string text = starting_job_text(facts, starting_settings(facts));
  auto job = config::parse_job(text, "job.json");
  if (const auto* errors = std::get_if<config::ConfigErrors>(&job))
    ADD_FAILURE() << errors->joined() << text;
  return std::get<config::JobConfig>(std::move(job));
}

TEST(StartingJob, IsThatOfTheWorkedExampleForItsFacts) {
  const config::JobConfig job = parsed(facts());
  EXPECT_EQ(job.task.labels, facts().task.labels);
  EXPECT_EQ(job.rounds.num_server_rounds, 20);
  EXPECT_EQ(job.local_training.local_steps, 2);
  EXPECT_EQ(job.local_training.sampling_rate, 0.5);
  EXPECT_EQ(job.local_training.learning_rate, 0.04);
  EXPECT_EQ(job.differential_privacy.target_epsilon, 8);
  EXPECT_EQ(job.differential_privacy.target_delta, 1e-5);
  EXPECT_EQ(job.model.max_length, 64);
}

TEST(StartingJob, IsAcceptedForEveryTaskSizeAndFederation) {
  for (const std::string_view type : tasks::task_names())
    for (const std::uint32_t hidden : {1U, 64U, 768U, 4096U})
      for (const std::uint32_t participants : {3U, 4U, 5U, 100U, 10'000U})
        for (const std::uint64_t examples : {1ULL, 400ULL, 1'000'000ULL, 1'000'000'000'000ULL})
          for (const std::uint32_t rank : {0U, 8U}) {
            StartingFacts f = facts();
            f.task = {.type = std::string(type)};
            if (type.ends_with("classification")) f.task.labels = {"a", "b"};
            if (type == "sequence_regression") f.task.target_max = 5;
            f.hidden_size = hidden;
            f.positions = 4096;
            f.participants = participants;
            f.examples = examples;
            f.lora_rank = rank;
            f.pretrained = rank > 0;  // LoRA needs weights to adapt
            const config::JobConfig job = parsed(f);
            EXPECT_EQ(job.model.initial == config::InitialModel::kWeights, f.pretrained);
            EXPECT_GT(job.local_training.sampling_rate, 0);
            EXPECT_LE(job.rounds.min_available_participants, participants);
            EXPECT_LE(job.differential_privacy.target_delta * static_cast<double>(examples), 1);
          }
}

TEST(StartingJob, TheLearningRateFallsWithTheWidthToThePublishedOnes) {
  StartingFacts f = facts();
  f.hidden_size = 768;
  EXPECT_EQ(starting_settings(f).learning_rate, 5e-4);
  f.lora_rank = 8;
  EXPECT_EQ(starting_settings(f).learning_rate, 9.9e-4);
  f = facts();
  f.task.type = "token_classification";
  EXPECT_EQ(starting_settings(f).learning_rate, 0.003);
  f.hidden_size = 768;
  EXPECT_EQ(starting_settings(f).learning_rate, 5e-4);
}

TEST(StartingJob, AFederationMayLoseParticipantsDownToWhatTheMasksNeed) {
  StartingFacts f = facts();
  for (const auto& [participants, least] :
       {std::pair{3U, 3U}, {4U, 3U}, {5U, 4U}, {10U, 9U}, {100U, 90U}}) {
    f.participants = participants;
    EXPECT_EQ(starting_settings(f).min_available, least) << participants;
  }
}

TEST(StartingJob, TheNoiseReachesEpsilonAndAFewExamplesAreWarnedOf) {
  StartingFacts f = facts();
  const StartingCost many = starting_cost(parsed(f), f).value();
  EXPECT_EQ(many.steps, 40);
  EXPECT_GT(many.noise_multiplier, 1);
  EXPECT_FALSE(many.is_large);
  f.examples = 100;
  f.epsilon = 1;
  const StartingCost few = starting_cost(parsed(f), f).value();
  EXPECT_GT(few.noise_multiplier, many.noise_multiplier);
  EXPECT_TRUE(few.is_large);
}

}  // namespace
}  // namespace sotto::job
