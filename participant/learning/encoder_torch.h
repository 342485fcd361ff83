// A BERT encoder with a classification head over torch. Parameters are views of one flat vector in
// the order of parameter_layout(), and their gradients of another. One thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "participant/learning/encoder_config.h"
#include "participant/learning/grad_tape_torch.h"

namespace sotto::learning {

/// A tokenized text.
struct Sequence {
  std::vector<std::int32_t> ids;
  std::int64_t label = 0;
};

/// Texts padded to the longest of them.
struct Batch {
  at::Tensor ids;                     // int64 [B,T]
  at::Tensor labels;                  // int64 [B]
  at::Tensor mask;                    // float [B,T]: 1 at a token, 0 at padding
  std::vector<std::int64_t> lengths;  // B
};

Batch make_batch(std::span<const Sequence* const> sequences, std::int32_t pad, at::Device device);

class Encoder {
 public:
  Encoder(const EncoderConfig& config, std::int64_t labels, at::Device device);
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  /// Copies values in by name. An Error when a parameter is missing, unknown or of another shape.
  Status load(const FlatParameters& parameters);

  /// [B, labels].
  at::Tensor logits(const Batch& batch, GradTape* tape) const;
  /// Cross entropy of each example [B].
  at::Tensor losses(const Batch& batch, GradTape* tape) const;

  [[nodiscard]] const std::vector<Parameter>& parameters() const { return parameters_; }

  /// The flat vectors that all parameters and gradients are views of.
  [[nodiscard]] const at::Tensor& values() const { return values_; }

  [[nodiscard]] const at::Tensor& gradient() const { return gradient_; }

 private:
  struct Linear {
    const Parameter *weight, *bias;
  };

  struct Norm {
    const Parameter *weight, *bias;
  };

  struct Layer {
    Linear query, key, value, attention_output;
    Norm attention_norm;
    Linear up, down;
    Norm output_norm;
  };

  void wire_up();
  at::Tensor embed(const Batch& batch, GradTape* tape) const;
  at::Tensor attend(const Layer& layer, const at::Tensor& x, const Batch& batch,
                    GradTape* tape) const;
  at::Tensor pool(const at::Tensor& x, const Batch& batch, GradTape* tape) const;

  EncoderConfig config_;
  std::vector<ParameterShape> layout_;
  at::Tensor values_, gradient_;
  std::vector<Parameter> parameters_;
  const Parameter *words_, *positions_, *types_;
  Norm embedding_norm_;
  std::vector<Layer> layers_;
  Linear pooler_, classifier_;
};

}  // namespace sotto::learning
