// TransformerConfig is the shape of a transformer as read from config.json in Hugging Face's
// layout: one struct for the BERT, GPT-2 and Llama families. Includes no torch header.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/model/architecture.h"

namespace sotto::learning {

/// Rescales the slow rotations of RoPE for longer texts, as Llama 3 does (rope_type "llama3").
struct RopeScaling {
  double factor = 1;
  double low_freq_factor = 1;
  double high_freq_factor = 4;
  double original_positions = 8192;
};

struct TransformerConfig {
  using Family = LayerFamily;
  /// kGelu uses the error function, kGeluTanh its approximation ("gelu_new").
  enum class Activation { kGelu, kGeluTanh, kSilu };
  /// The input of a classification head: the mean over a text's tokens, BERT's pooler over the
  /// first one, or the last token (causal models, in which only that token attends to the whole
  /// text).
  enum class Pooling { kMean, kCls, kLast };

  Family family = Family::kBert;
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t num_hidden_layers = 0;
  std::int64_t num_attention_heads = 0;
  std::int64_t num_key_value_heads = 0;  // divides num_attention_heads; if smaller, heads share
                                         // keys and values
  std::int64_t head_dim = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t max_position_embeddings = 0;
  std::int64_t type_vocab_size = 0;  // 0: the model has no token types
  double norm_eps = 0;
  double initializer_range = 0.02;
  double rope_theta = 10000;  // Llama
  std::optional<RopeScaling> rope_scaling{};
  Activation activation = Activation::kGelu;
  Pooling classifier_pooling = Pooling::kCls;
  // For Llama, whose models differ here; in the other families every linear module has a bias.
  bool query_key_value_bias = false;
  bool attention_output_bias = false;
  bool tie_word_embeddings = false;        // the language model's head is the embedding table
  std::vector<std::int64_t> end_tokens{};  // tokens that end a generated text

  /// Returns whether a token attends only to itself and those before it, as in a language model.
  [[nodiscard]] bool is_causal() const { return family != Family::kBert; }
};

/// Reads `folder`/config.json. Keys that change nothing here are ignored (Hugging Face writes many,
/// such as dropout probabilities: clipping and noise regularise enough). Errors, which name file
/// and key: an unknown model_type, a missing size, a value out of range, a setting that this code
/// does not support.
Result<TransformerConfig> load_transformer_config(const std::filesystem::path& folder);

}  // namespace sotto::learning
