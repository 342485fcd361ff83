#include "participant/learning/transformer/transformer_torch.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include "participant/learning/dp_sgd/dp_layers_torch.h"
#include "participant/learning/tasks/task_learning_torch.h"
#include "participant/learning/transformer/attention_torch.h"
#include "participant/learning/transformer/recompute_torch.h"

namespace sotto::learning {
namespace {

using at::Tensor;
using Activation = TransformerConfig::Activation;
using Family = TransformerConfig::Family;
using Pooling = TransformerConfig::Pooling;

Tensor zeros_for(const std::vector<ParameterShape>& layout, at::Device device) {
  std::int64_t total = 0;
  for (const ParameterShape& p : layout)
    total += static_cast<std::int64_t>(p.count());
  return at::zeros({total}, at::TensorOptions().device(device));
}

/// Returns every parameter as a view of its part of the flat vector. It is trained if there is a
/// gradient.
std::vector<Parameter> views(const std::vector<ParameterShape>& layout, const Tensor& values,
                             const Tensor& gradient) {
  std::vector<Parameter> parameters;
  std::int64_t at = 0;
  for (const ParameterShape& p : layout) {
    const auto count = static_cast<std::int64_t>(p.count());
    Parameter view{p.name, values.narrow(0, at, count).view(p.shape).detach(), {}};
    if (gradient.defined()) {
      view.gradient = gradient.narrow(0, at, count).view(p.shape);
      view.value.requires_grad_(true);
      view.value.mutable_grad() = view.gradient;
    }
    parameters.push_back(std::move(view));
    at += count;
  }
  return parameters;
}

std::string text_of(at::IntArrayRef shape) {
  std::string out = "[";
  for (const std::int64_t extent : shape)
    out += (out.size() > 1 ? ", " : "") + std::to_string(extent);
  return out + "]";
}

Status copy_values(const FlatParameters& from, const std::vector<Parameter>& into) {
  const at::NoGradGuard no_grad;
  std::map<std::string, std::pair<const ParameterShape*, std::size_t>> given;
  std::size_t offset = 0;
  for (const ParameterShape& p : from.layout) {
    given[p.name] = {&p, offset};
    offset += p.count();
  }
  if (offset != from.values.size()) return Error{"the model's values do not fill its layout"};
  if (given.size() != into.size() || from.layout.size() != into.size())
    return Error{"the model has " + std::to_string(from.layout.size()) +
                 " parameters, but the job has " + std::to_string(into.size())};
  for (const Parameter& p : into) {
    const auto found = given.find(p.name);
    if (found == given.end()) return Error{"the model has no parameter " + p.name};
    const at::IntArrayRef shape = found->second.first->shape;
    if (shape != p.value.sizes())
      return Error{"the model's parameter " + p.name + " has the shape " + text_of(shape) +
                   ", but the job requires " + text_of(p.value.sizes())};
    // from_blob does not write; its interface requires the const_cast.
    auto* data = const_cast<float*>(from.values.data() + found->second.second);
    Tensor value = p.value;
    value.copy_(at::from_blob(data, shape));
  }
  return {};
}

Tensor activate(Activation activation, const Tensor& x) {
  switch (activation) {
    case Activation::kGelu:
      return at::gelu(x);
    case Activation::kGeluTanh:
      return at::gelu(x, "tanh");
    case Activation::kSilu:
      break;
  }
  return at::silu(x);
}

/// Converts x to the precision of products. Call once for all products that share x, so that they
/// share the copy.
Tensor factor(const Tensor& x, const Pass& pass) {
  return pass.precision == Precision::kBfloat16 ? x.to(at::kBFloat16) : x;
}

/// Appends `more` to what is cached for a layer and returns the result.
Tensor extended(std::vector<Tensor>& kept, std::size_t layer, const Tensor& more) {
  if (kept.size() <= layer) kept.resize(layer + 1);
  kept[layer] = kept[layer].defined() ? at::cat({kept[layer], more}, 1) : more;
  return kept[layer];
}

Tensor last_tokens(const Tensor& x, const Batch& batch) {
  const Tensor last = (at::tensor(batch.lengths, at::kLong).to(x.device()) - 1).clamp_min_(0);
  return x.gather(1, last.view({-1, 1, 1}).expand({-1, 1, x.size(2)})).squeeze(1);
}

}  // namespace

std::vector<double> rotary_frequencies(const TransformerConfig& config) {
  std::vector<double> out;
  for (std::int64_t i = 0; i < config.head_dim; i += 2) {
    double frequency =
        std::pow(config.rope_theta, -static_cast<double>(i) / static_cast<double>(config.head_dim));
    if (const auto& s = config.rope_scaling) {
      // The number of turns of the pair over the positions that the model was first trained on.
      // Fast pairs stay unchanged, slow ones are stretched, and those in between are interpolated
      // linearly.
      const double turns = s->original_positions * frequency / (2 * std::numbers::pi);
      const double stay = std::clamp(
          (turns - s->low_freq_factor) / (s->high_freq_factor - s->low_freq_factor), 0.0, 1.0);
      frequency = stay * frequency + (1 - stay) * frequency / s->factor;
    }
    out.push_back(frequency);
  }
  return out;
}

Transformer::Transformer(ModelSpec spec, const ModelModules& modules, at::Device device)
    : spec_(std::move(spec)) {
  const auto trained = trainable_layout(modules, spec_.lora);
  const auto frozen = frozen_layout(modules, spec_.lora);
  values_ = zeros_for(trained, device);
  gradient_ = at::zeros_like(values_);
  frozen_values_ = zeros_for(frozen, device);
  parameters_ = views(trained, values_, gradient_);
  frozen_ = views(frozen, frozen_values_, {});
  for (const auto* some : {&parameters_, &frozen_})
    for (const Parameter& p : *some)
      names_[p.name] = &p;
  wire_up(modules);
}

const Parameter* Transformer::named(const std::string& name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : found->second;
}

Transformer::Linear Transformer::linear(const Module& m) const {
  return {.weight = named(m.name + ".weight"),
          .bias = named(m.name + ".bias"),
          .lora_a = named(m.name + ".lora_A.weight"),
          .lora_b = named(m.name + ".lora_B.weight"),
          .conv1d = m.kind == Module::Kind::kConv1d};
}

Transformer::Norm Transformer::norm(const Module& m) const {
  return {named(m.name + ".weight"), named(m.name + ".bias")};
}

void Transformer::wire_up(const ModelModules& modules) {
  const auto table = [this](const std::optional<Module>& m) {
    return m ? named(m->name + ".weight") : nullptr;
  };
  const auto maybe_linear = [this](const std::optional<Module>& m) {
    return m ? linear(*m) : Linear{};
  };
  const auto maybe_norm = [this](const std::optional<Module>& m) { return m ? norm(*m) : Norm{}; };
  words_ = named(modules.words.name + ".weight");
  positions_ = table(modules.positions);
  types_ = table(modules.types);
  embedding_norm_ = maybe_norm(modules.embedding_norm);
  for (const LayerModules& m : modules.layers)
    layers_.push_back({.attention_norm = norm(m.attention_norm),
                       .feed_forward_norm = norm(m.feed_forward_norm),
                       .query_key_value = maybe_linear(m.query_key_value),
                       .query = maybe_linear(m.query),
                       .key = maybe_linear(m.key),
                       .value = maybe_linear(m.value),
                       .attention_output = linear(m.attention_output),
                       .gate = maybe_linear(m.gate),
                       .up = linear(m.up),
                       .down = linear(m.down)});
  final_norm_ = maybe_norm(modules.final_norm);
  pooler_ = maybe_linear(modules.pooler);
  head_ = modules.head ? linear(*modules.head) : Linear{.weight = words_};
  if (head_.weight == words_)  // tied to the embedding table
    for (Parameter& p : parameters_)
      p.shared |= &p == words_;
  if (spec_.config.family == Family::kLlama) rotations_ = rotary_frequencies(spec_.config);
}

Status Transformer::load(const FlatParameters& parameters) {
  return copy_values(parameters, parameters_);
}

Status Transformer::load_frozen(const FlatParameters& parameters) {
  return copy_values(parameters, frozen_);
}

Tensor Transformer::apply(const Linear& l, const Tensor& x, const Pass& pass) const {
  const Tensor in = factor(x, pass);
  const Tensor y = (l.conv1d ? dp_conv1d(in, *l.weight, l.bias, pass.tape)
                             : dp_linear(in, *l.weight, l.bias, pass.tape))
                       .to(at::kFloat);
  if (l.lora_a == nullptr) return y;
  Tensor some = in;
  if (pass.dropout && spec_.lora.dropout > 0) {
    const double kept = 1 - spec_.lora.dropout;
    some = in * (at::empty(x.sizes()).bernoulli_(kept, *pass.dropout) / kept).to(in.options());
  }
  const Tensor low = dp_linear(some, *l.lora_a, nullptr, pass.tape);
  return y + dp_linear(low, *l.lora_b, nullptr, pass.tape).to(at::kFloat) * spec_.lora.scale();
}

Tensor Transformer::apply(const Linear& l, Activation activation, const Tensor& x,
                          const Pass& pass) const {
  const bool alone = l.lora_a == nullptr && pass.precision == Precision::kFloat32;
  if (!alone || activation == Activation::kSilu) return apply(l, activate(activation, x), pass);
  const Gelu gelu = activation == Activation::kGeluTanh ? Gelu::kTanh : Gelu::kExact;
  return l.conv1d ? dp_gelu_conv1d(x, gelu, *l.weight, l.bias, pass.tape)
                  : dp_gelu_linear(x, gelu, *l.weight, l.bias, pass.tape);
}

Tensor Transformer::apply(const Norm& n, const Tensor& x, const Pass& pass) const {
  const double eps = spec_.config.norm_eps;
  return n.bias != nullptr ? dp_layer_norm(x, *n.weight, *n.bias, eps, pass.tape)
                           : dp_rms_norm(x, *n.weight, eps, pass.tape);
}

Tensor Transformer::embed(const Batch& batch, const Pass& pass) const {
  Tensor x = dp_embedding(batch.ids, *words_, pass.tape);
  if (positions_ != nullptr) {
    const std::int64_t first = pass.cache != nullptr ? pass.cache->positions : 0;
    const Tensor positions = at::arange(first, first + batch.ids.size(1), batch.ids.options());
    x = x + dp_embedding(positions.expand_as(batch.ids), *positions_, pass.tape);
  }
  if (types_ != nullptr) x = x + dp_embedding(at::zeros_like(batch.ids), *types_, pass.tape);
  return embedding_norm_.weight != nullptr ? apply(embedding_norm_, x, pass) : x;
}

Tensor Transformer::attend(const Layer& layer, const Tensor& x, const Batch& batch,
                           const Pass& pass) const {
  Tensor query, key, value;
  const Tensor in = factor(x, pass);
  if (layer.query_key_value.weight != nullptr) {
    const auto parts = apply(layer.query_key_value, in, pass).chunk(3, 2);
    query = parts[0];
    key = parts[1];
    value = parts[2];
  } else {
    query = apply(layer.query, in, pass);
    key = apply(layer.key, in, pass);
    value = apply(layer.value, in, pass);
  }
  if (!rotations_.empty()) {
    const std::int64_t first = pass.cache != nullptr ? pass.cache->positions : 0;
    const auto angles = rotary_angles(rotations_, {first, x.size(1)}, x.device());
    query = rotate(query, angles);
    key = rotate(key, angles);
  }
  Tensor mask = batch.mask;
  if (pass.cache != nullptr) {
    const auto index = static_cast<std::size_t>(&layer - layers_.data());
    key = extended(pass.cache->keys, index, key);
    value = extended(pass.cache->values, index, value);
    mask = at::ones({1, key.size(1)}, mask.options());
  }
  const Tensor mixed = attention({.query = factor(query, pass),
                                  .key = factor(key, pass),
                                  .value = factor(value, pass),
                                  .mask = mask,
                                  .lengths = batch.lengths,
                                  .heads = spec_.config.num_attention_heads,
                                  .key_value_heads = spec_.config.num_key_value_heads,
                                  .causal = spec_.config.is_causal()});
  return apply(layer.attention_output, mixed, pass);
}

Tensor Transformer::feed_forward(const Layer& layer, const Tensor& x, const Pass& pass) const {
  const Activation activation = spec_.config.activation;
  const Tensor in = factor(x, pass);
  if (layer.gate.weight == nullptr)
    return apply(layer.down, activation, apply(layer.up, in, pass), pass);
  const Tensor gate = activate(activation, apply(layer.gate, in, pass));
  return apply(layer.down, gate * apply(layer.up, in, pass), pass);
}

/// BERT normalises the sum after a residual branch; the other families normalise the input of the
/// branch.
Tensor Transformer::run(const Layer& l, const Tensor& x, const Batch& batch,
                        const Pass& pass) const {
  if (spec_.config.family == Family::kBert) {
    const Tensor between = apply(l.attention_norm, x + attend(l, x, batch, pass), pass);
    return apply(l.feed_forward_norm, between + feed_forward(l, between, pass), pass);
  }
  const Tensor between = x + attend(l, apply(l.attention_norm, x, pass), batch, pass);
  return between + feed_forward(l, apply(l.feed_forward_norm, between, pass), pass);
}

Tensor Transformer::hidden(const Batch& batch, const Pass& pass) const {
  Tensor x = embed(batch, pass);
  for (const Layer& l : layers_) {
    // Each layer has its own seed for dropout, so that a recomputation draws the same values.
    const std::uint64_t seed =
        pass.dropout ? at::check_generator<at::CPUGeneratorImpl>(*pass.dropout)->random64() : 0;
    const auto body = [this, &l, batch, pass, seed](const Tensor& in) {
      Pass own = pass;
      if (pass.dropout) own.dropout = at::make_generator<at::CPUGeneratorImpl>(seed);
      return run(l, in, batch, own);
    };
    x = pass.recompute && at::GradMode::is_enabled() ? recomputed(x, body) : body(x);
  }
  if (pass.cache != nullptr) pass.cache->positions += batch.ids.size(1);
  return final_norm_.weight != nullptr ? apply(final_norm_, x, pass) : x;
}

Tensor Transformer::pool(const Tensor& x, const Batch& batch, const Pass& pass) const {
  switch (spec_.config.classifier_pooling) {
    case Pooling::kCls:
      return at::tanh(apply(pooler_, x.select(1, 0), pass));
    case Pooling::kLast:
      return last_tokens(x, batch);
    case Pooling::kMean:
      break;
  }
  const Tensor share = batch.mask / batch.mask.sum(1, /*keepdim=*/true).clamp_min(1);  // [B,T]
  return (x * share.unsqueeze(2)).sum(1);
}

Tensor Transformer::head(const Tensor& x, const Pass& pass) const {
  return apply(head_, x, pass);
}

Tensor Transformer::logits(const Batch& batch, const Pass& pass) const {
  const Tensor x = hidden(batch, pass);
  return spec_.head.kind == ModelHead::Kind::kClassification ? head(pool(x, batch, pass), pass)
                                                             : head(x, pass);
}

Tensor Transformer::next_token_logits(const Batch& batch, const Pass& pass) const {
  SOTTO_CHECK(spec_.head.kind == ModelHead::Kind::kLanguageModel, "not a language model");
  SOTTO_CHECK(pass.cache == nullptr || batch.lengths.size() == 1, "a cache is of one text");
  return head(last_tokens(hidden(batch, pass), batch), pass);
}

Tensor Transformer::losses(const TaskLearning& task, const Batch& batch, const Pass& pass) const {
  const bool once = pass.tape == nullptr || pass.tape->passes() == GradTape::Passes::kOne;
  return task.losses(logits(batch, pass), batch, once ? Logits::kConsumed : Logits::kKept);
}

}  // namespace sotto::learning
