// The transformer over torch: BERT, GPT-2 and Llama families are one class that differs in what
// TransformerConfig and the list of modules say. What is trained are views of one flat vector in
// the order of trainable_layout(), its gradients of another; what LoRA leaves alone lies in a
// third. One thread.
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

/// What a causal model keeps of the part of a text that it has read: each layer's keys and values
/// [1, positions, key_value_heads * e].
struct KeyValueCache {
  std::vector<at::Tensor> keys, values;
  std::int64_t positions = 0;
};

/// Of matrix products, those of linears and of attention; all else is float32.
using config::Precision;

/// How one forward pass runs.
struct Pass {
  GradTape* tape = nullptr;  // where its backward pass records; null: gradients by autograd
  std::optional<at::Generator> dropout{};  // LoRA's dropout, on the CPU; none outside training
  /// The batch is one text that goes on from what is kept, and is kept there too; null: it is
  /// whole.
  KeyValueCache* cache = nullptr;
  Precision precision = Precision::kFloat32;
  bool recompute = false;  // layers keep nothing for the backward pass but what goes into them
};

class Transformer {
 public:
  /// `modules` = modules_of(spec). All parameters are zero until loaded.
  Transformer(ModelSpec spec, const ModelModules& modules, at::Device device);
  Transformer(const Transformer&) = delete;
  Transformer& operator=(const Transformer&) = delete;

  /// Copies the trainable values in by name. An Error that names the parameter and both shapes when
  /// one is missing, unknown or of another shape.
  Status load(const FlatParameters& parameters);
  /// The same for what LoRA leaves alone.
  Status load_frozen(const FlatParameters& parameters);

  /// Classification: [B, labels], of tokens [B,T,labels]. Language model: of every position's next
  /// token [B,T,vocabulary].
  at::Tensor logits(const Batch& batch, const Pass& pass) const;
  /// Language model: of the token after each text's last one [B, vocabulary].
  at::Tensor next_token_logits(const Batch& batch, const Pass& pass) const;
  /// The task's loss of each example [B].
  at::Tensor losses(const TaskLearning& task, const Batch& batch, const Pass& pass) const;

  [[nodiscard]] const std::vector<Parameter>& parameters() const { return parameters_; }

  /// The flat vectors that all trained parameters and gradients are views of.
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
    const Parameter *weight = nullptr, *bias = nullptr;  // no bias: RMSNorm
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
  /// Of the activation of x.
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
  std::vector<double> rotations_;  // RoPE: radians a position of each pair
  const Parameter *words_ = nullptr, *positions_ = nullptr, *types_ = nullptr;
  Norm embedding_norm_, final_norm_;
  std::vector<Layer> layers_;
  Linear pooler_, head_;
};

/// Radians a position of each pair of a head's elements.
std::vector<double> rotary_frequencies(const TransformerConfig& config);

}  // namespace sotto::learning
