#include "participant/cli/inspect_command.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "common/config/parse.h"
#include "participant/cli/layout_options.h"
#include "participant/inspection/inspection.h"

namespace sotto::participant {

namespace {

using inspection::FileReport;
using inspection::Inspection;
using nlohmann::json;

struct InspectArguments {
  std::vector<std::string> files, evaluation, overrides;
  std::string job, site, model;
  LayoutOptions layout;
  bool json = false;
};

/// Returns the labels with their numbers of examples, the most frequent first.
std::vector<std::pair<std::string, std::uint64_t>> by_frequency(const FileReport& report) {
  std::vector<std::pair<std::string, std::uint64_t>> out(report.labels.begin(),
                                                         report.labels.end());
  std::ranges::stable_sort(out, std::greater(), &std::pair<std::string, std::uint64_t>::second);
  return out;
}

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * share);
  return text;
}

json json_of(const FileReport& r) {
  json columns = json::array();
  for (const inspection::Column& column : r.columns)
    columns.push_back({{"name", column.name}, {"role", column.role}});
  json out = {{"file", r.file},
              {"format", config::word_of(r.format)},
              {"delimiter", r.delimiter},
              {"encoding", "UTF-8"},
              {"byte_order_mark", r.has_byte_order_mark},
              {"line_ends", r.line_ends},
              {"header", r.has_header},
              {"columns", columns},
              {"examples", r.examples},
              {"left_out", r.left_out.count},
              {"first_left_out", r.left_out.first},
              {"labels", r.labels},
              {"duplicates", r.duplicates},
              {"conflicts", r.conflicts}};
  if (r.has_person)
    out.update({{"persons", r.persons}, {"most_of_one_person", r.most_of_one_person}});
  if (r.tokens)
    out["tokens"] = {
        {"median", r.tokens->length_at(0.5)},  {"p95", r.tokens->length_at(0.95)},
        {"longest", r.tokens->length_at(1)},   {"cut", r.tokens->cut()},
        {"without_tokens", r.tokens->empty()}, {"unknown_share", r.tokens->unknown_share()}};
  return out;
}

std::string labels_line(const FileReport& report) {
  constexpr std::size_t kShown = 20;
  const auto labels = by_frequency(report);
  std::string out;
  for (std::size_t i = 0; i < std::min(kShown, labels.size()); ++i)
    out += (i == 0 ? "" : ", ") + labels[i].first + " " + std::to_string(labels[i].second);
  if (labels.size() > kShown) out += " and " + std::to_string(labels.size() - kShown) + " more";
  return out;
}

std::string columns_line(const FileReport& report) {
  std::string out;
  for (const inspection::Column& column : report.columns)
    out += (out.empty() ? "" : ", ") + column.name +
           (column.role.empty() ? "" : " (" + column.role + ")");
  return out;
}

void print_report(const FileReport& r) {
  const auto line = [](const char* name, const std::string& text) {
    cli::print("  " + std::string(name) + std::string(11 - std::string(name).size(), ' ') + text);
  };
  cli::print(r.file);
  if (r.format == data::Format::kAuto) return line("format", "not readable; see the findings");
  line("format", std::string(config::word_of(r.format)) +
                     (r.delimiter.empty() ? "" : ", delimiter " + r.delimiter) + ", UTF-8 " +
                     (r.has_byte_order_mark ? "with" : "without") + " a byte order mark" +
                     (r.line_ends.empty() ? "" : ", line ends " + r.line_ends) +
                     (r.has_header ? ", a header line" : ", no header line"));
  if (!r.columns.empty()) line("columns", columns_line(r));
  line(
      "examples",
      std::to_string(r.examples) +
          (r.left_out.count == 0 ? "" : ", and " + std::to_string(r.left_out.count) + " left out"));
  if (!r.labels.empty()) line("labels", labels_line(r));
  if (r.tokens)
    line("tokens", "median " + std::to_string(r.tokens->length_at(0.5)) + ", 95 % at most " +
                       std::to_string(r.tokens->length_at(0.95)) + ", longest " +
                       std::to_string(r.tokens->length_at(1)) + "; " +
                       std::to_string(r.tokens->cut()) + " texts are cut, " +
                       percent(r.tokens->unknown_share()) + " of the tokens are unknown");
  line("repeated", std::to_string(r.duplicates) + " with the same label, " +
                       std::to_string(r.conflicts) + " with another label");
  if (r.has_person)
    line("persons", std::to_string(r.persons) + ", at most " +
                        std::to_string(r.most_of_one_person) + " examples of one");
}

void print_findings(const Inspection& found) {
  if (found.findings().empty()) return cli::print("no findings");
  cli::print("findings");
  for (const inspection::Finding& finding : found.findings())
    cli::print(std::string(finding.is_error ? "  error    " : "  warning  ") + finding.what);
}

void print_json(const Inspection& found) {
  json files = json::array(), findings = json::array();
  for (const FileReport& report : found.reports())
    files.push_back(json_of(report));
  for (const inspection::Finding& finding : found.findings())
    findings.push_back(
        {{"level", finding.is_error ? "error" : "warning"}, {"message", finding.what}});
  cli::print(json{{"files", files}, {"findings", findings}}.dump(-1, ' ', false,
                                                                 json::error_handler_t::replace));
}

int inspect(InspectArguments args) {
  inspection::Options options;
  std::string model = args.model;
  if (!args.job.empty()) options.job = config::load_job(args.job, args.overrides);
  if (!args.site.empty()) {
    const config::SiteConfig site = config::load_site(args.site);
    options.layout = site.data.layout;
    options.declared = site.data.labels;
    if (args.files.empty()) args.files = {site.data.train.string()};
    if (args.evaluation.empty()) args.evaluation = {site.data.evaluation.string()};
    if (model.empty()) model = site.model_path.string();
  }
  if (args.files.empty())
    throw StartupError(
        "name the files to inspect, or --site site.json; for example:\n"
        "  sotto-participant data inspect train.csv --text text --label intent");
  if (model.empty() && options.job) model = options.job->model.path;
  options.layout = layout_of(args.layout, options.layout);
  if (!model.empty())
    options.tokenizer =
        std::make_shared<const text::Tokenizer>(cli::or_stop(text::load_tokenizer(model)));
  options.max_length =
      options.job ? options.job->model.max_length : std::numeric_limits<std::size_t>::max();
  Inspection found(std::move(options));
  for (const std::string& file : args.files)
    found.add(file, Inspection::Split::kTraining);
  for (const std::string& file : args.evaluation)
    found.add(file, Inspection::Split::kEvaluation);
  found.compare();
  if (args.json) {
    print_json(found);
  } else {
    for (const FileReport& report : found.reports())
      print_report(report);
    print_findings(found);
  }
  return found.has_errors() ? 1 : 0;
}

}  // namespace

void add_inspect_command(cli::Command& data, int& exit_code) {
  auto args = std::make_shared<InspectArguments>();
  cli::Command* sub = data.add_subcommand(
      "inspect",
      "Print what is in files of records and what is wrong with them, for the people of this site; "
      "nothing leaves the machine. The exit code is 1 if something would be refused or left out.\n"
      "Example: sotto-participant data inspect train.csv --evaluation test.csv --text text --label "
      "intent --model model");
  sub->add_option("files", args->files,
                  "Files with training examples; those of --site unless given");
  sub->add_option("--evaluation", args->evaluation,
                  "Files with the evaluation split, which are compared with the training examples")
      ->allow_extra_args(false);
  sub->add_option("--job", args->job, "job.json with the task, the labels and model.max_length");
  sub->add_option("--set", args->overrides, "Override a key of the job")->allow_extra_args(false);
  sub->add_option("--site", args->site, "site.json, for the files, their layout and the model");
  sub->add_option("--model", args->model,
                  "Folder of the model, with whose tokenizer the texts are measured");
  add_layout_options(*sub, args->layout);
  sub->add_option("--person", args->layout.person,
                  "Column or key of the person whom a record is about");
  sub->add_flag("--json", args->json, "One JSON object");
  sub->callback([args, &exit_code] { exit_code = inspect(*args); });
}

}  // namespace sotto::participant
