// The table of model families that can be trained. A family whose layers are built like those of a
// known one needs one entry in architecture.cc; docs/extending.md describes how to add others.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace sotto {

/// The structure of a transformer's layers, and the keys of config.json that describe them.
enum class LayerFamily { kBert, kGpt2, kLlama };

/// One entry of the table. Immutable.
struct Architecture {
  std::string_view model_type;  // in config.json
  LayerFamily layers;
  std::string_view prefix;          // of the names of tensors of a model with a head: "bert."
  std::string_view class_prefix;    // of its classes in Hugging Face's library: "Bert"
  std::string_view language_model;  // the class there; empty when there is none
  /// The weights of linear layers are stored [in, out] instead of [out, in].
  bool linears_in_out = false;
  /// Queries, keys and values have biases regardless of config.json.
  bool query_key_value_bias = false;
};

std::span<const Architecture> architectures();

/// Returns the entry with this model_type; null when there is none.
const Architecture* find_architecture(std::string_view model_type);

/// Returns the names in the table, quoted and separated by commas; if `causal`, only those of
/// causal language models.
std::string architecture_names(bool causal = false);

}  // namespace sotto
