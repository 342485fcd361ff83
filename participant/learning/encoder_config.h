// The shape of a BERT encoder with a classification head: config.json in Hugging Face's layout, the
// names and shapes of its parameters and their first values. No torch here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/model/flat_parameters.h"

namespace sotto::learning {

struct EncoderConfig {
  /// What the head sees: the mean over a text's tokens, or BERT's pooler over the first one.
  enum class Pooling { kMean, kCls };

  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t num_hidden_layers = 0;
  std::int64_t num_attention_heads = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t max_position_embeddings = 0;
  std::int64_t type_vocab_size = 2;
  double layer_norm_eps = 1e-12;
  double initializer_range = 0.02;
  Pooling classifier_pooling = Pooling::kCls;
};

/// Reads `folder`/config.json. Unknown keys are left alone (Hugging Face writes many); a missing
/// size, a value out of range or an unsupported hidden_act or model_type is an Error. Dropout
/// probabilities are not used: clipping and noise regularise enough.
Result<EncoderConfig> load_encoder_config(const std::filesystem::path& folder);

/// Names and shapes as in BertForSequenceClassification; the pooler only with Pooling::kCls.
std::vector<ParameterShape> parameter_layout(const EncoderConfig& config, std::int64_t labels);

/// Random weights N(0, initializer_range^2), LayerNorm at one, biases and the head at zero;
/// position and type embeddings too, because what all texts share would drown the words in their
/// mean while the head is young. The same seed gives the same bytes everywhere.
FlatParameters random_parameters(const EncoderConfig& config, std::int64_t labels,
                                 std::uint64_t seed);

}  // namespace sotto::learning
