#include "common/model/lora_adapter.h"

#include <cmath>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/model/safetensors.h"
#include "common/model/weight_files.h"
#include "common/storage/atomic_file.h"

namespace sotto {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::string_view kPeftPrefix = "base_model.model.";
constexpr std::string_view kLoraA = ".lora_A.weight", kLoraB = ".lora_B.weight";
constexpr std::string_view kSaved = ".modules_to_save.";  // in files of older versions of PEFT

struct Tensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

using Tensors = std::map<std::string, Tensor>;

Tensors by_name(const FlatParameters& parameters) {
  Tensors out;
  auto at = parameters.values.begin();
  for (const ParameterShape& p : parameters.layout) {
    const auto end = at + static_cast<std::ptrdiff_t>(p.count());
    out[p.name] = {p.shape, {at, end}};
    at = end;
  }
  return out;
}

FlatParameters flat(const Tensors& tensors) {
  FlatParameters out;
  for (const auto& [name, tensor] : tensors) {
    out.layout.push_back({name, tensor.shape});
    out.values.insert(out.values.end(), tensor.values.begin(), tensor.values.end());
  }
  return out;
}

std::string text_of(const std::vector<std::int64_t>& shape) {
  std::string out = "[";
  for (const std::int64_t extent : shape)
    out += (out.size() > 1 ? ", " : "") + std::to_string(extent);
  return out + "]";
}

/// Returns "x" for "x.lora_A.weight", and an empty text for any other name.
std::string adapted_module(const std::string& name) {
  return name.ends_with(kLoraA) ? name.substr(0, name.size() - kLoraA.size()) : std::string();
}

bool is_head(const std::string& name) {
  return name.starts_with("classifier.") || name.starts_with("score.");
}

/// Finds a tensor by its name with or without the family's prefix, because checkpoints use both.
Tensor* find(Tensors& tensors, const std::string& name) {
  for (const std::string& spelling : {name, name.substr(name.find('.') + 1)})
    if (const auto found = tensors.find(spelling); found != tensors.end()) return &found->second;
  return nullptr;
}

/// Adds scale * b a to the weight, where a is [r, in] and b is [out, r].
Status add_into(Tensor& weight, const Tensor& a, const Tensor& b, const LoraAdapter& adapter) {
  if (a.shape.size() != 2 || b.shape.size() != 2)
    return Error{"the adapter has the shapes " + text_of(a.shape) + " and " + text_of(b.shape) +
                 ", but a linear module needs two matrices"};
  const auto r = static_cast<std::size_t>(a.shape[0]);
  const auto in = static_cast<std::size_t>(a.shape[1]);
  const auto out = static_cast<std::size_t>(b.shape[0]);
  std::vector<std::int64_t> expected{b.shape[0], a.shape[1]};
  if (adapter.in_out) std::swap(expected[0], expected[1]);
  if (weight.shape != expected || b.shape[1] != a.shape[0])
    return Error{"the weight has the shape " + text_of(weight.shape) + ", but the adapter needs " +
                 text_of(expected)};
  for (std::size_t o = 0; o < out; ++o)
    for (std::size_t i = 0; i < in; ++i) {
      double sum = 0;
      for (std::size_t k = 0; k < r; ++k)
        sum += static_cast<double>(b.values[o * r + k]) * static_cast<double>(a.values[k * in + i]);
      float& value = weight.values[adapter.in_out ? i * out + o : o * in + i];
      value = static_cast<float>(static_cast<double>(value) + adapter.scale * sum);
    }
  return {};
}

/// Replaces a tensor of the base model, or adds that of a head.
Status put(Tensors& tensors, const std::string& name, const Tensor& tensor) {
  Tensor* const old = find(tensors, name);
  if (old == nullptr && !is_head(name))
    return Error{"tensor " + name.substr(0, 200) +
                 " of the adapter is neither a head nor a weight of the base model"};
  (old == nullptr ? tensors[name] : *old) = tensor;
  return {};
}

/// True for constants that older versions of the library saved beside the weights.
bool is_constant(std::string_view name) {
  return name.ends_with("position_ids") || name.ends_with(".attn.bias") ||
         name.ends_with(".attn.masked_bias") || name.ends_with("rotary_emb.inv_freq");
}

/// Returns the name that a parameter of the file has in the base model.
std::string base_name_of(std::string name) {
  if (name.starts_with(kPeftPrefix)) name.erase(0, kPeftPrefix.size());
  if (const auto at = name.find(kSaved); at != std::string::npos) name.erase(at, kSaved.size() - 1);
  return name;
}

bool is_set(const json& config, const char* key) {
  const auto found = config.find(key);
  return found != config.end() && !found->is_null() && *found != false && *found != json::object();
}

/// Reads the scale, or returns the key that prevents it.
Result<double> scale_of(const json& config) {
  for (const char* key : {"use_dora", "rank_pattern", "alpha_pattern", "megatron_config"})
    if (is_set(config, key))
      return Error{std::string(key) + " is set, but only plain LoRA can be added to its weights"};
  if (config.value("peft_type", "LORA") != "LORA")
    return Error{"peft_type is " + config["peft_type"].dump().substr(0, 60) + "; supported: LORA"};
  for (const char* key : {"r", "lora_alpha"})
    if (!config.contains(key) || !config[key].is_number() || !(config[key] > 0.0))
      return Error{std::string(key) + " must be a number above 0"};
  const auto r = config["r"].get<double>();
  return config["lora_alpha"].get<double>() / (is_set(config, "use_rslora") ? std::sqrt(r) : r);
}

SavedHead head_of(const FlatParameters& parameters, std::map<std::string, std::string> metadata) {
  SavedHead out{.metadata = std::move(metadata)};
  for (const ParameterShape& p : parameters.layout)
    if (is_head(p.name) && p.name.ends_with(".weight") && !p.shape.empty() &&
        p.name.find(".lora_") == std::string::npos)
      out.outputs = p.shape.front();
  return out;
}

Result<std::map<std::string, std::string>> metadata_of(const fs::path& file) {
  SOTTO_ASSIGN_OR_RETURN(const storage::MappedFile mapped, storage::MappedFile::open(file));
  return safetensors_metadata(mapped.bytes());
}

}  // namespace

bool has_adapter(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / kAdapterWeights, ignored);
}

Result<SavedAdapter> read_adapter(const fs::path& folder) {
  const fs::path file = folder / "adapter_config.json";
  SOTTO_ASSIGN_OR_RETURN(const Bytes text, storage::read_file(file, 1 << 20));
  const json config = json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto refused = [&](const std::string& why) { return Error{file.string() + ": " + why}; };
  if (!config.is_object()) return refused("is not a JSON object");
  const Result<double> scale = scale_of(config);
  if (!scale) return refused(scale.error().message);
  SOTTO_ASSIGN_OR_RETURN(FlatParameters read, read_safetensors(folder / kAdapterWeights));
  SOTTO_ASSIGN_OR_RETURN(auto metadata, metadata_of(folder / kAdapterWeights));
  for (ParameterShape& p : read.layout)
    p.name = base_name_of(p.name);
  SavedHead head = head_of(read, std::move(metadata));
  const auto base = config.find("base_model_name_or_path");
  return SavedAdapter{.adapter = {.parameters = std::move(read),
                                  .scale = *scale,
                                  .in_out = is_set(config, "fan_in_fan_out")},
                      .head = std::move(head),
                      .base_name = base != config.end() && base->is_string()
                                       ? base->get<std::string>()
                                       : std::string()};
}

Result<FlatParameters> base_parameters(const fs::path& folder) {
  SOTTO_ASSIGN_OR_RETURN(const WeightFiles base, WeightFiles::open(folder));
  FlatParameters out;
  for (const auto& [name, view] : base.tensors()) {
    if (is_constant(name)) continue;
    const Result<std::vector<float>> values = floats_of(view);
    if (!values.ok()) return Error{folder.string() + ": " + values.error().message};
    out.layout.push_back({name, view.shape});
    out.values.insert(out.values.end(), values->begin(), values->end());
  }
  return out;
}

Result<FlatParameters> with_adapter(FlatParameters base, const LoraAdapter& adapter) {
  Tensors tensors = by_name(base);
  base = {};  // a model may be large
  const Tensors trained = by_name(adapter.parameters);
  for (const auto& [name, tensor] : trained) {
    const std::string module = adapted_module(name);
    if (module.empty() && !name.ends_with(kLoraB)) SOTTO_TRY(put(tensors, name, tensor));
    if (module.empty()) continue;
    const auto b = trained.find(module + std::string(kLoraB));
    Tensor* weight = find(tensors, module + ".weight");
    if (b == trained.end() || weight == nullptr)
      return Error{"there is no weight for the adapter of " + module};
    if (const Status added = add_into(*weight, tensor, b->second, adapter); !added.ok())
      return Error{module + ": " + added.error().message};
  }
  return flat(tensors);
}

}  // namespace sotto
