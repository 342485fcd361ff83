#include "tests/participant/driver/small_task.h"

#include <fstream>

#include "common/config/parse.h"

namespace sotto::outside_test {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

json job_of(const json& task) {
  return {{"name", "small"},
          {"model", {{"path", "model"}, {"max_length", 12}, {"initial", "random"}}},
          {"task", task},
          {"rounds",
           {{"num_server_rounds", 3},
            {"min_available_participants", 3},
            {"phase_timeout_s", 30},
            {"training_timeout_s", 60}}},
          {"differential_privacy", {{"noise_multiplier", 1}}},
          {"local_training",
           {{"local_steps", 2},
            {"sampling_rate", 1},
            {"physical_batch_size", 4},
            {"optimizer", "sgd"},
            // Noise has to move also a value of 2^20, whose neighbours are 1/8 apart.
            {"learning_rate", 100}}},
          {"seed", 1}};
}

const char* const kBert =
    R"({"model_type": "bert", "vocab_size": 16, "hidden_size": 8, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 16, "type_vocab_size": 1,
        "max_position_embeddings": 16, "initializer_range": 0.2,
        "classifier_pooling": "mean"})";

const char* const kGpt2 =
    R"({"model_type": "gpt2", "vocab_size": 16, "n_embd": 8, "n_layer": 1, "n_head": 2,
        "n_positions": 16, "initializer_range": 0.2})";

/// Token 15 is "secret".
const char* const kWords =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\ngood\nfine\nbad\npoor\nfilm\nbook\nada\nbob\noslo\nrome\nin\n"
    "secret\n";

}  // namespace

SmallTask classification() {
  SmallTask task;
  task.model_files = {{"config.json", kBert}, {"vocab.txt", kWords}};
  task.job = job_of({{"type", "sequence_classification"}, {"labels", {"yes", "no", "maybe"}}});
  for (int i = 0; i < 5; ++i)
    task.training.insert(task.training.end(), {"yes\tgood film", "no\tbad book", "yes\tfine book",
                                               "no\tpoor film in oslo"});
  task.evaluation = {"yes\tgood book", "no\tbad film", "no\tpoor book in rome"};
  return task;
}

SmallTask tagging() {
  SmallTask task;
  task.model_files = {{"config.json", kGpt2}, {"vocab.txt", kWords}};
  task.job = job_of({{"type", "token_classification"}, {"labels", {"PER", "LOC", "ORG"}}});
  for (int i = 0; i < 8; ++i)
    task.training.insert(task.training.end(), {"ada\tB-PER\nbob\tI-PER\nin\tO\noslo\tB-LOC\n",
                                               "rome\tB-LOC\n", "good\tO\nbob\tB-PER\n"});
  task.evaluation = {"ada\tB-PER\nin\tO\nrome\tB-LOC\n", "bob\tB-PER\n"};
  return task;
}

SmallTask language() {
  SmallTask task;
  json vocabulary = {{"<|endoftext|>", 0}, {"\u0120", 9}};  // U+0120 is the blank
  for (int i = 0; i < 8; ++i)
    vocabulary[std::string(1, static_cast<char>('a' + i))] = 1 + i;
  task.model_files = {
      {"config.json", kGpt2}, {"vocab.json", vocabulary.dump()}, {"merges.txt", "#version: 0.2\n"}};
  task.job = job_of({{"type", "causal_language_modeling"}});
  for (int i = 0; i < 5; ++i)
    task.training.insert(task.training.end(), {"abc", "bcd", "a b c", "cdab"});
  task.evaluation = {"abcd", "b c", "dabc"};
  return task;
}

std::string file_of(const std::vector<std::string>& records) {
  std::string out;
  for (const std::string& record : records)
    out += record + "\n";
  return out;
}

void write_task(const SmallTask& task, const fs::path& folder) {
  fs::create_directories(folder / "model");
  for (const auto& [name, content] : task.model_files)
    std::ofstream(folder / "model" / name) << content;
  std::ofstream(folder / "job.json") << task.job.dump(2);
}

config::JobConfig load_task(const fs::path& folder, const std::vector<std::string>& overrides) {
  return config::load_job(folder / "job.json", overrides);
}

}  // namespace sotto::outside_test
