#include "participant/learning/transformer/model_modules.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "common/crypto/secure_random.h"
#include "common/privacy/mechanisms/noise.h"

namespace sotto::learning {
namespace {

using Family = TransformerConfig::Family;
using Kind = Module::Kind;

Module embedding(std::string name, std::int64_t rows, std::int64_t width) {
  return {.kind = Kind::kEmbedding, .name = std::move(name), .in = rows, .out = width};
}

Module with_bias(Kind kind, std::string name, std::int64_t in, std::int64_t out) {
  return {.kind = kind, .name = std::move(name), .in = in, .out = out, .bias = true};
}

Module without_bias(Kind kind, std::string name, std::int64_t in, std::int64_t out) {
  return {.kind = kind, .name = std::move(name), .in = in, .out = out};
}

LayerModules bert_layer(const TransformerConfig& c, const std::string& layer) {
  const std::int64_t d = c.hidden_size, wide = c.intermediate_size;
  const auto linear = [&layer](const char* name, std::int64_t in, std::int64_t out) {
    return with_bias(Kind::kLinear, layer + name, in, out);
  };
  return {.attention_norm = with_bias(Kind::kNorm, layer + "attention.output.LayerNorm", d, 0),
          .query_key_value = {},
          .query = linear("attention.self.query", d, d),
          .key = linear("attention.self.key", d, d),
          .value = linear("attention.self.value", d, d),
          .attention_output = linear("attention.output.dense", d, d),
          .feed_forward_norm = with_bias(Kind::kNorm, layer + "output.LayerNorm", d, 0),
          .gate = {},
          .up = linear("intermediate.dense", d, wide),
          .down = linear("output.dense", wide, d)};
}

LayerModules gpt2_layer(const TransformerConfig& c, const std::string& layer) {
  const std::int64_t d = c.hidden_size, wide = c.intermediate_size;
  return {.attention_norm = with_bias(Kind::kNorm, layer + "ln_1", d, 0),
          .query_key_value = with_bias(Kind::kConv1d, layer + "attn.c_attn", d, 3 * d),
          .query = {},
          .key = {},
          .value = {},
          .attention_output = with_bias(Kind::kConv1d, layer + "attn.c_proj", d, d),
          .feed_forward_norm = with_bias(Kind::kNorm, layer + "ln_2", d, 0),
          .gate = {},
          .up = with_bias(Kind::kConv1d, layer + "mlp.c_fc", d, wide),
          .down = with_bias(Kind::kConv1d, layer + "mlp.c_proj", wide, d)};
}

LayerModules llama_layer(const TransformerConfig& c, const std::string& layer) {
  const std::int64_t d = c.hidden_size, wide = c.intermediate_size;
  const std::int64_t queries = c.num_attention_heads * c.head_dim;
  const std::int64_t keys = c.num_key_value_heads * c.head_dim;
  const auto linear = [](std::string name, std::int64_t in, std::int64_t out, bool bias) {
    return bias ? with_bias(Kind::kLinear, std::move(name), in, out)
                : without_bias(Kind::kLinear, std::move(name), in, out);
  };
  return {
      .attention_norm = without_bias(Kind::kNorm, layer + "input_layernorm", d, 0),
      .query_key_value = {},
      .query = linear(layer + "self_attn.q_proj", d, queries, c.query_key_value_bias),
      .key = linear(layer + "self_attn.k_proj", d, keys, c.query_key_value_bias),
      .value = linear(layer + "self_attn.v_proj", d, keys, c.query_key_value_bias),
      .attention_output = linear(layer + "self_attn.o_proj", queries, d, c.attention_output_bias),
      .feed_forward_norm = without_bias(Kind::kNorm, layer + "post_attention_layernorm", d, 0),
      .gate = without_bias(Kind::kLinear, layer + "mlp.gate_proj", d, wide),
      .up = without_bias(Kind::kLinear, layer + "mlp.up_proj", d, wide),
      .down = without_bias(Kind::kLinear, layer + "mlp.down_proj", wide, d)};
}

ModelModules body_of(const TransformerConfig& c) {
  const std::int64_t d = c.hidden_size;
  ModelModules m;
  std::string layers;
  switch (c.family) {
    case Family::kBert:
      m.words = embedding("bert.embeddings.word_embeddings", c.vocab_size, d);
      m.positions = embedding("bert.embeddings.position_embeddings", c.max_position_embeddings, d);
      m.types = embedding("bert.embeddings.token_type_embeddings", c.type_vocab_size, d);
      m.embedding_norm = with_bias(Kind::kNorm, "bert.embeddings.LayerNorm", d, 0);
      layers = "bert.encoder.layer.";
      break;
    case Family::kGpt2:
      m.words = embedding("transformer.wte", c.vocab_size, d);
      m.positions = embedding("transformer.wpe", c.max_position_embeddings, d);
      m.final_norm = with_bias(Kind::kNorm, "transformer.ln_f", d, 0);
      layers = "transformer.h.";
      break;
    case Family::kLlama:
      m.words = embedding("model.embed_tokens", c.vocab_size, d);
      m.final_norm = without_bias(Kind::kNorm, "model.norm", d, 0);
      layers = "model.layers.";
      break;
  }
  for (std::int64_t i = 0; i < c.num_hidden_layers; ++i) {
    const std::string layer = layers + std::to_string(i) + ".";
    m.layers.push_back(c.family == Family::kBert   ? bert_layer(c, layer)
                       : c.family == Family::kGpt2 ? gpt2_layer(c, layer)
                                                   : llama_layer(c, layer));
  }
  return m;
}

Status add_head(const ModelSpec& spec, ModelModules& m) {
  const TransformerConfig& c = spec.config;
  const std::int64_t d = c.hidden_size;
  if (spec.head.kind == ModelHead::Kind::kLanguageModel) {
    if (!c.is_causal())
      return Error{"model_type \"bert\" is not a causal language model; supported: " +
                   architecture_names(/*causal=*/true)};
    if (!c.tie_word_embeddings) m.head = without_bias(Kind::kLinear, "lm_head", d, c.vocab_size);
    return {};
  }
  if (spec.head.kind == ModelHead::Kind::kTokenClassification) {
    const char* name = c.family == Family::kLlama ? "score" : "classifier";
    m.head = with_bias(Kind::kLinear, name, d, spec.head.labels);
    return {};
  }
  if (c.classifier_pooling == TransformerConfig::Pooling::kCls)
    m.pooler = with_bias(Kind::kLinear, "bert.pooler.dense", d, d);
  m.head = c.family == Family::kBert ? with_bias(Kind::kLinear, "classifier", d, spec.head.labels)
                                     : without_bias(Kind::kLinear, "score", d, spec.head.labels);
  return {};
}

std::vector<Module*> linears(LayerModules& layer) {
  std::vector<Module*> out;
  for (auto* m : {&layer.query_key_value, &layer.query, &layer.key, &layer.value})
    if (m->has_value()) out.push_back(&**m);
  out.push_back(&layer.attention_output);
  if (layer.gate) out.push_back(&*layer.gate);
  out.push_back(&layer.up);
  out.push_back(&layer.down);
  return out;
}

bool names(const std::string& target, const Module& module) {
  return target == "all-linear" || module.name == target || module.name.ends_with("." + target);
}

/// Returns the permitted values of target_modules, from the modules of the first layer.
std::string known_targets(ModelModules& m) {
  std::string out = "all-linear";
  for (const Module* module : linears(m.layers.front()))
    out += ", " + module->name.substr(module->name.find(".0.") + 3);
  return out;
}

Status mark_adapted(const LoraConfig& lora, ModelModules& m) {
  const auto layers = static_cast<std::int64_t>(m.layers.size());
  for (const std::int64_t layer : lora.layers)
    if (layer < 0 || layer >= layers)
      return Error{"LoRA names layer " + std::to_string(layer) +
                   ", but the model has the layers 0 to " + std::to_string(layers - 1)};
  if (lora.target_modules.empty())
    return Error{"LoRA names no target module; the modules of this model are " + known_targets(m)};
  for (const std::string& target : lora.target_modules) {
    bool found = false;
    for (std::int64_t i = 0; i < layers; ++i) {
      const bool chosen =
          lora.layers.empty() || std::count(lora.layers.begin(), lora.layers.end(), i) > 0;
      for (Module* module : linears(m.layers[static_cast<std::size_t>(i)]))
        if (chosen && names(target, *module)) found = module->adapted = true;
    }
    if (!found)
      return Error{"LoRA names the module \"" + target +
                   "\", which this model does not have; its modules are " + known_targets(m)};
  }
  return {};
}

void add_parameters(const Module& m, std::vector<ParameterShape>& layout) {
  const bool transposed = m.kind == Kind::kLinear;
  std::vector<std::int64_t> shape{m.in};
  if (m.kind != Kind::kNorm)
    shape = transposed ? std::vector{m.out, m.in} : std::vector{m.in, m.out};
  layout.push_back({m.name + ".weight", shape});
  if (m.bias) layout.push_back({m.name + ".bias", {m.kind == Kind::kNorm ? m.in : m.out}});
}

/// True for a classification head: with LoRA it is new and so trained whole. A language model's
/// head is not.
bool is_trained_whole(const ModelModules& modules, const Module& m) {
  return modules.head && &m == &*modules.head && m.name != "lm_head";
}

}  // namespace

std::vector<const Module*> ModelModules::all() const {
  std::vector<const Module*> out{&words};
  const auto add = [&out](const std::optional<Module>& m) {
    if (m) out.push_back(&*m);
  };
  add(positions);
  add(types);
  add(embedding_norm);
  for (const LayerModules& layer : layers) {
    add(layer.query_key_value);
    add(layer.query);
    add(layer.key);
    add(layer.value);
    out.push_back(&layer.attention_output);
    out.push_back(&layer.attention_norm);
    add(layer.gate);
    out.push_back(&layer.up);
    out.push_back(&layer.down);
    out.push_back(&layer.feed_forward_norm);
  }
  add(final_norm);
  add(pooler);
  add(head);
  return out;
}

Result<ModelModules> modules_of(const ModelSpec& spec) {
  ModelModules m = body_of(spec.config);
  SOTTO_TRY(add_head(spec, m));
  if (spec.lora.r > 0) SOTTO_TRY(mark_adapted(spec.lora, m));
  return m;
}

std::vector<ParameterShape> trainable_layout(const ModelModules& modules, const LoraConfig& lora) {
  std::vector<ParameterShape> layout;
  for (const Module* m : modules.all()) {
    if (lora.r == 0 || is_trained_whole(modules, *m)) {
      add_parameters(*m, layout);
    } else if (m->adapted) {
      layout.push_back({m->name + ".lora_A.weight", {lora.r, m->in}});
      layout.push_back({m->name + ".lora_B.weight", {m->out, lora.r}});
    }
  }
  return layout;
}

std::vector<ParameterShape> frozen_layout(const ModelModules& modules, const LoraConfig& lora) {
  std::vector<ParameterShape> layout;
  if (lora.r > 0)
    for (const Module* m : modules.all())
      if (!is_trained_whole(modules, *m)) add_parameters(*m, layout);
  return layout;
}

FlatParameters random_parameters(const ModelSpec& spec, std::vector<ParameterShape> layout,
                                 std::uint64_t seed) {
  FlatParameters out{std::move(layout), {}};
  crypto::StreamRandom random(seed);
  for (const ParameterShape& p : out.layout) {
    const std::size_t count = p.count();
    const bool norm = p.shape.size() == 1 && p.name.ends_with(".weight");
    out.values.insert(out.values.end(), count, norm ? 1.0F : 0.0F);
    const std::span<float> values = std::span(out.values).last(count);
    const bool zero = norm || !p.name.ends_with(".weight") || p.name.ends_with("lora_B.weight") ||
                      p.name.starts_with("classifier") || p.name.starts_with("score") ||
                      p.name.ends_with("position_embeddings.weight") ||
                      p.name.ends_with("token_type_embeddings.weight");
    if (zero) continue;
    if (p.name.ends_with("lora_A.weight")) {
      const float bound = 1 / std::sqrt(static_cast<float>(p.shape[1]));
      for (float& v : values)
        v = bound * (static_cast<float>(random.below(1U << 24U)) * 0x1p-23F - 1);
    } else {
      privacy::add_gaussian_noise(values, spec.config.initializer_range, random);
    }
  }
  return out;
}

}  // namespace sotto::learning
