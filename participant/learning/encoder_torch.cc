#include "participant/learning/encoder_torch.h"

#include <algorithm>
#include <map>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "participant/learning/attention_torch.h"
#include "participant/learning/dp_layers_torch.h"

namespace sotto::learning {
namespace {

using at::Tensor;

std::int64_t count_of(const ParameterShape& shape) {
  std::int64_t n = 1;
  for (const std::int64_t extent : shape.shape)
    n *= extent;
  return n;
}

/// Every parameter a leaf over its piece of the two flat vectors.
std::vector<Parameter> views(const std::vector<ParameterShape>& layout, const Tensor& values,
                             const Tensor& gradient) {
  std::vector<Parameter> parameters;
  std::int64_t at = 0;
  for (const ParameterShape& p : layout) {
    const std::int64_t count = count_of(p);
    Parameter view{p.name, values.narrow(0, at, count).view(p.shape).detach(),
                   gradient.narrow(0, at, count).view(p.shape)};
    view.value.requires_grad_(true);
    view.value.mutable_grad() = view.gradient;
    parameters.push_back(std::move(view));
    at += count;
  }
  return parameters;
}

}  // namespace

Batch make_batch(std::span<const Sequence* const> sequences, std::int32_t pad, at::Device device) {
  std::size_t longest = 1;
  for (const Sequence* s : sequences)
    longest = std::max(longest, s->ids.size());
  const auto rows = static_cast<std::int64_t>(sequences.size());
  const auto width = static_cast<std::int64_t>(longest);
  Batch batch{at::full({rows, width}, pad, at::kLong),
              at::empty({rows}, at::kLong),
              at::zeros({rows, width}),
              {}};
  auto* ids = batch.ids.data_ptr<std::int64_t>();
  auto* labels = batch.labels.data_ptr<std::int64_t>();
  auto* mask = batch.mask.data_ptr<float>();
  for (const Sequence* s : sequences) {
    std::copy(s->ids.begin(), s->ids.end(), ids);
    std::fill_n(mask, s->ids.size(), 1.0F);
    *labels++ = s->label;
    ids += width;
    mask += width;
    batch.lengths.push_back(static_cast<std::int64_t>(s->ids.size()));
  }
  batch.ids = batch.ids.to(device);
  batch.labels = batch.labels.to(device);
  batch.mask = batch.mask.to(device);
  return batch;
}

Encoder::Encoder(const EncoderConfig& config, std::int64_t labels, at::Device device)
    : config_(config), layout_(parameter_layout(config, labels)) {
  std::int64_t total = 0;
  for (const ParameterShape& p : layout_)
    total += count_of(p);
  values_ = at::zeros({total}, at::TensorOptions().device(device));
  gradient_ = at::zeros({total}, at::TensorOptions().device(device));
  parameters_ = views(layout_, values_, gradient_);
  wire_up();
}

void Encoder::wire_up() {
  const Parameter* next = parameters_.data();  // in the order of parameter_layout()
  const auto take = [&next](const char* suffix) {
    SOTTO_CHECK(next->name.ends_with(suffix), "the layout changed under the encoder");
    return next++;
  };
  const auto linear = [&take] {
    const Parameter* weight = take(".weight");
    return Linear{weight, take(".bias")};
  };
  const auto norm = [&take] {
    const Parameter* weight = take("LayerNorm.weight");
    return Norm{weight, take("LayerNorm.bias")};
  };
  words_ = take("word_embeddings.weight");
  positions_ = take("position_embeddings.weight");
  types_ = take("token_type_embeddings.weight");
  embedding_norm_ = norm();
  for (std::int64_t i = 0; i < config_.num_hidden_layers; ++i) {
    Layer l{};
    l.query = linear();
    l.key = linear();
    l.value = linear();
    l.attention_output = linear();
    l.attention_norm = norm();
    l.up = linear();
    l.down = linear();
    l.output_norm = norm();
    layers_.push_back(l);
  }
  pooler_ = config_.classifier_pooling == EncoderConfig::Pooling::kCls ? linear() : Linear{};
  classifier_ = linear();
}

Status Encoder::load(const FlatParameters& parameters) {
  const at::NoGradGuard no_grad;
  std::map<std::string, std::pair<const ParameterShape*, std::size_t>> given;
  std::size_t offset = 0;
  for (const ParameterShape& p : parameters.layout) {
    given[p.name] = {&p, offset};
    offset += static_cast<std::size_t>(count_of(p));
  }
  if (offset != parameters.values.size()) return Error{"the model's values do not fill its layout"};
  if (given.size() != layout_.size() || parameters.layout.size() != layout_.size())
    return Error{"the model has " + std::to_string(parameters.layout.size()) +
                 " parameters, the job's " + std::to_string(layout_.size())};
  for (std::size_t i = 0; i < layout_.size(); ++i) {
    const auto found = given.find(layout_[i].name);
    if (found == given.end()) return Error{"the model has no parameter " + layout_[i].name};
    if (found->second.first->shape != layout_[i].shape)
      return Error{"the model's parameter " + layout_[i].name + " has another shape"};
    // from_blob does not write; the const_cast is its interface's.
    auto* data = const_cast<float*>(parameters.values.data() + found->second.second);
    parameters_[i].value.copy_(at::from_blob(data, layout_[i].shape));
  }
  return {};
}

Tensor Encoder::embed(const Batch& batch, GradTape* tape) const {
  const Tensor positions = at::arange(batch.ids.size(1), batch.ids.options());
  const Tensor x = dp_embedding(batch.ids, *words_, tape) +
                   dp_embedding(positions.expand_as(batch.ids), *positions_, tape) +
                   dp_embedding(at::zeros_like(batch.ids), *types_, tape);
  return dp_layer_norm(x, *embedding_norm_.weight, *embedding_norm_.bias, config_.layer_norm_eps,
                       tape);
}

Tensor Encoder::attend(const Layer& layer, const Tensor& x, const Batch& batch,
                       GradTape* tape) const {
  const Tensor mixed =
      attention({.query = dp_linear(x, *layer.query.weight, layer.query.bias, tape),
                 .key = dp_linear(x, *layer.key.weight, layer.key.bias, tape),
                 .value = dp_linear(x, *layer.value.weight, layer.value.bias, tape),
                 .mask = batch.mask,
                 .lengths = batch.lengths,
                 .heads = config_.num_attention_heads});
  return dp_linear(mixed, *layer.attention_output.weight, layer.attention_output.bias, tape);
}

Tensor Encoder::pool(const Tensor& x, const Batch& batch, GradTape* tape) const {
  if (config_.classifier_pooling == EncoderConfig::Pooling::kCls)
    return at::tanh(dp_linear(x.select(1, 0), *pooler_.weight, pooler_.bias, tape));
  const Tensor share = batch.mask / batch.mask.sum(1, /*keepdim=*/true);  // [B,T]
  return (x * share.unsqueeze(2)).sum(1);
}

Tensor Encoder::logits(const Batch& batch, GradTape* tape) const {
  const double eps = config_.layer_norm_eps;
  Tensor x = embed(batch, tape);
  for (const Layer& l : layers_) {
    x = dp_layer_norm(x + attend(l, x, batch, tape), *l.attention_norm.weight,
                      *l.attention_norm.bias, eps, tape);
    const Tensor inner = at::gelu(dp_linear(x, *l.up.weight, l.up.bias, tape));
    x = dp_layer_norm(x + dp_linear(inner, *l.down.weight, l.down.bias, tape),
                      *l.output_norm.weight, *l.output_norm.bias, eps, tape);
  }
  return dp_linear(pool(x, batch, tape), *classifier_.weight, classifier_.bias, tape);
}

Tensor Encoder::losses(const Batch& batch, GradTape* tape) const {
  return at::cross_entropy_loss(logits(batch, tape), batch.labels, {}, at::Reduction::None);
}

}  // namespace sotto::learning
