// sotto-simulate as a user runs it.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/process/federation.h"

namespace sotto::process_test {
namespace {

namespace fs = std::filesystem;

class Simulate : public testing::Test {
 protected:
  Simulate() {
    std::string pattern = (fs::temp_directory_path() / "sotto-simulate-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }

  ~Simulate() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  /// The bytes of the model that a simulation leaves.
  std::string model_of(const std::string& name, const std::string& seed,
                       const std::string& threads) {
    const fs::path out = folder_ / name;
    const int status = run(
        {SOTTO_BINARY_DIR "/participant/sotto-simulate", Federation::job(), "--participants", "5",
         "--seed", seed, "--threads", threads, "--out", out, "--set", "rounds.num_server_rounds=2"},
        folder_ / "log");
    EXPECT_EQ(status, 0);
    std::ifstream in(out / "model" / "model.safetensors", std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  /// What the command says on its output goes to a file of the folder.
  int run_into(const std::string& file, std::vector<std::string> command) const {
    if (command[0].find('/') == std::string::npos)
      command[0] = SOTTO_BINARY_DIR "/participant/" + command[0];
    return run(command, folder_ / file);
  }

  std::string text_of(const fs::path& file) const {
    std::ifstream in(folder_ / file);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  fs::path folder_;
};

TEST_F(Simulate, TheSeedDecidesTheModelToTheBitWhateverTheThreads) {
  const std::string one = model_of("one", "3", "1");
  ASSERT_FALSE(one.empty());
  EXPECT_EQ(one, model_of("two", "3", "2"));
  EXPECT_NE(one, model_of("other", "4", "2"));
}

TEST_F(Simulate, ReplacesNoFileOfAFolderThatHoldsNoRun) {
  std::ofstream(folder_ / "job.json") << "mine";
  EXPECT_EQ(run_into("log", {"sotto-simulate", Federation::job(), "--participants", "3", "--out",
                             folder_}),
            2);
  EXPECT_NE(text_of("log").find("holds no run, but job.json, which a run would replace"),
            std::string::npos)
      << text_of("log");
  EXPECT_EQ(text_of("job.json"), "mine");
  EXPECT_EQ(run_into("log", {"sotto-participant", "model", "init", "--job", Federation::job(),
                             "--out", folder_}),
            2);
  EXPECT_NE(text_of("log").find("holds files already"), std::string::npos) << text_of("log");
}

TEST_F(Simulate, EverySitesWarningsAreSaidWithItsNameAndTheRound) {
  EXPECT_EQ(
      run({SOTTO_BINARY_DIR "/participant/sotto-simulate", Federation::job(), "--participants", "4",
           "--out", folder_ / "still", "--set", "differential_privacy.target_delta=0.01", "--set",
           "local_training.learning_rate=1e-30", "--set", "rounds.num_server_rounds=1"},
          folder_ / "log"),
      0)
      << "an update that did not move is sent: to leave would tell";
  std::ifstream in(folder_ / "log");
  const std::string log{std::istreambuf_iterator<char>(in), {}};
  for (const char* line :
       {"virtual-3: warning: the job's differential_privacy.target_delta 0.01 is 1/N or more",
        "virtual-3: warning: round 1: training did not change bert.embeddings."})
    EXPECT_NE(log.find(line), std::string::npos) << line << "\n" << log;
}

TEST_F(Simulate, WithFixedAnswerTimesEveryUploadLeavesOnTheGridWhateverTrainingTook) {
  const fs::path out = folder_ / "timed";
  EXPECT_EQ(run({SOTTO_BINARY_DIR "/participant/sotto-simulate", Federation::job(),
                 "--participants", "4", "--out", out, "--set", "rounds.num_server_rounds=2",
                 "--set", "rounds.answer_every_s=30"},
                folder_ / "log"),
            0);
  std::ifstream metrics(out / "metrics.jsonl");
  int rounds = 0;
  for (std::string line; std::getline(metrics, line); ++rounds)
    EXPECT_NEAR(nlohmann::json::parse(line)["phase_s"]["Upload"].get<double>(), 30, 0.1) << line;
  EXPECT_EQ(rounds, 3) << "two rounds and the closing evaluation";
}

TEST_F(Simulate, AboveFullGraphMaxTheRunBeginsWithSharedRandomnessAndItsRoundsAreOnTheRing) {
  const fs::path out = folder_ / "ring";
  EXPECT_EQ(
      run({SOTTO_BINARY_DIR "/participant/sotto-simulate", Federation::job(), "--participants",
           "12", "--out", out, "--json", "--set", "rounds.num_server_rounds=2", "--set",
           "secure_aggregation.full_graph_max=8", "--set", "secure_aggregation.max_colluders=1"},
          folder_ / "log"),
      0);
  EXPECT_TRUE(fs::exists(out / "genesis.bin"));
  std::ifstream metrics(out / "metrics.jsonl");
  int done = 0;
  for (std::string line; std::getline(metrics, line);)
    done += line.find("\"status\":\"done\"") != std::string::npos ? 1 : 0;
  EXPECT_EQ(done, 3) << "two rounds and the closing evaluation";
}

/// A language model with LoRA from its base weights to a merged model, by the commands alone.
class LanguageModel : public Simulate {
 protected:
  LanguageModel() {
    const fs::path quickstart = SOTTO_SOURCE_DIR "/configs/quickstart";
    fs::create_directories(folder_ / "shape");
    fs::copy_file(quickstart / "model/vocab.txt", folder_ / "shape/vocab.txt");
    std::ofstream(folder_ / "shape/config.json")
        << R"({"model_type": "gpt2", "vocab_size": 1024, "n_embd": 16, "n_layer": 1,)"
        << R"( "n_head": 2, "n_positions": 32})";
    for (const char* part : {"train.tsv", "test.tsv"}) {
      std::ifstream in(quickstart / "data" / part);
      std::ofstream out(folder_ / part);
      std::string line;
      for (int i = 0; i < 200 && std::getline(in, line); ++i)
        out << line.substr(line.find('\t') + 1) << "\n";
    }
    write_job("shape");
  }

  void write_job(const std::string& model) const {
    std::ofstream(folder_ / "job.json") << R"({"name": "words", "model": {"path": ")" << model
                                        << R"(", "max_length": 16, "initial": "random"},
      "task": {"type": "causal_language_modeling"},
      "rounds": {"num_server_rounds": 2, "min_available_participants": 3},
      "differential_privacy": {"noise_multiplier": 1},
      "local_training": {"sampling_rate": 0.2, "learning_rate": 0.01}})";
  }

  [[nodiscard]] int call(std::vector<std::string> command) const {
    command[0] = SOTTO_BINARY_DIR "/participant/" + command[0];
    return run(command, folder_ / "log");
  }

  const std::vector<std::string> lora_ = {"--set", "lora.r=2",
                                          "--set", "lora.target_modules=[\"c_attn\"]",
                                          "--set", "model.initial=\"weights\""};
};

std::vector<std::string> operator+(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST_F(LanguageModel, IsAdaptedMeasuredByPerplexityAndMerged) {
  const std::string job = folder_ / "job.json", base = folder_ / "base";
  ASSERT_EQ(run_into("init", {"sotto-participant", "model", "init", "--job", job, "--out", base}),
            0);
  EXPECT_NE(text_of("init").find("trained parameters, random, as the job says, seed 0"),
            std::string::npos)
      << text_of("init");
  write_job("base");
  const std::vector<std::string> simulate = {"sotto-simulate", job,
                                             "--participants", "3",
                                             "--train",        folder_ / "train.tsv",
                                             "--evaluation",   folder_ / "test.tsv",
                                             "--out",          folder_ / "run"};
  ASSERT_EQ(call(simulate + lora_), 0);
  EXPECT_TRUE(fs::exists(folder_ / "run/model/adapter_config.json"));
  EXPECT_TRUE(fs::exists(folder_ / "run/model/adapter_model.safetensors"));
  EXPECT_FALSE(fs::exists(folder_ / "run/model/model.safetensors"));
  std::ifstream in(folder_ / "run/metrics.jsonl");
  const std::string metrics{std::istreambuf_iterator<char>(in), {}};
  EXPECT_NE(metrics.find("\"perplexity\":"), std::string::npos) << metrics;
  // A [16, 48] weight gets 2 x (16 + 48) values.
  EXPECT_NE(metrics.find("\"values\":128"), std::string::npos) << metrics;

  const std::vector<std::string> merge = {
      "sotto-participant",   "model", "merge",           "--job", job, "--adapter",
      folder_ / "run/model", "--out", folder_ / "merged"};
  ASSERT_EQ(call(merge + lora_), 0);
  EXPECT_EQ(fs::file_size(folder_ / "merged/model.safetensors") / 1024,
            fs::file_size(folder_ / "base/model.safetensors") / 1024);
  EXPECT_EQ(call(merge + std::vector<std::string>{"--force"}), 2)
      << "a job without adapters has nothing to merge";

  const std::vector<std::string> generate = {
      "sotto-participant", "generate", "--model",          folder_ / "merged",
      "--prompt",          "play",     "--max-new-tokens", "5",
      "--temperature",     "1",        "--seed",           "3"};
  ASSERT_EQ(run_into("words", generate), 0);
  EXPECT_EQ(text_of("words").find("play"), 0U);
  ASSERT_EQ(run_into("again", generate + std::vector<std::string>{"--json"}), 0);
  const auto said = nlohmann::json::parse(text_of("again"));
  EXPECT_EQ("play" + said["text"].get<std::string>() + "\n", text_of("words"));
  EXPECT_LE(said["new_tokens"].get<int>(), 5);
  EXPECT_EQ(call({"sotto-participant", "generate", "--model", folder_ / "run/model"}), 2)
      << "an adapter is no model";
}

/// Token classification from tagged words to the report, by the commands alone.
TEST_F(Simulate, FindsEntitiesAndReportsThemByKind) {
  const fs::path words = folder_ / "words.tsv";
  std::ofstream out(words);
  for (int i = 0; i < 60; ++i)
    out << "play\tO\nsome\tO\n"
        << (i % 2 == 0 ? "rock\tB-KIND\n" : "jazz\tB-KIND\nmusic\tI-KIND\n")
        << "in\tO\nhome\tB-PLACE\n\n";
  out.close();
  std::ofstream(folder_ / "job.json") << R"({"name": "entities", "model": {"path": ")"
                                      << SOTTO_SOURCE_DIR "/configs/quickstart/model"
                                      << R"(", "max_length": 16, "initial": "random"},
      "task": {"type": "token_classification", "labels": ["KIND", "PLACE"]},
      "rounds": {"num_server_rounds": 8, "min_available_participants": 3},
      "differential_privacy": {"target_epsilon": 1000, "noise_multiplier": 0.5},
      "local_training": {"local_steps": 4, "sampling_rate": 0.5, "learning_rate": 0.03}})";
  ASSERT_EQ(
      run({SOTTO_BINARY_DIR "/participant/sotto-simulate", folder_ / "job.json", "--participants",
           "3", "--train", words, "--evaluation", words, "--out", folder_ / "run"},
          folder_ / "log"),
      0);
  EXPECT_NE(text_of("log").find("entities                     precision    recall"),
            std::string::npos)
      << text_of("log");
  ASSERT_EQ(run_into("table", {Federation::coordinator_binary(), "report", folder_ / "run"}), 0);
  const std::string table = text_of("table");
  EXPECT_NE(table.find("entity F1"), std::string::npos) << table;
  EXPECT_NE(table.find("weighted average"), std::string::npos) << table;
  ASSERT_EQ(
      run_into("summary", {Federation::coordinator_binary(), "report", folder_ / "run", "--json"}),
      0);
  const auto summary = nlohmann::json::parse(text_of("summary"));
  const auto& entities = summary["entities"];
  EXPECT_EQ(summary["declared_evaluation_examples"], 60) << "of all sites, in sentences";
  EXPECT_EQ(summary["closing_evaluation"], true);
  EXPECT_EQ(entities["labels"][0]["label"], "KIND");
  EXPECT_EQ(entities["labels"][0]["support"], 60);
  EXPECT_EQ(entities["micro"]["support"], 120);
  EXPECT_GT(entities["micro"]["f1"].get<double>(), 0.9);
  EXPECT_EQ(summary["entity_f1"], entities["micro"]["f1"]);
  EXPECT_NE(text_of("run/report.html").find("\"entities\":{\"labels\":"), std::string::npos);
}

/// With privacy for training examples, noise on the counters of evaluations, and a target.
TEST_F(Simulate, PredictsNumbersAndReportsTheirErrors) {
  const fs::path texts = folder_ / "texts.tsv";
  std::ofstream out(texts);
  for (int i = 0; i < 60; ++i)
    out << (i % 2 == 0 ? "4.5\tplay some rock\n" : "1\twhat is the weather\n");
  out.close();
  std::ofstream(folder_ / "job.json") << R"({"name": "ratings", "model": {"path": ")"
                                      << SOTTO_SOURCE_DIR "/configs/quickstart/model"
                                      << R"(", "max_length": 16, "initial": "random"},
      "task": {"type": "sequence_regression", "target_min": 0, "target_max": 5},
      "rounds": {"num_server_rounds": 30, "min_available_participants": 3},
      "differential_privacy": {"target_epsilon": 1000, "noise_multiplier": 0.5},
      "local_training": {"local_steps": 4, "sampling_rate": 0.5, "learning_rate": 0.03},
      "evaluation": {"counter_noise_multiplier": 0.1},
      "stopping": {"metric": "r_squared", "target": 0.8}})";
  ASSERT_EQ(
      run({SOTTO_BINARY_DIR "/participant/sotto-simulate", folder_ / "job.json", "--participants",
           "3", "--train", texts, "--evaluation", texts, "--out", folder_ / "run"},
          folder_ / "log"),
      0)
      << text_of("log");
  EXPECT_NE(text_of("log").find("held-out mean squared error "), std::string::npos)
      << text_of("log");
  EXPECT_NE(text_of("log").find("the target was 0.8"), std::string::npos) << text_of("log");
  ASSERT_EQ(run_into("table", {Federation::coordinator_binary(), "report", folder_ / "run"}), 0);
  const std::string table = text_of("table");
  EXPECT_NE(table.find("mean squared error         R^2"), std::string::npos) << table;
  ASSERT_EQ(
      run_into("summary", {Federation::coordinator_binary(), "report", folder_ / "run", "--json"}),
      0);
  const auto summary = nlohmann::json::parse(text_of("summary"));
  EXPECT_EQ(summary["closing_evaluation"], true);
  EXPECT_GT(summary["r_squared"].get<double>(), 0.7);
  EXPECT_LT(summary["loss"].get<double>(), 1);
  EXPECT_GT(summary["evaluation_epsilon"].get<double>(), 0);
  EXPECT_TRUE(summary["accuracy"].is_null());
  EXPECT_NE(text_of("run/report.html").find("\"title\":\"mean squared error\""), std::string::npos);
  const auto config = nlohmann::json::parse(text_of("run/model/config.json"));
  EXPECT_EQ(config["problem_type"], "regression");
}

/// Shards of tagged words, cut and read back.
TEST_F(Simulate, SentencesAreCutIntoShardsThatAreReadAgain) {
  const fs::path words = folder_ / "words.tsv", job = SOTTO_SOURCE_DIR "/configs/ner/job.json";
  std::ofstream(words) << "in\tO\nRome\tB-LOC\n\nAda\tB-PER\nKing\tI-PER\n\nyes\tO\n\n";
  ASSERT_EQ(run({Federation::participant_binary(), "data", "split", "--job", job, "--train", words,
                 "--evaluation", words, "--participants", "2", "--out", folder_ / "shards"},
                folder_ / "log"),
            0);
  const std::string all = text_of("shards/site-01/train.tsv") + text_of("shards/site-02/train.tsv");
  for (const char* sentence :
       {"in\tO\nRome\tB-LOC\n\n", "Ada\tB-PER\nKing\tI-PER\n\n", "yes\tO\n\n"})
    EXPECT_NE(all.find(sentence), std::string::npos) << all;
  EXPECT_EQ(all.size(), fs::file_size(words));
}

}  // namespace
}  // namespace sotto::process_test
