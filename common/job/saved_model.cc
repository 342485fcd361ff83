#include "common/job/saved_model.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/config/model_files.h"
#include "common/model/architecture.h"
#include "common/model/safetensors.h"
#include "common/model/weight_files.h"
#include "common/storage/atomic_file.h"

namespace sotto::job {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::string_view kPeftPrefix = "base_model.model.";
constexpr std::string_view kLoraA = ".lora_A.weight", kLoraB = ".lora_B.weight";

/// Writes the job's config.json merged with Task::saved_config().
Status write_config(const config::JobConfig& job, const fs::path& folder) {
  const fs::path source = fs::path(job.model.path) / "config.json";
  SOTTO_ASSIGN_OR_RETURN(const Bytes text, storage::read_file(source, 1 << 20));
  auto config = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!config.is_object()) return Error{source.string() + " is not a JSON object"};
  config.merge_patch(nlohmann::ordered_json::parse(job.make_task()->saved_config()));
  return storage::write_file_atomically(folder / "config.json",
                                        {view_of(config.dump(2)), view_of("\n")},
                                        storage::FileAccess::kEveryoneReads);
}

Status copy_shape_and_vocabulary(const config::JobConfig& job, const fs::path& folder) {
  const fs::path source = job.model.path;
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) return Error{"cannot create " + folder.string() + ": " + failed.message()};
  std::vector<std::string> files = config::tokenizer_files(source);
  files.emplace_back("config.json");
  for (const std::string& file : files) {
    fs::copy_file(source / file, folder / file, fs::copy_options::overwrite_existing, failed);
    if (failed) return Error{"cannot copy " + (source / file).string() + ": " + failed.message()};
  }
  return job.make_task()->saved_config().empty() ? Status() : write_config(job, folder);
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

/// Returns the text of adapter_config.json. It lists the modules by their full names, which PEFT
/// matches exactly, and not as the job names them.
std::string adapter_config(const config::JobConfig& job, const FlatParameters& parameters,
                           bool in_out) {
  json modules = json::array(), heads = json::array();
  for (const ParameterShape& p : parameters.layout) {
    if (const std::string module = adapted_module(p.name); !module.empty())
      modules.push_back(module);
    for (const char* head : {"classifier", "score"})
      if (p.name == std::string(head) + ".weight") heads.push_back(head);
  }
  const json out = {{"peft_type", "LORA"},
                    {"task_type", job.make_task()->peft_type()},
                    {"base_model_name_or_path", job.model.path},
                    {"r", job.lora.r},
                    {"lora_alpha", job.lora.alpha},
                    {"lora_dropout", job.lora.dropout},
                    {"target_modules", modules},
                    {"modules_to_save", heads.empty() ? json(nullptr) : heads},
                    {"fan_in_fan_out", in_out},
                    {"bias", "none"},
                    {"inference_mode", true}};
  return out.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

struct Tensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

std::map<std::string, Tensor> by_name(const FlatParameters& parameters) {
  std::map<std::string, Tensor> out;
  auto at = parameters.values.begin();
  for (const ParameterShape& p : parameters.layout) {
    const auto end = at + static_cast<std::ptrdiff_t>(p.count());
    out[p.name] = {p.shape, {at, end}};
    at = end;
  }
  return out;
}

std::string text_of(const std::vector<std::int64_t>& shape) {
  std::string out = "[";
  for (const std::int64_t extent : shape)
    out += (out.size() > 1 ? ", " : "") + std::to_string(extent);
  return out + "]";
}

struct Adapter {
  const Tensor &a, &b;  // [r, in], [out, r]
  double scale;
  bool in_out;  // how the weight is stored
};

/// Adds scale * b a to the weight.
Status add_into(Tensor& weight, const Adapter& adapter) {
  const auto r = static_cast<std::size_t>(adapter.a.shape.at(0));
  const auto in = static_cast<std::size_t>(adapter.a.shape.at(1));
  const auto out = static_cast<std::size_t>(adapter.b.shape.at(0));
  std::vector<std::int64_t> expected{adapter.b.shape[0], adapter.a.shape[1]};
  if (adapter.in_out) std::swap(expected[0], expected[1]);
  if (weight.shape != expected || adapter.b.shape.at(1) != adapter.a.shape[0])
    return Error{"the weight has the shape " + text_of(weight.shape) + ", but the adapter needs " +
                 text_of(expected)};
  for (std::size_t o = 0; o < out; ++o)
    for (std::size_t i = 0; i < in; ++i) {
      double sum = 0;
      for (std::size_t k = 0; k < r; ++k)
        sum += static_cast<double>(adapter.b.values[o * r + k]) *
               static_cast<double>(adapter.a.values[k * in + i]);
      float& value = weight.values[adapter.in_out ? i * out + o : o * in + i];
      value = static_cast<float>(static_cast<double>(value) + adapter.scale * sum);
    }
  return {};
}

Result<std::map<std::string, Tensor>> base_tensors(const fs::path& folder) {
  SOTTO_ASSIGN_OR_RETURN(const WeightFiles base, WeightFiles::open(folder));
  std::map<std::string, Tensor> out;
  for (const auto& [name, view] : base.tensors()) {
    Result<std::vector<float>> values = floats_of(view);
    if (values.ok()) out[name] = {view.shape, std::move(values).value()};  // others are constants
  }
  return out;
}

/// Finds a tensor by its name with or without the family's prefix, because checkpoints use both.
Tensor* find(std::map<std::string, Tensor>& tensors, const std::string& name) {
  for (const std::string& spelling : {name, name.substr(name.find('.') + 1)})
    if (const auto found = tensors.find(spelling); found != tensors.end()) return &found->second;
  return nullptr;
}

}  // namespace

Status save_model(const fs::path& folder, const config::JobConfig& job,
                  const FlatParameters& parameters) {
  SOTTO_TRY(copy_shape_and_vocabulary(job, folder));
  if (job.lora.r == 0)
    return write_safetensors(folder / "model.safetensors", parameters, metadata_of(job));
  SOTTO_ASSIGN_OR_RETURN(const bool in_out, stores_in_out(job));
  FlatParameters named = parameters;
  for (ParameterShape& p : named.layout)
    p.name.insert(0, kPeftPrefix);
  const std::string config = adapter_config(job, parameters, in_out);
  SOTTO_TRY(storage::write_file_atomically(folder / "adapter_config.json", {view_of(config)},
                                           storage::FileAccess::kEveryoneReads));
  return write_safetensors(folder / kAdapterFile, named, metadata_of(job));
}

Status copy_base_weights(const fs::path& folder, const config::JobConfig& job) {
  std::error_code failed;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(job.model.path, failed)) {
    const std::string name = entry.path().filename().string();
    if (name != kAdapterFile && (name.ends_with(".safetensors") || name.ends_with(".index.json")))
      files.push_back(entry.path());
  }
  for (const fs::path& file : files) {
    fs::copy_file(file, folder / file.filename(), fs::copy_options::overwrite_existing, failed);
    if (failed) return Error{"cannot copy " + file.string() + ": " + failed.message()};
  }
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
  SOTTO_ASSIGN_OR_RETURN(auto tensors, base_tensors(job.model.path));
  SOTTO_ASSIGN_OR_RETURN(const bool in_out, stores_in_out(job));
  const std::map<std::string, Tensor> trained = by_name(parameters);
  for (const auto& [name, tensor] : trained) {
    const std::string module = adapted_module(name);
    if (module.empty() && !name.ends_with(kLoraB)) tensors[name] = tensor;  // a head
    if (module.empty()) continue;
    const auto b = trained.find(module + std::string(kLoraB));
    Tensor* weight = find(tensors, module + ".weight");
    if (b == trained.end() || weight == nullptr)
      return Error{job.model.path + ": there is no weight for the adapter of " + module};
    if (Status added = add_into(
            *weight,
            {.a = tensor, .b = b->second, .scale = job.lora.alpha / job.lora.r, .in_out = in_out});
        !added.ok())
      return Error{module + ": " + added.error().message};
  }
  FlatParameters out;
  for (const auto& [name, tensor] : tensors) {
    out.layout.push_back({name, tensor.shape});
    out.values.insert(out.values.end(), tensor.values.begin(), tensor.values.end());
  }
  return out;
}

Status save_merged(const fs::path& folder, const config::JobConfig& job,
                   const FlatParameters& merged) {
  SOTTO_TRY(copy_shape_and_vocabulary(job, folder));
  return write_safetensors(folder / "model.safetensors", merged, metadata_of(job));
}

}  // namespace sotto::job
