#include "common/model/saved_task.h"

#include <fstream>

#include <nlohmann/json.hpp>

namespace sotto {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* kClassification = "sequence_classification";
constexpr const char* kRegression = "sequence_regression";
constexpr const char* kTags = "token_classification";
constexpr const char* kLanguage = "causal_language_modeling";

/// Above this a model_max_length stands for no limit: Hugging Face writes 10^30.
constexpr double kNoLimit = 1e9;

/// Returns an empty object where there is no file.
Result<json> object_in(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return json::object();
  std::ifstream in(file);
  json out = json::parse(in, nullptr, /*allow_exceptions=*/false);
  if (!out.is_object()) return Error{file.string() + ": is not a JSON object"};
  return out;
}

std::optional<std::uint64_t> count_in(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return std::nullopt;
  const auto number = found->get<double>();
  if (number < 1 || number > kNoLimit) return std::nullopt;
  return static_cast<std::uint64_t>(number);
}

std::string text_in(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::vector<std::string> classes_of_run(const std::map<std::string, std::string>& metadata) {
  std::vector<std::string> out;
  for (auto at = metadata.find("label.0"); at != metadata.end();
       at = metadata.find("label." + std::to_string(out.size())))
    out.push_back(at->second);
  return out;
}

/// Reads {"id2label": {"0": "O", "1": "B-PER", ...}}.
std::vector<std::string> classes_of_config(const json& config) {
  std::vector<std::string> out;
  const auto names = config.find("id2label");
  if (names == config.end() || !names->is_object()) return out;
  for (auto at = names->find("0"); at != names->end() && at->is_string();
       at = names->find(std::to_string(out.size())))
    out.push_back(at->get<std::string>());
  return out;
}

std::vector<std::string> classes_of(const json& config,
                                    const std::map<std::string, std::string>& metadata) {
  std::vector<std::string> out = classes_of_run(metadata);
  return out.empty() ? classes_of_config(config) : out;
}

bool is_regression(const json& config, const SavedHead& head) {
  const std::string problem = text_in(config, "problem_type");
  return problem == "regression" || (problem.empty() && head.outputs == 1);
}

/// Returns the task by `architectures`; empty where they name no task of this program.
std::string type_of_architecture(const json& config, const SavedHead& head) {
  const auto names = config.find("architectures");
  if (names == config.end() || !names->is_array()) return {};
  for (const json& entry : *names) {
    const std::string name = entry.is_string() ? entry.get<std::string>() : std::string();
    if (name.ends_with("ForSequenceClassification"))
      return is_regression(config, head) ? kRegression : kClassification;
    if (name.ends_with("ForTokenClassification")) return kTags;
    if (name.ends_with("ForCausalLM") || name.ends_with("LMHeadModel")) return kLanguage;
  }
  return {};
}

/// Returns the task by the classes that a run saved in the metadata; empty where there are none. A
/// run with a base model of another architecture saved its config.json in earlier versions.
std::string type_of_run(const json& config, const SavedHead& head) {
  if (!head.outputs) return {};
  const std::vector<std::string> classes = classes_of_run(head.metadata);
  if (classes.empty()) return text_in(config, "problem_type") == "regression" ? kRegression : "";
  return classes.front() == "O" && classes.size() > 1 ? kTags : kClassification;
}

std::string architectures_text(const json& config) {
  const auto names = config.find("architectures");
  return names == config.end() ? "no architectures"
                               : "architectures " + names->dump().substr(0, 200);
}

Status name_outputs(SavedTask& task, const json& config, const SavedHead& head) {
  const auto outputs = static_cast<std::size_t>(*head.outputs);
  task.classes = classes_of(config, head.metadata);
  if (task.type == kRegression) {
    if (outputs != 1)
      return Error{"its head has " + std::to_string(outputs) +
                   " outputs, but a regression here has one"};
    task.classes = {"value"};
    return {};
  }
  if (task.classes.empty() && task.type == kClassification)
    for (std::size_t i = 0; i < outputs; ++i)
      task.classes.push_back("LABEL_" + std::to_string(i));
  if (task.classes.empty())
    return Error{
        "lacks the labels of its head (label.0 and so on in model.safetensors, or id2label in "
        "config.json)"};
  if (task.classes.size() != outputs)
    return Error{"id2label in config.json names " + std::to_string(task.classes.size()) +
                 " labels, but the head has " + std::to_string(outputs) +
                 " outputs; write the labels of this head into config.json"};
  return {};
}

}  // namespace

SavedHead saved_head(const WeightFiles& weights) {
  SavedHead out{.metadata = weights.metadata()};
  for (const char* name : {"classifier.weight", "score.weight", "classifier.out_proj.weight"})
    if (const TensorView* tensor = weights.find(name); tensor != nullptr && !tensor->shape.empty())
      out.outputs = tensor->shape.front();
  return out;
}

std::vector<std::string> saved_classes(const fs::path& folder,
                                       const std::map<std::string, std::string>& metadata) {
  const Result<json> config = object_in(folder / "config.json");
  return classes_of(config.ok() ? *config : json::object(), metadata);
}

Result<SavedTask> saved_task(const fs::path& folder, const SavedHead& head,
                             std::string_view requested) {
  SOTTO_ASSIGN_OR_RETURN(const json config, object_in(folder / "config.json"));
  const auto refused = [&](const std::string& why) { return Error{folder.string() + ": " + why}; };
  SavedTask out{.type = std::string(requested)};
  if (out.type.empty()) out.type = type_of_architecture(config, head);
  if (out.type.empty()) out.type = type_of_run(config, head);
  if (out.type.empty())
    return refused("config.json does not tell the task of the model (it has " +
                   architectures_text(config) +
                   "); name the task with --task, or train a head with a job");
  if (out.type == kLanguage) return out;
  if (!head.outputs)
    return refused("has no head for the task " + out.type +
                   " (no tensor classifier.weight or score.weight); train one with a job");
  out.multi_label = out.type == kClassification &&
                    text_in(config, "problem_type") == "multi_label_classification";
  if (const Status named = name_outputs(out, config, head); !named.ok())
    return refused(named.error().message);
  return out;
}

Result<std::optional<std::uint64_t>> saved_max_length(const fs::path& folder) {
  SOTTO_ASSIGN_OR_RETURN(const json settings, object_in(folder / "tokenizer_config.json"));
  return count_in(settings, "model_max_length");
}

Result<std::optional<std::uint64_t>> saved_positions(const fs::path& folder) {
  SOTTO_ASSIGN_OR_RETURN(const json config, object_in(folder / "config.json"));
  const auto positions = count_in(config, "max_position_embeddings");
  return positions ? positions : count_in(config, "n_positions");
}

}  // namespace sotto
