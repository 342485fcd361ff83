// The modules of a transformer and their names in Hugging Face's layout. The layout of the
// parameters, their first values, the required contents of a checkpoint and the modules that LoRA
// can adapt all follow from this one list. Includes no torch header.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/model/flat_parameters.h"
#include "participant/learning/transformer/transformer_config.h"

namespace sotto::learning {

/// The head on top of the layers.
struct ModelHead {
  /// Classifies a text, classifies each of its tokens, or predicts the next token.
  enum class Kind { kClassification, kTokenClassification, kLanguageModel };

  Kind kind = Kind::kClassification;
  std::int64_t labels = 0;  // number of classes; unused by a language model
};

/// Low-rank adapters (Hu et al. 2021, arXiv 2106.09685): y = W x + alpha / r * B A x, where only A
/// [r, in] and B [out, r] are trained.
struct LoraConfig {
  std::int64_t r = 0;  // 0: no adapters, everything is trained
  double alpha = 8;
  double dropout = 0;  // of the input x of A, in training
  /// The last part of a module's name, or more of it; "all-linear" is every linear module in the
  /// layers.
  std::vector<std::string> target_modules{};
  std::vector<std::int64_t> layers{};  // empty: all

  [[nodiscard]] double scale() const { return alpha / static_cast<double>(r); }
};

struct ModelSpec {
  TransformerConfig config;
  ModelHead head;
  LoraConfig lora{};
};

struct Module {
  /// kConv1d is GPT-2's linear module, whose weight is stored [in, out] instead of [out, in].
  enum class Kind { kEmbedding, kLinear, kConv1d, kNorm } kind = Kind::kLinear;
  std::string name;
  std::int64_t in = 0, out = 0;  // embedding: rows, width; norm: in is the width
  bool bias = false;
  bool adapted = false;  // by LoRA

  [[nodiscard]] bool is_linear() const { return kind == Kind::kLinear || kind == Kind::kConv1d; }
};

struct LayerModules {
  Module attention_norm;
  std::optional<Module> query_key_value;  // GPT-2: the three as one module
  std::optional<Module> query, key, value;
  Module attention_output;
  Module feed_forward_norm;
  std::optional<Module> gate;  // Llama
  Module up, down;
};

struct ModelModules {
  Module words;
  std::optional<Module> positions, types, embedding_norm;
  std::vector<LayerModules> layers;
  std::optional<Module> final_norm, pooler;
  std::optional<Module> head;  // none if a language model's head is the embedding table

  /// All modules, in the order of BERT's checkpoints.
  [[nodiscard]] std::vector<const Module*> all() const;
};

/// Returns the modules of a model. An Error if the head does not fit the family (BERT is no
/// language model), or if LoRA names a module or a layer that the model does not have.
Result<ModelModules> modules_of(const ModelSpec& spec);

/// Returns the names and shapes of the parameters that are trained, sent and accounted: all, or
/// with LoRA the adapters ("MODULE.lora_A.weight", "MODULE.lora_B.weight") and a classification
/// head.
std::vector<ParameterShape> trainable_layout(const ModelModules& modules, const LoraConfig& lora);
/// Returns those that keep the checkpoint's values: none without LoRA.
std::vector<ParameterShape> frozen_layout(const ModelModules& modules, const LoraConfig& lora);

/// Returns the first values for a layout of these modules: weights from N(0, initializer_range^2),
/// norms one, biases, LoRA's B and a classification head zero. BERT's position and type embeddings
/// are zero too, because what all texts have in common would otherwise outweigh the words in their
/// mean in early training. LoRA's A is uniform in +-1/sqrt(in), as in PEFT. The same seed gives the
/// same bytes on every platform.
FlatParameters random_parameters(const ModelSpec& spec, std::vector<ParameterShape> layout,
                                 std::uint64_t seed);

}  // namespace sotto::learning
