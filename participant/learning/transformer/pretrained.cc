#include "participant/learning/transformer/pretrained.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include "common/model/architecture.h"
#include "common/model/weight_files.h"

namespace sotto::learning {
namespace {

std::string_view without_prefix(std::string_view name) {
  for (const Architecture& a : architectures())
    if (name.starts_with(a.prefix)) return name.substr(a.prefix.size());
  return name;
}

/// Returns the name of a parameter in Google's first BERT checkpoints, which call the two
/// parameters of a norm gamma and beta.
std::string older_name(std::string name) {
  for (const auto& [now, then] :
       {std::pair{"LayerNorm.weight", "LayerNorm.gamma"}, {"LayerNorm.bias", "LayerNorm.beta"}})
    if (name.ends_with(now))
      name.replace(name.size() - std::string_view(now).size(), name.npos, then);
  return name;
}

const TensorView* find(const WeightFiles& checkpoint, const std::string& name) {
  for (const std::string& full : {name, older_name(name)})
    for (const std::string_view spelling : {std::string_view(full), without_prefix(full)})
      if (const TensorView* tensor = checkpoint.find(spelling)) return tensor;
  return nullptr;
}

bool may_be_new(const std::string& name) {
  return name.starts_with("classifier.") || name.starts_with("score.") ||
         name.starts_with("bert.pooler.") || name.find(".lora_") != std::string::npos;
}

std::string text_of(const std::vector<std::int64_t>& shape) {
  std::string out = "[";
  for (const std::int64_t extent : shape)
    out += (out.size() > 1 ? ", " : "") + std::to_string(extent);
  return out + "]";
}

/// True for constants that older versions of the library saved beside the weights.
bool is_constant(std::string_view name) {
  return name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias") ||
         name.ends_with("rotary_emb.inv_freq");
}

/// Returns an Error for a weight inside the layers that this model does not use. Otherwise it would
/// be left out of the computation silently.
Status check_tensor_names(const WeightFiles& checkpoint, const ModelModules& modules) {
  const std::string_view first = without_prefix(modules.layers.front().attention_norm.name);
  const std::string_view layers = first.substr(0, first.find(".0.") + 1);
  std::set<std::string, std::less<>> known;
  for (const ParameterShape& p : trainable_layout(modules, {})) {
    known.emplace(without_prefix(p.name));
    known.insert(older_name(std::string(without_prefix(p.name))));
  }
  for (const auto& [name, tensor] : checkpoint.tensors()) {
    const std::string_view bare = without_prefix(name);
    if (bare.starts_with(layers) && !known.contains(bare) && !is_constant(bare))
      return Error{"tensor " + name.substr(0, 200) +
                   " is not a part of this model; config.json describes another model"};
  }
  return {};
}

}  // namespace

Result<FlatParameters> with_pretrained(FlatParameters parameters, const ModelModules& modules,
                                       const std::filesystem::path& folder) {
  SOTTO_ASSIGN_OR_RETURN(const WeightFiles checkpoint, WeightFiles::open(folder));
  const auto refused = [&folder](const std::string& why) {
    return Error{folder.string() + ": " + why};
  };
  if (const Status known = check_tensor_names(checkpoint, modules); !known.ok())
    return refused(known.error().message);
  std::size_t at = 0;
  for (const ParameterShape& p : parameters.layout) {
    const TensorView* tensor = find(checkpoint, p.name);
    if (tensor == nullptr && !may_be_new(p.name))
      return refused("has no tensor " + p.name + " " + text_of(p.shape));
    if (tensor != nullptr) {
      if (tensor->shape != p.shape)
        return refused("tensor " + tensor->name + " has the shape " + text_of(tensor->shape) +
                       ", but config.json requires " + text_of(p.shape));
      const Result<std::vector<float>> values = floats_of(*tensor);
      if (!values.ok()) return refused(values.error().message);
      if (const auto bad = first_non_finite(*values))
        return refused("tensor " + tensor->name + ": value " + std::to_string(*bad) +
                       " is not finite");
      std::copy(values->begin(), values->end(),
                parameters.values.begin() + static_cast<std::ptrdiff_t>(at));
    }
    at += p.count();
  }
  return parameters;
}

Result<FlatParameters> frozen_parameters(const ModelSpec& spec, const ModelModules& modules,
                                         const std::filesystem::path& folder) {
  FlatParameters frozen{frozen_layout(modules, spec.lora), {}};
  std::size_t total = 0;
  for (const ParameterShape& p : frozen.layout)
    total += p.count();
  frozen.values.resize(total);
  for (const ParameterShape& p : frozen.layout)
    if (p.name.starts_with("bert.pooler.")) {
      // A pooler frozen at zero would give the head no input, and a new one that is trained is no
      // adapter.
      const Result<WeightFiles> checkpoint = WeightFiles::open(folder);
      if (checkpoint.ok() && find(*checkpoint, p.name) == nullptr)
        return Error{folder.string() + " has no tensor " + p.name +
                     "; without it LoRA needs classifier_pooling \"mean\" in config.json"};
    }
  return with_pretrained(std::move(frozen), modules, folder);
}

}  // namespace sotto::learning
