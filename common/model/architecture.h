// The table of model families that can be trained. A family whose layers are built like those of a
// known one is one entry in architecture.cc; docs/extending.md describes how others are added.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace sotto {

/// How the layers of a transformer are built, and which keys of config.json describe them.
enum class LayerFamily { kBert, kGpt2, kLlama };

/// Immutable.
struct Architecture {
  std::string_view model_type;  // in config.json
  LayerFamily layers;
  std::string_view prefix;  // of the names of tensors of a model with a head: "bert."
  /// Weights of linears are stored [in, out] instead of [out, in].
  bool linears_in_out = false;
  /// Queries, keys and values have biases whatever config.json says.
  bool query_key_value_bias = false;
};

std::span<const Architecture> architectures();

/// Null when there is none.
const Architecture* find_architecture(std::string_view model_type);

/// The names in the table, quoted and separated by commas; only those of causal language models
/// where `causal` is true.
std::string architecture_names(bool causal = false);

}  // namespace sotto
