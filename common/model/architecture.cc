#include "common/model/architecture.h"

#include <algorithm>
#include <array>

namespace sotto {

namespace {

constexpr std::array kArchitectures = {
    Architecture{.model_type = "bert",
                 .layers = LayerFamily::kBert,
                 .prefix = "bert.",
                 .class_prefix = "Bert",
                 .language_model = ""},
    Architecture{.model_type = "gpt2",
                 .layers = LayerFamily::kGpt2,
                 .prefix = "transformer.",
                 .class_prefix = "GPT2",
                 .language_model = "GPT2LMHeadModel",
                 .linears_in_out = true},
    Architecture{.model_type = "llama",
                 .layers = LayerFamily::kLlama,
                 .prefix = "model.",
                 .class_prefix = "Llama",
                 .language_model = "LlamaForCausalLM"},
    Architecture{.model_type = "qwen2",
                 .layers = LayerFamily::kLlama,
                 .prefix = "model.",
                 .class_prefix = "Qwen2",
                 .language_model = "Qwen2ForCausalLM",
                 .query_key_value_bias = true},
};

}  // namespace

std::span<const Architecture> architectures() {
  return kArchitectures;
}

const Architecture* find_architecture(std::string_view model_type) {
  const auto* found = std::ranges::find(kArchitectures, model_type, &Architecture::model_type);
  return found == kArchitectures.end() ? nullptr : found;
}

std::string architecture_names(bool causal) {
  std::string out;
  for (const Architecture& a : kArchitectures)
    if (!causal || a.layers != LayerFamily::kBert)
      out += (out.empty() ? "\"" : ", \"") + std::string(a.model_type) + "\"";
  return out;
}

}  // namespace sotto
