#include "common/model/parameter_names.h"

#include <utility>

#include "common/model/architecture.h"

namespace sotto {

std::string_view without_prefix(std::string_view name) {
  for (const Architecture& a : architectures())
    if (name.starts_with(a.prefix)) return name.substr(a.prefix.size());
  return name;
}

std::string older_name(std::string name) {
  for (const auto& [now, then] :
       {std::pair{"LayerNorm.weight", "LayerNorm.gamma"}, {"LayerNorm.bias", "LayerNorm.beta"}})
    if (name.ends_with(now))
      name.replace(name.size() - std::string_view(now).size(), name.npos, then);
  return name;
}

const TensorView* find_parameter(const WeightFiles& checkpoint, const std::string& name) {
  for (const std::string& full : {name, older_name(name)})
    for (const std::string_view spelling : {std::string_view(full), without_prefix(full)})
      if (const TensorView* tensor = checkpoint.find(spelling)) return tensor;
  return nullptr;
}

}  // namespace sotto
