#include "participant/learning/transformer/pretrained.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "common/config/head_labels.h"
#include "common/model/parameter_names.h"
#include "common/model/weight_files.h"

namespace sotto::learning {
namespace {

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

/// The head of a model among its parameters.
struct HeadNames {
  std::string weight, bias;

  explicit HeadNames(const ModelModules& modules)
      : weight(modules.head ? modules.head->name + ".weight" : ""),
        bias(modules.head ? modules.head->name + ".bias" : "") {}

  [[nodiscard]] bool has(const std::string& name) const { return name == weight || name == bias; }
};

/// Returns for each output of a job's head the row of the checkpoint's head; empty when the rows
/// are taken as they are.
Result<std::vector<std::size_t>> rows_of_head(const WeightFiles& checkpoint,
                                              const ModelModules& modules,
                                              const HeadTransfer& transfer,
                                              const std::filesystem::path& folder) {
  const TensorView* head = find_parameter(checkpoint, HeadNames(modules).weight);
  const bool taken = transfer.of_job && !transfer.fresh && head != nullptr && !head->shape.empty();
  if (!taken || modules.head->name == "lm_head") return std::vector<std::size_t>();
  const auto rows = static_cast<std::size_t>(head->shape.front());
  const auto refused = [&](const std::string& why) { return Error{folder.string() + ": " + why}; };
  if (transfer.classes.empty()) {
    const auto outputs = static_cast<std::size_t>(modules.head->out);
    if (rows == outputs) return std::vector<std::size_t>();
    return refused("the head of the weights has " + std::to_string(rows) +
                   " outputs, but that of the task has " + std::to_string(outputs) +
                   std::string(config::kNewHeadHint));
  }
  SOTTO_ASSIGN_OR_RETURN(const std::vector<std::string> labels,
                         config::head_labels(checkpoint, folder));
  const auto out = config::head_rows(labels, rows, transfer.classes);
  return out.ok() ? out : refused(out.error().message);
}

/// Returns the values of a head with its outputs in the order of `rows`.
std::vector<float> in_order(const std::vector<float>& values,
                            const std::vector<std::size_t>& rows) {
  const std::size_t width = values.size() / rows.size();
  std::vector<float> out;
  for (const std::size_t row : rows)
    out.insert(out.end(), values.begin() + static_cast<std::ptrdiff_t>(row * width),
               values.begin() + static_cast<std::ptrdiff_t>((row + 1) * width));
  return out;
}

/// Returns the values of a tensor that must have this shape and be finite.
Result<std::vector<float>> values_of(const TensorView& tensor, const ParameterShape& p) {
  if (tensor.shape != p.shape)
    return Error{"tensor " + tensor.name + " has the shape " + text_of(tensor.shape) +
                 ", but config.json requires " + text_of(p.shape)};
  SOTTO_ASSIGN_OR_RETURN(std::vector<float> values, floats_of(tensor));
  if (const auto bad = first_non_finite(values))
    return Error{"tensor " + tensor.name + ": value " + std::to_string(*bad) + " is not finite"};
  return values;
}

}  // namespace

Result<FlatParameters> with_pretrained(FlatParameters parameters, const ModelModules& modules,
                                       const std::filesystem::path& folder,
                                       const HeadTransfer& transfer) {
  SOTTO_ASSIGN_OR_RETURN(const WeightFiles checkpoint, WeightFiles::open(folder));
  const auto refused = [&folder](const std::string& why) {
    return Error{folder.string() + ": " + why};
  };
  if (const Status known = check_tensor_names(checkpoint, modules); !known.ok())
    return refused(known.error().message);
  const HeadNames head(modules);
  SOTTO_ASSIGN_OR_RETURN(const std::vector<std::size_t> rows,
                         rows_of_head(checkpoint, modules, transfer, folder));
  auto at = parameters.values.begin();
  for (const ParameterShape& p : parameters.layout) {
    const auto place = std::exchange(at, at + static_cast<std::ptrdiff_t>(p.count()));
    if (transfer.fresh && head.has(p.name)) continue;
    const TensorView* tensor = find_parameter(checkpoint, p.name);
    if (tensor == nullptr && !may_be_new(p.name))
      return refused("has no tensor " + p.name + " " + text_of(p.shape));
    if (tensor == nullptr) continue;
    const Result<std::vector<float>> values = values_of(*tensor, p);
    if (!values.ok()) return refused(values.error().message);
    if (head.has(p.name) && !rows.empty())
      std::ranges::copy(in_order(*values, rows), place);
    else
      std::ranges::copy(*values, place);
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
      if (checkpoint.ok() && find_parameter(*checkpoint, p.name) == nullptr)
        return Error{folder.string() + " has no tensor " + p.name +
                     "; without it LoRA needs classifier_pooling \"mean\" in config.json"};
    }
  return with_pretrained(std::move(frozen), modules, folder);
}

}  // namespace sotto::learning
