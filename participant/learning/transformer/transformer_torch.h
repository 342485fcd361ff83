// Transformer implements the BERT, GPT-2 and Llama families over torch as one class, which follows
// TransformerConfig and the list of modules. The trained parameters are views of one flat vector in
// the order of trainable_layout(), and their gradients are views of another. The parameters that
// LoRA freezes are views of a third. Use from one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include "common/base/result.h"
#include "common/config/choices.h"
#include "participant/learning/dp_sgd/grad_tape_torch.h"
#include "participant/learning/transformer/batch_torch.h"
#include "participant/learning/transformer/model_modules.h"

namespace sotto::learning {

class TaskLearning;

/// The keys and values of each layer [1, positions, key_value_heads * e] for the part of a text
/// that a causal model has read.
struct KeyValueCache {
  std::vector<at::Tensor> keys, values;
  std::int64_t positions = 0;
};

/// The precision of matrix products, in linear modules and in attention. All else is float32.
using config::Precision;

/// The settings of one forward pass.
struct Pass {
  GradTape* tape = nullptr;                // tape of its backward pass; null: gradients by autograd
  std::optional<at::Generator> dropout{};  // for LoRA's dropout, on the CPU; none outside training
  /// If set, the batch is one text that continues the cached part and is added to it. Null: the
  /// text is whole.
  KeyValueCache* cache = nullptr;
  Precision precision = Precision::kFloat32;
  bool recompute = false;  // layers keep only their input for the backward pass
};

class Transformer {
 public:
  /// `modules` must be modules_of(spec). All parameters are zero until loaded.
  Transformer(ModelSpec spec, const ModelModules& modules, at::Device device);
  Transformer(const Transformer&) = delete;
  Transformer& operator=(const Transformer&) = delete;

  /// Copies the trainable values by name. An Error, which names the parameter and both shapes, if
  /// one is missing, unknown or of another shape.
  Status load(const FlatParameters& parameters);
  /// The same for the parameters that LoRA freezes.
  Status load_frozen(const FlatParameters& parameters);

  /// Classification: [B, labels], or [B,T,labels] for tokens. Language model: [B,T,vocabulary], for
  /// the next token at every position.
  at::Tensor logits(const Batch& batch, const Pass& pass) const;
  /// Language model: [B, vocabulary], for the token after the last one of each text.
  at::Tensor next_token_logits(const Batch& batch, const Pass& pass) const;
  /// The task's loss of each example [B].
  at::Tensor losses(const TaskLearning& task, const Batch& batch, const Pass& pass) const;

  [[nodiscard]] const std::vector<Parameter>& parameters() const { return parameters_; }

  /// The flat vectors that hold all trained parameters and all their gradients.
  [[nodiscard]] const at::Tensor& values() const { return values_; }

  [[nodiscard]] const at::Tensor& gradient() const { return gradient_; }

  [[nodiscard]] const ModelSpec& spec() const { return spec_; }

 private:
  struct Linear {
    const Parameter *weight = nullptr, *bias = nullptr;
    const Parameter *lora_a = nullptr, *lora_b = nullptr;
    bool conv1d = false;
  };

  struct Norm {
    const Parameter *weight = nullptr, *bias = nullptr;  // without a bias: RMSNorm
  };

  struct Layer {
    Norm attention_norm, feed_forward_norm;
    Linear query_key_value, query, key, value, attention_output, gate, up, down;
  };

  void wire_up(const ModelModules& modules);
  [[nodiscard]] const Parameter* named(const std::string& name) const;
  [[nodiscard]] Linear linear(const Module& module) const;
  [[nodiscard]] Norm norm(const Module& module) const;

  at::Tensor apply(const Linear& linear, const at::Tensor& x, const Pass& pass) const;
  /// Applies the module to the activation of x.
  at::Tensor apply(const Linear& linear, TransformerConfig::Activation activation,
                   const at::Tensor& x, const Pass& pass) const;
  at::Tensor apply(const Norm& norm, const at::Tensor& x, const Pass& pass) const;
  at::Tensor embed(const Batch& batch, const Pass& pass) const;
  at::Tensor attend(const Layer& layer, const at::Tensor& x, const Batch& batch,
                    const Pass& pass) const;
  at::Tensor feed_forward(const Layer& layer, const at::Tensor& x, const Pass& pass) const;
  at::Tensor run(const Layer& layer, const at::Tensor& x, const Batch& batch,
                 const Pass& pass) const;
  at::Tensor hidden(const Batch& batch, const Pass& pass) const;
  at::Tensor pool(const at::Tensor& x, const Batch& batch, const Pass& pass) const;
  at::Tensor head(const at::Tensor& x, const Pass& pass) const;

  ModelSpec spec_;
  at::Tensor values_, gradient_, frozen_values_;
  std::vector<Parameter> parameters_, frozen_;
  std::unordered_map<std::string, const Parameter*> names_;
  std::vector<double> rotations_;  // RoPE: radians per position for each pair
  const Parameter *words_ = nullptr, *positions_ = nullptr, *types_ = nullptr;
  Norm embedding_norm_, final_norm_;
  std::vector<Layer> layers_;
  Linear pooler_, head_;
};

/// Returns the radians per position for each pair of a head's elements.
std::vector<double> rotary_frequencies(const TransformerConfig& config);

}  // namespace sotto::learning
