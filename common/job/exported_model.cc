#include "common/job/exported_model.h"

#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/model/lora_adapter.h"
#include "common/model/weight_files.h"
#include "common/storage/atomic_file.h"

namespace sotto::job {

namespace {

namespace fs = std::filesystem;

/// The files beside the weights that belong to a model.
constexpr std::array kCopied = {"tokenizer.json",
                                "tokenizer_config.json",
                                "special_tokens_map.json",
                                "added_tokens.json",
                                "vocab.txt",
                                "vocab.json",
                                "merges.txt",
                                "chat_template.jinja",
                                "chat_template.json",
                                "generation_config.json",
                                "modeling_sotto.py",
                                "README.md",
                                "LICENSE"};

struct Weights {
  FlatParameters values;
  std::map<std::string, std::string> metadata;
};

bool is_there(const fs::path& file) {
  std::error_code ignored;
  return fs::exists(file, ignored);
}

Status check_out(const fs::path& out) {
  std::error_code failed;
  if (fs::exists(out, failed) && (!fs::is_directory(out, failed) || !fs::is_empty(out, failed)))
    return Error{out.string() +
                 ": exists already, and an export replaces no files; name a new folder"};
  fs::create_directories(out, failed);
  if (failed) return Error{out.string() + ": cannot be created: " + failed.message()};
  return {};
}

/// Returns the folders in the order in which a file is looked for.
Result<std::vector<fs::path>> sources_of(const ExportPlan& plan) {
  std::error_code ignored;
  if (!fs::is_directory(plan.model, ignored))
    return Error{plan.model.string() + ": is not a folder"};
  const bool adapter = has_adapter(plan.model);
  if (!adapter && !plan.base.empty())
    return Error{plan.model.string() + ": holds no adapter (" + kAdapterWeights +
                 "), so that --base has no use"};
  if (!plan.base.empty()) return std::vector{plan.model, plan.base};
  if (adapter && !weight_file_names(plan.model).ok())
    return Error{
        plan.model.string() +
        ": holds a LoRA adapter without the weights that it adapts; name the folder of its "
        "base model with --base"};
  return std::vector{plan.model};
}

Result<Weights> weights_of(const ExportPlan& plan, const fs::path& base) {
  if (!has_adapter(plan.model)) {
    SOTTO_ASSIGN_OR_RETURN(const WeightFiles files, WeightFiles::open(plan.model));
    SOTTO_ASSIGN_OR_RETURN(FlatParameters values, base_parameters(plan.model));
    return Weights{std::move(values), files.metadata()};
  }
  SOTTO_ASSIGN_OR_RETURN(const SavedAdapter adapter, read_adapter(plan.model));
  SOTTO_ASSIGN_OR_RETURN(FlatParameters values, base_parameters(base));
  Result<FlatParameters> merged = with_adapter(std::move(values), adapter.adapter);
  if (!merged) return Error{base.string() + ": " + merged.error().message};
  return Weights{std::move(merged).value(), adapter.head.metadata};
}

Status write_config(const std::vector<fs::path>& sources, const ExportPlan& plan) {
  const fs::path& folder =
      is_there(sources.front() / "config.json") ? sources.front() : sources.back();
  const fs::path source = folder / "config.json";
  SOTTO_ASSIGN_OR_RETURN(const Bytes text, storage::read_file(source, 1 << 20));
  auto config = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!config.is_object()) return Error{source.string() + ": is not a JSON object"};
  config["dtype"] = std::string(name_of(plan.type));
  if (config.contains("torch_dtype")) config["torch_dtype"] = config["dtype"];
  return storage::write_file_atomically(
      plan.out / "config.json",
      {view_of(config.dump(2, ' ', false, nlohmann::json::error_handler_t::replace)),
       view_of("\n")},
      storage::FileAccess::kEveryoneReads);
}

Status copy_files(const std::vector<fs::path>& sources, const ExportPlan& plan) {
  std::error_code failed;
  for (const char* const name : kCopied)
    for (const fs::path& source : sources) {
      // The card of an adapter tells how to load an adapter.
      if (name == std::string("README.md") && has_adapter(plan.model)) continue;
      if (!is_there(source / name) || is_there(plan.out / name)) continue;
      fs::copy_file(source / name, plan.out / name, failed);
      if (failed) return Error{"cannot copy " + (source / name).string() + ": " + failed.message()};
    }
  return {};
}

}  // namespace

Result<ExportedModel> export_model(const ExportPlan& plan) {
  SOTTO_ASSIGN_OR_RETURN(const std::vector<fs::path> sources, sources_of(plan));
  SOTTO_ASSIGN_OR_RETURN(const Weights weights, weights_of(plan, sources.back()));
  SOTTO_TRY(check_out(plan.out));
  SOTTO_TRY(write_config(sources, plan));
  SOTTO_TRY(copy_files(sources, plan));
  SOTTO_TRY(write_safetensors(plan.out / "model.safetensors", weights.values, weights.metadata,
                              plan.type));
  return ExportedModel{.values = weights.values.values.size(), .merged = has_adapter(plan.model)};
}

}  // namespace sotto::job
