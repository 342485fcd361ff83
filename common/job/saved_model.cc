#include "common/job/saved_model.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/config/model_files.h"
#include "common/job/saved_config.h"
#include "common/model/architecture.h"
#include "common/model/lora_adapter.h"
#include "common/model/safetensors.h"
#include "common/model/weight_files.h"
#include "common/storage/atomic_file.h"

namespace sotto::job {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* kModelCard = "README.md";
constexpr std::string_view kPeftPrefix = "base_model.model.";
constexpr std::string_view kLoraA = ".lora_A.weight";

Status copy_one(const fs::path& from, const std::string& file, const fs::path& to) {
  std::error_code failed;
  fs::copy_file(from / file, to / file, fs::copy_options::overwrite_existing, failed);
  if (failed) return Error{"cannot copy " + (from / file).string() + ": " + failed.message()};
  return {};
}

/// Copies the files that describe the model: its shape, its tokenizer and its text generation.
Status copy_description(const config::JobConfig& job, const fs::path& folder) {
  constexpr std::array kNames = {"tokenizer.json",    "tokenizer_config.json",
                                 "added_tokens.json", "special_tokens_map.json",
                                 "vocab.txt",         "vocab.json",
                                 "merges.txt",        "tokenizer.model",
                                 "spiece.model",      "generation_config.json"};
  const fs::path source = job.model.path;
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) return Error{"cannot create " + folder.string() + ": " + failed.message()};
  SOTTO_TRY(copy_one(source, "config.json", folder));
  for (fs::directory_iterator at(source, failed), end; !failed && at != end; at.increment(failed)) {
    const std::string name = at->path().filename().string();
    if (std::ranges::count(kNames, name) > 0 || name.starts_with("chat_template."))
      SOTTO_TRY(copy_one(source, name, folder));
  }
  return {};
}

/// Writes everything but the weights of a model that a run made.
Result<SavedConfig> write_description(const config::JobConfig& job, const fs::path& folder) {
  SOTTO_TRY(copy_description(job, folder));
  SOTTO_ASSIGN_OR_RETURN(SavedConfig config, saved_config(job));
  SOTTO_ASSIGN_OR_RETURN(const std::string tokenizer, saved_tokenizer_config(job));
  SOTTO_TRY(storage::write_text(folder / "config.json", config.text));
  SOTTO_TRY(storage::write_text(folder / "tokenizer_config.json", tokenizer));
  if (config.own_module) SOTTO_TRY(storage::write_text(folder / kOwnModule, own_module()));
  return config;
}

/// Returns the metadata of a saved file: the job's name and the names of the classes.
std::map<std::string, std::string> metadata_of(const config::JobConfig& job) {
  std::map<std::string, std::string> out{{"format", "pt"}, {"job", job.name}};
  const std::vector<std::string> classes = job.make_task()->classes();
  for (std::size_t i = 0; i < classes.size(); ++i)
    out["label." + std::to_string(i)] = classes[i];
  return out;
}

/// Returns Architecture::linears_in_out of the job's model.
Result<bool> stores_in_out(const config::JobConfig& job) {
  SOTTO_ASSIGN_OR_RETURN(const std::string family, config::model_family(job.model.path));
  const Architecture* architecture = find_architecture(family);
  return architecture != nullptr && architecture->linears_in_out;
}

/// Returns "x" for "x.lora_A.weight", and an empty text for any other name.
std::string adapted_module(const std::string& name) {
  return name.ends_with(kLoraA) ? name.substr(0, name.size() - kLoraA.size()) : std::string();
}

/// Returns a number as PEFT writes it: an integer where it is one.
json number(double value) {
  const auto whole = static_cast<std::int64_t>(value);
  return static_cast<double>(whole) == value ? json(whole) : json(value);
}

/// Returns the text of adapter_config.json. It lists the modules by their full names, which PEFT
/// matches exactly, and not as the job names them.
std::string adapter_config(const config::JobConfig& job, const FlatParameters& parameters,
                           const std::string& base_model, bool in_out) {
  json modules = json::array(), heads = json::array();
  for (const ParameterShape& p : parameters.layout) {
    if (const std::string module = adapted_module(p.name); !module.empty())
      modules.push_back(module);
    for (const char* head : {"classifier", "score"})
      if (p.name == std::string(head) + ".weight") heads.push_back(head);
  }
  const json out = {
      {"peft_type", "LORA"},
      {"task_type", job.make_task()->peft_type()},
      {"base_model_name_or_path", base_model.empty() ? json(nullptr) : json(base_model)},
      {"r", job.lora.r},
      {"lora_alpha", number(job.lora.alpha)},
      {"lora_dropout", job.lora.dropout},
      {"target_modules", modules},
      {"modules_to_save", heads.empty() ? json(nullptr) : heads},
      {"fan_in_fan_out", in_out},
      {"bias", "none"},
      {"inference_mode", true}};
  return out.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

/// Writes the parameters that the job trained: the whole model, or adapters as PEFT has them.
Status write_weights(const fs::path& folder, const config::JobConfig& job,
                     const FlatParameters& parameters, const std::string& base_model) {
  if (job.lora.r == 0)
    return write_safetensors(folder / "model.safetensors", parameters, metadata_of(job));
  SOTTO_ASSIGN_OR_RETURN(const bool in_out, stores_in_out(job));
  FlatParameters named = parameters;
  for (ParameterShape& p : named.layout)
    p.name.insert(0, kPeftPrefix);
  SOTTO_TRY(storage::write_text(folder / "adapter_config.json",
                                adapter_config(job, parameters, base_model, in_out)));
  return write_safetensors(folder / kAdapterFile, named, metadata_of(job));
}

}  // namespace

Status save_initial_model(const fs::path& folder, const config::JobConfig& job,
                          const FlatParameters& parameters) {
  SOTTO_TRY(copy_description(job, folder));
  return write_weights(folder, job, parameters, /*base_model=*/"");
}

Status save_model(const fs::path& folder, const config::JobConfig& job,
                  const FlatParameters& parameters, const RunFacts& run) {
  SOTTO_ASSIGN_OR_RETURN(const SavedConfig config, write_description(job, folder));
  const CardFacts facts{.base_model = config.base_model,
                        .adapter = job.lora.r > 0,
                        .own_module = config.own_module,
                        .run_sections = run_sections(job, run)};
  SOTTO_TRY(storage::write_text(folder / kModelCard, model_card(job, facts)));
  return write_weights(folder, job, parameters, config.base_model);
}

Status copy_base_weights(const fs::path& folder, const config::JobConfig& job) {
  SOTTO_ASSIGN_OR_RETURN(const std::vector<std::string> names, weight_file_names(job.model.path));
  for (const std::string& name : names)
    SOTTO_TRY(copy_one(job.model.path, name, folder));
  return {};
}

Result<FlatParameters> load_parameters(const fs::path& file) {
  SOTTO_ASSIGN_OR_RETURN(FlatParameters read, read_safetensors(file));
  for (ParameterShape& p : read.layout)
    if (p.name.starts_with(kPeftPrefix)) p.name.erase(0, kPeftPrefix.size());
  return read;
}

Result<FlatParameters> merged_model(const config::JobConfig& job,
                                    const FlatParameters& parameters) {
  SOTTO_ASSIGN_OR_RETURN(FlatParameters base, base_parameters(job.model.path));
  SOTTO_ASSIGN_OR_RETURN(const bool in_out, stores_in_out(job));
  Result<FlatParameters> merged = with_adapter(
      std::move(base),
      {.parameters = parameters, .scale = job.lora.alpha / job.lora.r, .in_out = in_out});
  if (!merged) return Error{job.model.path + ": " + merged.error().message};
  return merged;
}

Status save_merged(const fs::path& folder, const config::JobConfig& job,
                   const FlatParameters& merged, const fs::path& adapter) {
  SOTTO_ASSIGN_OR_RETURN(const SavedConfig config, write_description(job, folder));
  SOTTO_TRY(storage::write_text(
      folder / kModelCard,
      model_card(job, {.base_model = config.base_model,
                       .own_module = config.own_module,
                       .run_sections = run_sections_of(adapter / kModelCard)})));
  return write_safetensors(folder / "model.safetensors", merged, metadata_of(job));
}

}  // namespace sotto::job
