#include "tests/indistinguishable/crafted_models.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string_view>

#include "common/base/check.h"

namespace sotto::outside_test {

namespace {

constexpr float kLarge = 1 << 20;

/// One parameter, row-major.
struct Table {
  std::span<float> values;
  std::size_t columns = 1;

  [[nodiscard]] std::span<float> row(std::size_t i) const {
    return values.subspan(i * columns, columns);
  }

  [[nodiscard]] std::size_t rows() const { return values.size() / columns; }
};

std::optional<Table> find(FlatParameters& model, std::string_view ending) {
  std::size_t at = 0;
  for (const ParameterShape& p : model.layout) {
    if (p.name.ends_with(ending))
      return Table{{model.values.data() + at, p.count()}, static_cast<std::size_t>(p.shape.back())};
    at += p.count();
  }
  return std::nullopt;
}

Table table(FlatParameters& model, std::string_view ending) {
  const auto found = find(model, ending);
  SOTTO_CHECK(found.has_value(), "the model has the parameter");
  return *found;
}

bool is_bert(const FlatParameters& model) {
  return model.layout.front().name.starts_with("bert");
}

Table words_of(FlatParameters& model) {
  return table(model, is_bert(model) ? "word_embeddings.weight" : "wte.weight");
}

/// + - + - + - + -: what `token` looks like to a layer.
float secret(std::size_t i) {
  return i % 2 == 0 ? 1.0F : -1.0F;
}

/// + + - - + + - -: what every other token looks like; orthogonal to secret().
float ordinary(std::size_t i) {
  return i % 4 < 2 ? 1.0F : -1.0F;
}

void set_words(FlatParameters& model, std::size_t token, float scale) {
  const Table words = words_of(model);
  for (std::size_t i = 0; i < words.rows(); ++i)
    for (std::size_t j = 0; j < words.columns; ++j)
      words.row(i)[j] = i == token ? secret(j) : scale * ordinary(j);
}

void fill(FlatParameters& model, std::string_view ending, float value) {
  std::ranges::fill(table(model, ending).values, value);
}

/// Coordinates 0 and 4 of a text are equal, so every logit is exactly 0, and its gradient is not.
void set_head(const Table& head) {
  SOTTO_CHECK(head.columns >= 8, "the model is wide enough");
  for (std::size_t k = 0; k < head.rows(); ++k) {
    head.row(k)[0] = secret(k) * kLarge;
    head.row(k)[4] = -secret(k) * kLarge;
  }
}

}  // namespace

FlatParameters with_infinite_loss(FlatParameters model, std::size_t token) {
  const std::span<float> row = words_of(model).row(token);
  for (std::size_t i = 0; i < row.size(); ++i)
    row[i] = secret(i) * 3e38F;
  return model;
}

namespace {

/// The layer norms make +-1 of each token, then +-2^20. Two hidden units react to secret() alone.
/// Their outputs have opposite signs and cancel, so the forward pass stays small; the output bias
/// cancels secret() in the residual sum, so the last norm divides the gradient by little. The
/// gradient of the output weights is the product of both: more than 2^64, and its square is beyond
/// float32.
FlatParameters bert(FlatParameters model, std::size_t token) {
  set_words(model, token, 1);
  fill(model, "embeddings.LayerNorm.weight", 1);
  fill(model, "attention.output.LayerNorm.weight", kLarge);
  fill(model, "layer.0.output.LayerNorm.weight", kLarge);
  fill(model, "intermediate.dense.bias", -kLarge);
  const Table up = table(model, "intermediate.dense.weight");      // [hidden, width]
  const Table down = table(model, "layer.0.output.dense.weight");  // [width, hidden]
  const Table bias = table(model, "layer.0.output.dense.bias");
  for (std::size_t j = 0; j < up.columns; ++j) {
    for (const std::size_t unit : {0U, 1U}) {
      up.row(unit)[j] = secret(j) * kLarge;
      down.row(j)[unit] = secret(unit) * kLarge;
    }
    bias.values[j] = -secret(j) * kLarge;
  }
  set_head(table(model, "classifier.weight"));
  return model;
}

/// Two hidden units react to secret() alone, each reads another half of it, and their outputs
/// cancel. The embedding of `token` is small and every other one is large, so only the gradient of
/// `token` is multiplied by the norms: what goes back into the layer's input is about 2^117. The
/// attention adds nothing to the text, but its output weights multiply that by 2^20: beyond
/// float32.
FlatParameters gpt2(FlatParameters model, std::size_t token) {
  set_words(model, token, kLarge);
  for (float& value : words_of(model).row(token))
    value /= 1024;
  fill(model, "ln_2.weight", kLarge);
  fill(model, "ln_f.weight", kLarge);
  fill(model, "mlp.c_fc.bias", -kLarge);
  const Table up = table(model, "mlp.c_fc.weight");        // [width, hidden]
  const Table down = table(model, "mlp.c_proj.weight");    // [hidden, width]
  const Table mixed = table(model, "attn.c_proj.weight");  // [width, width]
  for (std::size_t j = 0; j < up.rows(); ++j) {
    const bool reads = j < 4;
    if (reads) up.row(j)[j / 2] = secret(j) * kLarge;
    for (const std::size_t unit : {0U, 1U}) {
      down.row(unit)[j] = secret(unit) * (j == 4 ? -1 : 1) * ordinary(j) * kLarge;
      if (reads) mixed.row(unit)[j] = secret(unit) * secret(j) * ordinary(j) * kLarge;
    }
  }
  if (const auto head = find(model, "classifier.weight")) set_head(*head);
  return model;
}

}  // namespace

FlatParameters with_infinite_gradient(FlatParameters model, std::size_t token) {
  const bool is_bert_model = is_bert(model);
  std::ranges::fill(model.values, 0.0F);
  return is_bert_model ? bert(std::move(model), token) : gpt2(std::move(model), token);
}

}  // namespace sotto::outside_test
