#include "common/config/head_labels.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "common/model/parameter_names.h"
#include "common/storage/atomic_file.h"
#include "common/tasks/words.h"

namespace sotto::config {

namespace {

using Document = nlohmann::json;
namespace fs = std::filesystem;

constexpr std::size_t kShown = 12;

Document config_in(const fs::path& folder) {
  const auto text = storage::read_file(folder / "config.json", 1 << 24);
  return text.ok() ? Document::parse(*text, nullptr, /*allow_exceptions=*/false) : Document();
}

/// Returns whether the names only number the outputs.
bool are_generic(const std::vector<std::string>& names) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] != "LABEL_" + std::to_string(i)) return false;
  return true;
}

std::vector<std::string> labels_of_run(const std::map<std::string, std::string>& metadata) {
  std::vector<std::string> out;
  for (auto at = metadata.find("label.0"); at != metadata.end();
       at = metadata.find("label." + std::to_string(out.size())))
    out.push_back(at->second);
  return out;
}

std::string shown(const std::vector<std::string>& names) {
  return "(" + tasks::list_of(names, kShown) + ")";
}

bool is_head(const std::string& name) {
  return name.starts_with("classifier.") || name.starts_with("score.");
}

}  // namespace

Result<std::vector<std::string>> head_labels(const WeightFiles& checkpoint,
                                             const fs::path& folder) {
  if (std::vector<std::string> labels = labels_of_run(checkpoint.metadata()); !labels.empty())
    return labels;
  const Document config = config_in(folder);
  std::vector<std::string> out;
  const auto names = config.find("id2label");
  if (!config.is_object() || names == config.end() || names->is_null()) return out;
  const auto refused = [&](const std::string& why) {
    return Error{(folder / "config.json").string() + ": id2label " + why};
  };
  if (!names->is_object()) return refused("is not an object of numbers and names");
  for (std::size_t i = 0; i < names->size(); ++i) {
    const auto at = names->find(std::to_string(i));
    if (at == names->end() || !at->is_string())
      return refused("has " + std::to_string(names->size()) +
                     " entries, but no name for the class " + std::to_string(i));
    out.push_back(at->get<std::string>());
  }
  return are_generic(out) ? std::vector<std::string>() : out;
}

Result<std::vector<std::size_t>> head_rows(const std::vector<std::string>& labels, std::size_t rows,
                                           const std::vector<std::string>& classes) {
  if (!labels.empty() && labels.size() != rows)
    return Error{"the head of the weights has " + std::to_string(rows) +
                 " outputs, but id2label of config.json names " + std::to_string(labels.size()) +
                 " " + shown(labels) + std::string(kNewHeadHint)};
  if (rows != classes.size())
    return Error{"the head of the weights has " + std::to_string(rows) + " outputs" +
                 (labels.empty() ? "" : " " + shown(labels)) + ", but task.labels makes " +
                 std::to_string(classes.size()) + " classes " + shown(classes) +
                 std::string(kNewHeadHint)};
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    const auto at = std::ranges::find(labels, classes[i]);
    if (!labels.empty() && at == labels.end())
      return Error{"the head of the weights has the classes " + shown(labels) +
                   ", but task.labels makes the classes " + shown(classes) + "; " + classes[i] +
                   " is not one of the head's" + std::string(kNewHeadHint)};
    out.push_back(labels.empty() ? i : static_cast<std::size_t>(at - labels.begin()));
  }
  return out;
}

Status check_problem_type(const JobConfig& job) {
  if (job.model.new_head || job.make_task()->classes().empty()) return {};
  const fs::path folder = job.model.path;
  const Document config = config_in(folder);
  const auto type = config.is_object() ? config.find("problem_type") : config.end();
  if (type == config.end() || *type != "multi_label_classification") return {};
  return Error{(folder / "config.json").string() +
               ": problem_type is \"multi_label_classification\", but the task learns one class "
               "for each text" +
               std::string(kNewHeadHint)};
}

Result<std::string> source_of_initial_model(const JobConfig& job, const FlatParameters& model) {
  if (job.model.initial == InitialModel::kRandom)
    return "random, as the job says, seed " + std::to_string(job.seed);
  const fs::path folder = job.model.path;
  SOTTO_ASSIGN_OR_RETURN(const std::vector<std::string> files, weight_file_names(folder));
  SOTTO_ASSIGN_OR_RETURN(const WeightFiles checkpoint, WeightFiles::open(folder));
  SOTTO_ASSIGN_OR_RETURN(const std::vector<std::string> labels, head_labels(checkpoint, folder));
  std::vector<std::string> fresh;
  bool unnamed_head = false;
  for (const ParameterShape& p : model.layout) {
    const bool adapter = p.name.find(".lora_") != std::string::npos;
    const bool found = find_parameter(checkpoint, p.name) != nullptr;
    if (!adapter && (!found || (job.model.new_head && is_head(p.name)))) fresh.push_back(p.name);
    unnamed_head |= found && !job.model.new_head && is_head(p.name) && labels.empty();
  }
  std::string out = "from the weights of " + files.front();
  if (!fresh.empty()) out += "; new: " + tasks::list_of(fresh, kShown);
  if (unnamed_head && !job.make_task()->classes().empty())
    out +=
        "; the classes of the head have no names, so its outputs are taken in the order of "
        "task.labels";
  return out;
}

}  // namespace sotto::config
