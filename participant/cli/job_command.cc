#include "participant/cli/job_command.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "common/config/parse.h"
#include "common/job/starting_job.h"
#include "common/model/unreadable_weights.h"
#include "common/model/weight_files.h"
#include "common/storage/atomic_file.h"
#include "common/tasks/registry.h"
#include "participant/cli/questions.h"
#include "participant/data/records.h"

namespace sotto::participant {
namespace {

using cli::or_stop;
namespace fs = std::filesystem;
using nlohmann::json;

struct JobArguments {
  std::string out, name, task, model, data, text, label, participants, examples, epsilon, delta;
  std::vector<std::string> labels;
  double target_min = 0, target_max = 0;
  std::uint32_t lora_rank = 0;
  bool force = false, json = false;
};

/// Returns the labels that occur in a file, in the order of their bytes; for tagged words the kinds
/// of entities.
std::vector<std::string> labels_in(const JobArguments& args) {
  const bool tagged = args.task == "token_classification";
  const data::RecordPlan plan = or_stop(
      data::plan_for(args.data, {.text = args.text, .label = args.label},
                     tagged ? tasks::RecordForm::kTaggedWords : tasks::RecordForm::kLabelledTexts));
  auto reader = or_stop(data::RecordReader::open(args.data, plan));
  std::set<std::string> labels;
  while (const auto record = reader.next()) {
    const data::RecordView& view = *or_stop(*record);
    if (!tagged) labels.emplace(view.label.text);
    for (const data::FieldView& tag : view.tags)
      if (tag.text.size() > 2) labels.emplace(tag.text.substr(2));
  }
  return {labels.begin(), labels.end()};
}

tasks::TaskSettings task_of(JobArguments& args) {
  args.task = needed(args.task, "--task",
                     "task (sequence_classification, token_classification, "
                     "sequence_regression or causal_language_modeling)");
  if (!tasks::is_task(args.task)) {
    std::string known;
    for (const std::string_view name : tasks::task_names())
      known += (known.empty() ? "" : ", ") + std::string(name);
    throw StartupError("--task: found " + args.task + "; allowed: " + known);
  }
  tasks::TaskSettings task{.type = args.task,
                           .labels = args.labels,
                           .target_min = args.target_min,
                           .target_max = args.target_max};
  const bool has_labels = args.task.ends_with("classification");
  if (has_labels && task.labels.empty()) {
    args.data = needed(args.data, "--labels or --data", "file from which the labels are read");
    task.labels = labels_in(args);
  }
  return task;
}

/// Returns whether a model begins with the weights of its folder. Throws a StartupError for weights
/// that cannot be read: a job must not begin at random beside them.
bool has_weights(const fs::path& folder) {
  const auto names = weight_file_names(folder);
  if (names.ok()) return true;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (entry.path().filename().string().find(".safetensors") != std::string::npos)
      throw StartupError(names.error().message);
  if (!unreadable_weights(folder).empty()) throw StartupError(names.error().message);
  return false;
}

/// Reads the two sizes of the model that the rule uses.
void read_model(job::StartingFacts& facts, const fs::path& folder) {
  const fs::path file = folder / "config.json";
  const auto text = storage::read_file(file, 1 << 20);
  if (!text.ok())
    throw StartupError(file.string() +
                       ": cannot be read; --model names a folder with config.json, the "
                       "tokenizer's files and weights");
  const json config = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  const auto size = [&](const char* name, const char* other) {
    for (const char* key : {name, other})
      if (config.is_object() && config.contains(key) && config[key].is_number_unsigned())
        return config[key].get<std::uint32_t>();
    throw StartupError(file.string() + ": has no " + name);
  };
  facts.hidden_size = std::max(1U, size("hidden_size", "n_embd"));
  facts.positions = std::max(2U, size("max_position_embeddings", "n_positions"));
  facts.pretrained = has_weights(folder);
}

job::StartingFacts facts_of(JobArguments& args) {
  job::StartingFacts facts{.task = task_of(args), .lora_rank = args.lora_rank};
  const fs::path folder = needed(args.model, "--model", "folder of the model");
  read_model(facts, folder);
  facts.model_path = fs::relative(fs::absolute(folder), fs::absolute(args.out)).generic_string();
  facts.name = args.name.empty() ? folder_name(args.out) : args.name;
  facts.participants = static_cast<std::uint32_t>(
      count_in(needed(args.participants, "--participants", "number of participants"),
               "--participants", 3, 10'000));
  facts.examples =
      count_in(needed(args.examples, "--examples",
                      "number of training examples at the smallest site (it may be rounded)"),
               "--examples", 1, 1'000'000'000'000);
  facts.epsilon = number_in(needed(args.epsilon, "--epsilon", "epsilon of the whole job"),
                            "--epsilon", 1e-3, 1000);
  if (!args.delta.empty()) facts.delta = number_in(args.delta, "--delta", 1e-300, 0.5);
  return facts;
}

void show(const JobArguments& args, const config::JobConfig& job, const job::StartingFacts& facts,
          const job::StartingCost& cost) {
  const std::string file = (fs::path(args.out) / "job.json").string();
  if (args.json) {
    cli::print(json{{"job", file},
                    {"labels", job.task.labels},
                    {"rounds", job.rounds.num_server_rounds},
                    {"sampling_rate", job.local_training.sampling_rate},
                    {"learning_rate", job.local_training.learning_rate},
                    {"delta", job.differential_privacy.target_delta},
                    {"noise_multiplier", cost.noise_multiplier},
                    {"steps", cost.steps},
                    {"noise_of_mean", cost.noise_of_mean}}
                   .dump());
    return;
  }
  std::printf(
      "%s: %u rounds of %u steps, sampling rate %g, learning rate %g\n"
      "  noise multiplier %.3g gives epsilon %g at delta %g for one training example of a site\n",
      file.c_str(), job.rounds.num_server_rounds, job.local_training.local_steps,
      job.local_training.sampling_rate, job.local_training.learning_rate, cost.noise_multiplier,
      facts.epsilon, job.differential_privacy.target_delta);
  if (!job.task.labels.empty())
    std::printf("  %zu labels, which become public with the job\n", job.task.labels.size());
  if (cost.is_large)
    std::printf(
        "  The noise is large for so few examples: at this noise the worked example with 77 "
        "classes\n"
        "  keeps less than half of its accuracy. More sites or examples, a larger epsilon, a "
        "model\n"
        "  that was trained on similar texts, or fewer classes help.\n");
  if (!facts.pretrained)
    std::printf("  %s holds no weights: the model begins at random\n", job.model.path.c_str());
  std::printf("next: sotto-participant model init --job %s --out %s\n", file.c_str(),
              (fs::path(args.out) / "initial-model").string().c_str());
}

void init(JobArguments& args) {
  const fs::path file = fs::path(args.out) / "job.json";
  if (fs::exists(file) && !args.force)
    throw StartupError(file.string() + " exists; --force replaces it");
  const job::StartingFacts facts = facts_of(args);
  const std::string text = job::starting_job_text(facts, job::starting_settings(facts));
  (void)config::value_or_throw(config::parse_job(text, file.string()));
  fs::create_directories(args.out);
  cli::stop_unless(storage::write_text(file, text));
  const config::JobConfig job = config::load_job(file);
  show(args, job, facts, or_stop(job::starting_cost(job, facts)));
}

}  // namespace

void add_job_commands(cli::Command& app) {
  auto args = std::make_shared<JobArguments>();
  cli::Command* group = app.add_subcommand("job", "Write jobs");
  group->require_subcommand(1);
  cli::Command* sub = group->add_subcommand(
      "init",
      "Write a job.json with settings that suit the model, the number of sites and examples, and "
      "epsilon. At a terminal it asks for what is not given.\n"
      "Example: sotto-participant job init --out tickets --task sequence_classification --data "
      "tickets.csv --text question --label topic --model bert --participants 3 --examples 400 "
      "--epsilon 4");
  sub->add_option("--out", args->out, "Folder for job.json")->required();
  sub->add_option("--name", args->name, "Name of the job; that of the folder unless given");
  sub->add_option("--task", args->task, "Task of the job, as task.type in docs/configuration.md");
  sub->add_option("--labels", args->labels, "Labels, separated by commas")->delimiter(',');
  sub->add_option("--data", args->data,
                  "File from which the labels are read instead. They become public with the job; "
                  "nothing else of the file is used");
  sub->add_option("--text", args->text, "Column or key of the text in that file");
  sub->add_option("--label", args->label, "Column or key of the label in that file");
  sub->add_option("--target-min", args->target_min, "Regression: the smallest target");
  sub->add_option("--target-max", args->target_max, "Regression: the largest target");
  sub->add_option("--model", args->model,
                  "Folder of the model: config.json, the tokenizer's files, weights");
  sub->add_option("--lora-rank", args->lora_rank,
                  "Train adapters of this rank instead of the whole model; 0 trains it whole")
      ->capture_default_str();
  sub->add_option("--participants", args->participants, "Number of participants");
  sub->add_option("--examples", args->examples,
                  "Number of training examples that the smallest site declares");
  sub->add_option("--epsilon", args->epsilon, "Epsilon of the whole job for one example");
  sub->add_option("--delta", args->delta, "Delta; from the number of examples unless given");
  sub->add_flag("--force", args->force, "Replace a job.json that exists");
  sub->add_flag("--json", args->json, "Print one JSON object");
  sub->callback([args] { init(*args); });
}

}  // namespace sotto::participant
