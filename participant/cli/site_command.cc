#include "participant/cli/site_command.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "common/config/parse.h"
#include "common/storage/atomic_file.h"
#include "participant/cli/questions.h"

namespace sotto::participant {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

struct SiteArguments {
  std::string dir = ".", train, evaluation, text, label, person, dataset, examples,
              evaluation_examples, model, task, max_epsilon, epsilon_per_job, delta = "1e-5";
  std::vector<std::string> labels;
  std::uint32_t max_colluders = 0, threads = 1;
  bool force = false;
};

/// Returns the path of a file or folder as site.json names it. Throws a StartupError when nothing
/// is there.
std::string named(const std::string& given, const char* option) {
  std::error_code ignored;
  if (!fs::exists(given, ignored))
    throw StartupError(std::string(option) + ": there is no " + given);
  return fs::absolute(given).lexically_normal().string();
}

ordered_json data_of(const SiteArguments& args) {
  const std::string train =
      named(needed(args.train, "--train", "file with the training examples"), "--train");
  const std::string evaluation =
      named(needed(args.evaluation, "--evaluation",
                   "file with the evaluation examples, which the guarantee does not cover"),
            "--evaluation");
  const std::string dataset = args.dataset.empty() ? folder_name(args.dir) : args.dataset;
  ordered_json out = {{"dataset_id", dataset}, {"train", train}, {"evaluation", evaluation}};
  for (const auto& [key, column] :
       {std::pair{"text", &args.text}, {"label", &args.label}, {"person", &args.person}})
    if (!column->empty()) out["columns"][key] = *column;
  out["training_examples"] =
      count_in(needed(args.examples, "--examples",
                      "number of training examples that this site declares; it is public and may "
                      "be rounded (`data inspect` shows the true number)"),
               "--examples", 1, std::uint64_t{1} << 40);
  if (!args.evaluation_examples.empty())
    out["evaluation_examples"] =
        count_in(args.evaluation_examples, "--evaluation-examples", 1, std::uint64_t{1} << 40);
  if (!args.labels.empty()) out["labels"] = args.labels;
  return out;
}

ordered_json policy_of(const SiteArguments& args) {
  const double budget = number_in(
      needed(args.max_epsilon, "--max-epsilon", "epsilon of the data over all jobs, for ever"),
      "--max-epsilon", 1e-6, 1e6);
  const double per_job = args.epsilon_per_job.empty()
                             ? budget
                             : number_in(args.epsilon_per_job, "--epsilon-per-job", 1e-6, budget);
  return {{"max_epsilon", budget},
          {"max_epsilon_per_job", per_job},
          {"delta", number_in(args.delta, "--delta", 1e-300, 0.5)},
          {"max_colluders", args.max_colluders},
          {"allowed_tasks",
           {needed(args.task, "--task", "task for which the data may be used, as in job.json")}}};
}

void init(const SiteArguments& args) {
  const fs::path file = fs::path(args.dir) / "site.json";
  if (fs::exists(file) && !args.force)
    throw StartupError(file.string() + " exists; --force replaces it");
  const ordered_json site = {
      {"model",
       {{"path", named(needed(args.model, "--model",
                              "folder with this site's copy of the model (config.json and the "
                              "tokenizer's files)"),
                       "--model")}}},
      {"data", data_of(args)},
      {"policy", policy_of(args)},
      {"resources", {{"device", "cpu"}, {"threads", args.threads}}}};
  const std::string text =
      "// Written by `sotto-participant site init`. It never leaves this site;\n"
      "// docs/configuration.md describes every key.\n" +
      site.dump(2) + "\n";
  (void)config::value_or_throw(config::parse_site(text, file.string()));
  fs::create_directories(args.dir);
  cli::stop_unless(
      storage::write_file_atomically(file, {view_of(text)}, storage::FileAccess::kOwnerOnly));
  cli::print(file.string() + ": this site permits " +
             site["policy"]["allowed_tasks"][0].get<std::string>() + " up to epsilon " +
             site["policy"]["max_epsilon_per_job"].dump() + " for a job and " +
             site["policy"]["max_epsilon"].dump() +
             " for all jobs together\nnext: sotto-participant policy explain JOB --dir " +
             args.dir + " shows what a job would learn, cost and publish");
}

}  // namespace

void add_site_commands(cli::Command& app) {
  auto args = std::make_shared<SiteArguments>();
  cli::Command* group = app.add_subcommand("site", "Write the configuration of this site");
  group->require_subcommand(1);
  cli::Command* sub = group->add_subcommand(
      "init",
      "Write site.json: the data, the declared size and the policy of this site. At a terminal it "
      "asks for what is not given.\n"
      "Example: sotto-participant site init --dir aurora --train train.csv --evaluation eval.csv "
      "--text question --label topic --examples 400 --model bert --task "
      "sequence_classification --max-epsilon 8 --epsilon-per-job 4");
  sub->add_option("--dir", args->dir, "Folder of this site, in which site.json is written")
      ->capture_default_str();
  sub->add_option("--train", args->train, "File with the protected examples");
  sub->add_option("--evaluation", args->evaluation, "File with the declared evaluation split");
  sub->add_option("--text", args->text, "Column or key of the text");
  sub->add_option("--label", args->label, "Column or key of the label");
  sub->add_option("--person", args->person, "Column or key of the person whom a record is about");
  sub->add_option(
      "--dataset-id", args->dataset,
      "Permanent identity of the data in the ledger; the name of the folder unless given");
  sub->add_option("--examples", args->examples, "Declared number of training examples; public");
  sub->add_option("--evaluation-examples", args->evaluation_examples,
                  "Declared number of evaluation examples; all are evaluated unless given");
  sub->add_option("--labels", args->labels,
                  "Labels that the records may have, separated by commas; public")
      ->delimiter(',');
  sub->add_option("--model", args->model, "Folder with this site's copy of the model");
  sub->add_option("--task", args->task, "Task for which the data may be used");
  sub->add_option("--max-epsilon", args->max_epsilon, "Budget of the data over all jobs");
  sub->add_option("--epsilon-per-job", args->epsilon_per_job,
                  "Largest epsilon of one job; the whole budget unless given");
  sub->add_option("--delta", args->delta, "Delta of the budget")->capture_default_str();
  sub->add_option("--max-colluders", args->max_colluders,
                  "Number of colluding participants to be protected against; 0 follows from the "
                  "size of the federation")
      ->capture_default_str();
  sub->add_option("--threads", args->threads, "Number of threads for training")
      ->capture_default_str()
      ->in_range(1, 1024);
  sub->add_flag("--force", args->force, "Replace a site.json that exists");
  sub->callback([args] { init(*args); });
}

}  // namespace sotto::participant
