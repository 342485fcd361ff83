#include "participant/learning/encoder_config.h"

#include <algorithm>
#include <fstream>
#include <string_view>

#include <nlohmann/json.hpp>

#include "common/crypto/secure_random.h"
#include "common/privacy/noise.h"

namespace sotto::learning {
namespace {

using nlohmann::json;

constexpr std::int64_t kLargestSize = 1 << 20;

/// Collects the first mistake; later reads then return the default.
struct Reader {
  const json& object;
  std::string mistake;

  void note(const std::string& text) {
    if (mistake.empty()) mistake = text;
  }

  std::int64_t size(const char* key, std::int64_t fallback) {
    if (!object.contains(key)) {
      if (fallback == 0) note(std::string(key) + " is missing");
      return fallback;
    }
    const json& v = object[key];
    if (v.is_number_integer() && v >= 1 && v <= kLargestSize) return v.get<std::int64_t>();
    note(std::string(key) + " must be an integer from 1 to " + std::to_string(kLargestSize));
    return 1;
  }

  double positive(const char* key, double fallback) {
    if (!object.contains(key)) return fallback;
    const json& v = object[key];
    if (v.is_number() && v > 0.0 && v <= 1.0) return v.get<double>();
    note(std::string(key) + " must be a number in (0, 1]");
    return fallback;
  }

  std::string one_of(const char* key, const char* fallback, std::vector<std::string> allowed) {
    if (!object.contains(key)) return fallback;
    const json& v = object[key];
    if (v.is_string() && std::count(allowed.begin(), allowed.end(), v.get<std::string>()) == 1)
      return v.get<std::string>();
    std::string names;
    for (const std::string& a : allowed)
      names += (names.empty() ? "\"" : ", \"") + a + "\"";
    note(std::string(key) + " must be " + (allowed.size() > 1 ? "one of " : "") + names);
    return fallback;
  }
};

void add_linear(std::vector<ParameterShape>& layout, const std::string& name, std::int64_t in,
                std::int64_t out) {
  layout.push_back({name + ".weight", {out, in}});
  layout.push_back({name + ".bias", {out}});
}

void add_norm(std::vector<ParameterShape>& layout, const std::string& name, std::int64_t width) {
  layout.push_back({name + ".weight", {width}});
  layout.push_back({name + ".bias", {width}});
}

std::int64_t count_of(const ParameterShape& shape) {
  std::int64_t n = 1;
  for (const std::int64_t extent : shape.shape)
    n *= extent;
  return n;
}

}  // namespace

Result<EncoderConfig> load_encoder_config(const std::filesystem::path& folder) {
  const auto file = folder / "config.json";
  std::ifstream in(file);
  if (!in) return Error{file.string() + ": cannot be read"};
  const json object = json::parse(in, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return Error{file.string() + ": is not a JSON object"};
  Reader r{object, {}};
  EncoderConfig c;
  c.vocab_size = r.size("vocab_size", 0);
  c.hidden_size = r.size("hidden_size", 0);
  c.num_hidden_layers = r.size("num_hidden_layers", 0);
  c.num_attention_heads = r.size("num_attention_heads", 0);
  c.intermediate_size = r.size("intermediate_size", 0);
  c.max_position_embeddings = r.size("max_position_embeddings", 0);
  c.type_vocab_size = r.size("type_vocab_size", 2);
  c.layer_norm_eps = r.positive("layer_norm_eps", 1e-12);
  c.initializer_range = r.positive("initializer_range", 0.02);
  r.one_of("hidden_act", "gelu", {"gelu"});
  r.one_of("model_type", "bert", {"bert"});
  c.classifier_pooling = r.one_of("classifier_pooling", "cls", {"mean", "cls"}) == "mean"
                             ? EncoderConfig::Pooling::kMean
                             : EncoderConfig::Pooling::kCls;
  if (r.mistake.empty() && c.hidden_size % c.num_attention_heads != 0)
    r.note("hidden_size must be a multiple of num_attention_heads");
  if (!r.mistake.empty()) return Error{file.string() + ": " + r.mistake};
  return c;
}

std::vector<ParameterShape> parameter_layout(const EncoderConfig& c, std::int64_t labels) {
  std::vector<ParameterShape> layout;
  const std::int64_t d = c.hidden_size;
  const std::string embeddings = "bert.embeddings.";
  layout.push_back({embeddings + "word_embeddings.weight", {c.vocab_size, d}});
  layout.push_back({embeddings + "position_embeddings.weight", {c.max_position_embeddings, d}});
  layout.push_back({embeddings + "token_type_embeddings.weight", {c.type_vocab_size, d}});
  add_norm(layout, embeddings + "LayerNorm", d);
  for (std::int64_t i = 0; i < c.num_hidden_layers; ++i) {
    const std::string layer = "bert.encoder.layer." + std::to_string(i) + ".";
    for (const char* part : {"query", "key", "value"})
      add_linear(layout, layer + "attention.self." + part, d, d);
    add_linear(layout, layer + "attention.output.dense", d, d);
    add_norm(layout, layer + "attention.output.LayerNorm", d);
    add_linear(layout, layer + "intermediate.dense", d, c.intermediate_size);
    add_linear(layout, layer + "output.dense", c.intermediate_size, d);
    add_norm(layout, layer + "output.LayerNorm", d);
  }
  if (c.classifier_pooling == EncoderConfig::Pooling::kCls)
    add_linear(layout, "bert.pooler.dense", d, d);
  add_linear(layout, "classifier", d, labels);
  return layout;
}

FlatParameters random_parameters(const EncoderConfig& config, std::int64_t labels,
                                 std::uint64_t seed) {
  FlatParameters out{parameter_layout(config, labels), {}};
  crypto::StreamRandom random(seed);
  for (const ParameterShape& p : out.layout) {
    const auto count = static_cast<std::size_t>(count_of(p));
    const bool norm_weight = p.name.ends_with("LayerNorm.weight");
    out.values.insert(out.values.end(), count, norm_weight ? 1.0F : 0.0F);
    const bool drawn = !norm_weight && p.name.ends_with(".weight") &&
                       !p.name.starts_with("classifier") &&
                       !p.name.ends_with("position_embeddings.weight") &&
                       !p.name.ends_with("token_type_embeddings.weight");
    if (drawn)
      privacy::add_gaussian_noise(std::span(out.values).last(count), config.initializer_range,
                                  random);
  }
  return out;
}

}  // namespace sotto::learning
