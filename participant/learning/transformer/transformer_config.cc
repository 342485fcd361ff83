#include "participant/learning/transformer/transformer_config.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/base/stand_in.h"

namespace sotto::learning {
namespace {

using nlohmann::json;
using Activation = TransformerConfig::Activation;
using Family = TransformerConfig::Family;
using Pooling = TransformerConfig::Pooling;

constexpr std::int64_t kLargestSize = 1 << 20;

/// Reader reads keys and keeps the first error; later reads then return the default.
struct Reader {
  const json& object;
  std::string mistake;

  void note(const std::string& text) {
    if (mistake.empty()) mistake = text;
  }

  [[nodiscard]] bool has(const char* key) const {
    return object.contains(key) && !object[key].is_null();
  }

  /// A `fallback` of 0 means that the key is required.
  std::int64_t size(const char* key, std::int64_t fallback) {
    if (!has(key)) {
      if (fallback == 0) note(std::string(key) + " is missing");
      return std::max<std::int64_t>(fallback, 1);
    }
    const json& v = object[key];
    if (v.is_number_integer() && v >= 1 && v <= kLargestSize) return v.get<std::int64_t>();
    note(std::string(key) + " must be an integer from 1 to " + std::to_string(kLargestSize));
    return 1;
  }

  double number(const char* key, double fallback, double largest) {
    if (!has(key)) return fallback;
    const json& v = object[key];
    if (v.is_number() && v > 0.0 && v <= largest) return v.get<double>();
    note(std::string(key) + " must be a number in (0, " + json(largest).dump() + "]");
    return fallback;
  }

  bool flag(const char* key, bool fallback) {
    if (!has(key)) return fallback;
    if (object[key].is_boolean()) return object[key].get<bool>();
    note(std::string(key) + " must be true or false");
    return fallback;
  }

  std::string one_of(const char* key, const char* fallback,
                     const std::vector<std::string>& allowed) {
    if (!has(key)) return fallback;
    const json& v = object[key];
    if (v.is_string() && std::count(allowed.begin(), allowed.end(), v.get<std::string>()) == 1)
      return v.get<std::string>();
    std::string names;
    for (const std::string& a : allowed)
      names += (names.empty() ? "\"" : ", \"") + a + "\"";
    note(std::string(key) + " is " + v.dump().substr(0, 60) + "; supported: " + names);
    return fallback;
  }

  /// Checks a setting of which this code supports one value.
  void only(const char* key, const json& supported) {
    if (has(key) && object[key] != supported)
      note(std::string(key) + " is " + object[key].dump().substr(0, 60) +
           "; supported: " + supported.dump());
  }

  /// Reads one id, a list of ids, or none.
  std::vector<std::int64_t> ids(const char* key) {
    if (!has(key)) return {};
    const json list = object[key].is_array() ? object[key] : json::array({object[key]});
    std::vector<std::int64_t> out;
    for (const json& id : list) {
      if (!id.is_number_integer() || id < 0 || id > kLargestSize) {
        note(std::string(key) + " must be the number of a token or a list of such numbers");
        return {};
      }
      out.push_back(id.get<std::int64_t>());
    }
    return out;
  }

  Activation activation(const char* key, const char* fallback) {
    const std::string name =
        one_of(key, fallback, {"gelu", "gelu_new", "gelu_pytorch_tanh", "silu", "swish"});
    if (name == "gelu") return Activation::kGelu;
    return name.starts_with("gelu") ? Activation::kGeluTanh : Activation::kSilu;
  }
};

void read_bert(Reader& r, TransformerConfig& c) {
  c.family = Family::kBert;
  c.hidden_size = r.size("hidden_size", 0);
  c.num_hidden_layers = r.size("num_hidden_layers", 0);
  c.num_attention_heads = r.size("num_attention_heads", 0);
  c.intermediate_size = r.size("intermediate_size", 0);
  c.max_position_embeddings = r.size("max_position_embeddings", 0);
  c.type_vocab_size = r.size("type_vocab_size", 2);
  c.norm_eps = r.number("layer_norm_eps", 1e-12, 1);
  c.activation = r.activation("hidden_act", "gelu");
  c.classifier_pooling = r.one_of("classifier_pooling", "cls", {"mean", "cls"}) == "mean"
                             ? Pooling::kMean
                             : Pooling::kCls;
  r.only("position_embedding_type", "absolute");
  r.only("is_decoder", false);
  r.only("add_cross_attention", false);
}

void read_gpt2(Reader& r, TransformerConfig& c) {
  c.family = Family::kGpt2;
  c.hidden_size = r.size("n_embd", 0);
  c.num_hidden_layers = r.size("n_layer", 0);
  c.num_attention_heads = r.size("n_head", 0);
  c.intermediate_size = r.size("n_inner", 4 * c.hidden_size);
  c.max_position_embeddings = r.size("n_positions", 0);
  c.norm_eps = r.number("layer_norm_epsilon", 1e-5, 1);
  c.activation = r.activation("activation_function", "gelu_new");
  c.classifier_pooling = Pooling::kLast;
  c.tie_word_embeddings = r.flag("tie_word_embeddings", true);
  r.only("scale_attn_weights", true);
  r.only("scale_attn_by_inverse_layer_idx", false);
  r.only("add_cross_attention", false);
}

/// Reads `rope_theta` and `rope_scaling`, or both from `rope_parameters`, which newer files have.
void read_rope(Reader& r, TransformerConfig& c) {
  const char* section = r.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  c.rope_theta = r.number("rope_theta", 10000, 1e12);
  if (!r.has(section)) return;
  if (!r.object[section].is_object()) return r.note(std::string(section) + " must be an object");
  Reader rope{r.object[section], {}};
  c.rope_theta = rope.number("rope_theta", c.rope_theta, 1e12);
  const char* type = rope.has("type") ? "type" : "rope_type";
  if (rope.one_of(type, "default", {"default", "llama3"}) == "llama3")
    c.rope_scaling = RopeScaling{
        .factor = rope.number("factor", 1, 1e6),
        .low_freq_factor = rope.number("low_freq_factor", 1, 1e6),
        .high_freq_factor = rope.number("high_freq_factor", 4, 1e6),
        .original_positions = rope.number("original_max_position_embeddings", 8192, 1e9)};
  if (c.rope_scaling && c.rope_scaling->high_freq_factor <= c.rope_scaling->low_freq_factor)
    rope.note("high_freq_factor must be above low_freq_factor");
  if (!rope.mistake.empty()) r.note(std::string(section) + "." + rope.mistake);
}

void read_llama(Reader& r, const Architecture& architecture, TransformerConfig& c) {
  c.family = Family::kLlama;
  c.hidden_size = r.size("hidden_size", 0);
  c.num_hidden_layers = r.size("num_hidden_layers", 0);
  c.num_attention_heads = r.size("num_attention_heads", 0);
  c.num_key_value_heads = r.size("num_key_value_heads", c.num_attention_heads);
  if (r.has("head_dim")) c.head_dim = r.size("head_dim", 0);
  c.intermediate_size = r.size("intermediate_size", 0);
  c.max_position_embeddings = r.size("max_position_embeddings", 0);
  c.norm_eps = r.number("rms_norm_eps", 1e-6, 1);
  c.activation = r.activation("hidden_act", "silu");
  c.classifier_pooling = Pooling::kLast;
  c.tie_word_embeddings = r.flag("tie_word_embeddings", false);
  const bool bias = r.flag("attention_bias", false);
  c.query_key_value_bias = architecture.query_key_value_bias || bias;
  c.attention_output_bias = bias && !architecture.query_key_value_bias;
  r.only("mlp_bias", false);
  r.only("use_sliding_window", false);
  read_rope(r, c);
}

void read_layers(Reader& r, const Architecture& architecture, TransformerConfig& c) {
  switch (architecture.layers) {
    case Family::kBert:
      return read_bert(r, c);
    case Family::kGpt2:
      return read_gpt2(r, c);
    case Family::kLlama:
      return read_llama(r, architecture, c);
  }
}

std::vector<std::string> model_types() {
  std::vector<std::string> out;
  for (const Architecture& a : architectures())
    out.emplace_back(a.model_type);
  return out;
}

void check_heads(Reader& r, TransformerConfig& c) {
  if (!r.mistake.empty()) return;
  if (c.num_key_value_heads == 0) c.num_key_value_heads = c.num_attention_heads;
  if (c.head_dim == 0 && c.hidden_size % c.num_attention_heads != 0)
    return r.note("the hidden size must be a multiple of the number of attention heads");
  if (c.head_dim == 0) c.head_dim = c.hidden_size / c.num_attention_heads;
  if (c.num_attention_heads % c.num_key_value_heads != 0)
    r.note("num_attention_heads must be a multiple of num_key_value_heads");
  if (c.family == Family::kLlama && c.head_dim % 2 != 0)
    r.note("head_dim must be even for rotary positions");
}

}  // namespace

Result<TransformerConfig> load_transformer_config(const std::filesystem::path& folder) {
  const auto file = folder / "config.json";
  std::ifstream in(file);
  if (!in) return Error{file.string() + ": cannot be read"};
  std::stringstream text;
  text << in.rdbuf();
  const std::string content = text.str();
  if (const std::string other = stand_in(view_of(content)); !other.empty())
    return Error{file.string() + ": " + other};
  const json object = json::parse(content, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return Error{file.string() + ": is not a JSON object"};
  Reader r{object, {}};
  TransformerConfig c;
  const std::string type = r.one_of("model_type", "bert", model_types());
  if (r.mistake.empty()) {
    c.vocab_size = r.size("vocab_size", 0);
    c.end_tokens = r.ids("eos_token_id");
    c.initializer_range = r.number("initializer_range", 0.02, 1);
    if (r.has("quantization_config"))
      r.note("quantization_config is present, but only weights without quantisation can be read");
    read_layers(r, *find_architecture(type), c);
  }
  check_heads(r, c);
  if (!r.mistake.empty()) return Error{file.string() + ": " + r.mistake};
  return c;
}

}  // namespace sotto::learning
