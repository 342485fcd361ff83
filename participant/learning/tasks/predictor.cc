#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "common/model/lora_adapter.h"
#include "common/model/saved_task.h"
#include "common/model/weight_files.h"
#include "common/tasks/entities.h"
#include "participant/learning/dp_sgd/batches.h"
#include "participant/learning/tasks/word_logits.h"
#include "participant/learning/torch_models.h"
#include "participant/learning/transformer/cross_entropy_torch.h"
#include "participant/learning/transformer/model_folder.h"
#include "participant/learning/transformer/pretrained.h"
#include "participant/learning/transformer/transformer_torch.h"
#include "participant/text/words.h"

namespace sotto::learning {
namespace {

namespace fs = std::filesystem;
using training::Prediction;
using training::PredictionInput;
using training::PredictorPlan;

/// The most logits of a language model that are computed at once: a gibibyte, over a large
/// vocabulary a few texts.
constexpr std::size_t kMostLogits = std::size_t{1} << 28;

/// A text may be longer than any model reads.
constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max() / 2;

const char* const kNotFinite = "the output of the model is not finite: its weights are damaged";

class TorchPredictor final : public training::Predictor {
 public:
  TorchPredictor(ModelSpec spec, const ModelModules& modules, text::Tokenizer tokenizer,
                 SavedTask task, std::uint64_t max_length)
      : model_(std::move(spec), modules, at::kCPU),
        tokenizer_(std::move(tokenizer)),
        task_(std::move(task)),
        max_length_(max_length) {}

  Status load(const FlatParameters& weights) { return model_.load(weights); }

  [[nodiscard]] const SavedTask& task() const override { return task_; }

  [[nodiscard]] std::uint64_t max_length() const override { return max_length_; }

  Result<std::vector<Prediction>> predict(std::span<const PredictionInput> texts,
                                          std::size_t batch) override {
    try {
      const at::NoGradGuard no_grad;
      if (model_.spec().head.kind == ModelHead::Kind::kTokenClassification)
        return predict_words(texts, batch);
      return predict_texts(texts, batch);
    } catch (const c10::Error& e) {
      return Error{"torch: " + std::string(e.what_without_backtrace())};
    }
  }

 private:
  Result<std::vector<Prediction>> predict_words(std::span<const PredictionInput> texts,
                                                std::size_t batch) const;
  Result<std::vector<Prediction>> predict_texts(std::span<const PredictionInput> texts,
                                                std::size_t batch) const;
  [[nodiscard]] Status answer(std::span<const std::uint64_t> chunk,
                              std::vector<Prediction>& answers) const;
  [[nodiscard]] Prediction tokens_of(std::string_view text) const;
  [[nodiscard]] std::size_t at_once(std::size_t longest, std::size_t batch) const;

  Transformer model_;
  text::Tokenizer tokenizer_;
  SavedTask task_;
  std::uint64_t max_length_;
};

Prediction TorchPredictor::tokens_of(std::string_view text) const {
  Prediction out{.ids = tokenizer_.encode_framed(text, kUnlimited)};
  out.cut = out.ids.size() > max_length_;
  if (out.cut) out.ids = tokenizer_.encode_framed(text, max_length_);
  return out;
}

/// Returns the number of texts that are computed at once where the longest has this many tokens.
std::size_t TorchPredictor::at_once(std::size_t longest, std::size_t batch) const {
  if (model_.spec().head.kind != ModelHead::Kind::kLanguageModel) return batch;
  const auto vocabulary = static_cast<std::size_t>(model_.spec().config.vocab_size);
  return std::clamp<std::size_t>(kMostLogits / (std::max<std::size_t>(longest, 1) * vocabulary), 1,
                                 batch);
}

Result<std::vector<Prediction>> TorchPredictor::predict_texts(
    std::span<const PredictionInput> texts, std::size_t batch) const {
  std::vector<Prediction> out;
  std::vector<std::size_t> lengths;
  std::vector<std::uint64_t> with_tokens;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    out.push_back(tokens_of(texts[i].text));
    lengths.push_back(out.back().ids.size());
    if (lengths.back() > 0) with_tokens.push_back(i);
  }
  for (const auto& chunk : physical_batches(with_tokens, lengths, batch)) {
    const std::size_t some = at_once(lengths[chunk.back()], batch);  // the last one is the longest
    for (std::size_t at = 0; at < chunk.size(); at += some)
      SOTTO_TRY(answer(std::span(chunk).subspan(at, std::min(some, chunk.size() - at)), out));
  }
  return out;
}

std::vector<float> values_of(const at::Tensor& row) {
  const at::Tensor values = row.contiguous();
  return {values.data_ptr<float>(), values.data_ptr<float>() + values.numel()};
}

/// Answers some texts, of which `answers` has the ids.
Status TorchPredictor::answer(std::span<const std::uint64_t> chunk,
                              std::vector<Prediction>& answers) const {
  std::vector<Sequence> sequences;
  for (const std::uint64_t i : chunk)
    sequences.push_back({.ids = answers[i].ids});
  std::vector<const Sequence*> rows;
  for (const Sequence& s : sequences)
    rows.push_back(&s);
  const Batch batch = make_batch(rows, tokenizer_.pad(), at::kCPU);
  const at::Tensor logits = model_.logits(batch, {});
  if (!logits.isfinite().all().item<bool>()) return Error{kNotFinite};
  const bool is_language = model_.spec().head.kind == ModelHead::Kind::kLanguageModel;
  at::Tensor right, log_probabilities;
  if (is_language) {
    right = logits.argmax(2).slice(1, 0, -1).eq(batch.ids.slice(1, 1)).to(at::kLong) *
            batch.mask.slice(1, 1).to(at::kLong);
    log_probabilities = -next_token_losses(logits, batch, Logits::kKept);
  }
  for (std::size_t i = 0; i < chunk.size(); ++i) {
    Prediction& answer = answers[chunk[i]];
    const auto row = static_cast<std::int64_t>(i);
    if (!is_language) {
      answer.logits = values_of(logits[row]);
      continue;
    }
    const auto predicted = static_cast<std::int64_t>(answer.ids.size()) - 1;
    answer.log_probabilities = values_of(log_probabilities[row].slice(0, 0, predicted));
    answer.correct = static_cast<std::uint64_t>(right[row].sum().item<std::int64_t>());
  }
  return {};
}

Result<std::vector<Prediction>> TorchPredictor::predict_words(
    std::span<const PredictionInput> texts, std::size_t batch) const {
  std::vector<Prediction> out(texts.size());
  std::vector<text::TokenizedWords> tokens;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string_view text = texts[i].text;
    for (const training::WordRange& word : texts[i].words)
      out[i].words.push_back({.place = word});
    if (texts[i].words.empty())
      for (const text::WordPlace& word : text::words_of(text))
        out[i].words.push_back({.place = {word.begin, word.end}});
    std::vector<std::string_view> words;
    for (const training::WordPrediction& word : out[i].words)
      words.push_back(text.substr(word.place.begin, word.place.end - word.place.begin));
    tokens.push_back(tokenizer_.encode_words(words, kUnlimited));
    out[i].ids = tokens.back().ids;
  }
  SOTTO_ASSIGN_OR_RETURN(auto logits, word_logits({.model = model_,
                                                   .tokenizer = tokenizer_,
                                                   .room = max_length_ - tokenizer_.frame(),
                                                   .batch = batch},
                                                  tokens));
  for (std::size_t i = 0; i < texts.size(); ++i)
    for (std::size_t word = 0; word < logits[i].size(); ++word)
      out[i].words[word].logits = std::move(logits[i][word]);
  return out;
}

// ---- Opening

ModelHead::Kind kind_of(const SavedTask& task) {
  if (task.type == "token_classification") return ModelHead::Kind::kTokenClassification;
  if (task.type == "causal_language_modeling") return ModelHead::Kind::kLanguageModel;
  return ModelHead::Kind::kClassification;
}

Status check_tags(const SavedTask& task, const fs::path& folder) {
  if (kind_of(task) != ModelHead::Kind::kTokenClassification) return {};
  const auto classes = tasks::tag_classes(task.classes);
  return classes.ok() ? Status() : Error{folder.string() + ": " + classes.error().message};
}

/// The folders that a model is read from: an adapter's may lack the files of its base model.
struct Places {
  fs::path weights, config, tokenizer;
  std::optional<SavedAdapter> adapter{};
};

Result<Places> places_of(const PredictorPlan& plan) {
  std::error_code ignored;
  if (!fs::is_directory(plan.folder, ignored))
    return Error{plan.folder.string() +
                 ": is not a folder; name the folder that holds config.json and the weights"};
  if (!has_adapter(plan.folder)) {
    if (!plan.base.empty())
      return Error{plan.folder.string() + ": holds no adapter (" + kAdapterWeights +
                   "), so that a base model has no use"};
    return Places{plan.folder, plan.folder, plan.folder};
  }
  SOTTO_ASSIGN_OR_RETURN(SavedAdapter adapter, read_adapter(plan.folder));
  Places out{.weights = plan.base.empty() ? plan.folder : plan.base,
             .config = plan.folder,
             .tokenizer = plan.folder};
  if (plan.base.empty() && !weight_file_names(plan.folder).ok())
    return Error{
        plan.folder.string() +
        ": holds a LoRA adapter without the weights that it adapts; name the folder of its "
        "base model with --base (adapter_config.json calls it \"" +
        adapter.base_name.substr(0, 200) + "\")"};
  const auto has = [&](const char* file) { return fs::exists(plan.folder / file, ignored); };
  if (!has("config.json")) out.config = out.weights;
  if (!has("tokenizer.json") && !has("vocab.json") && !has("vocab.txt"))
    out.tokenizer = out.weights;
  out.adapter = std::move(adapter);
  return out;
}

/// Returns whether the adapter brings this parameter whole.
bool brings(const std::optional<SavedAdapter>& adapter, const std::string& name) {
  return adapter &&
         std::ranges::find(adapter->adapter.parameters.layout, name, &ParameterShape::name) !=
             adapter->adapter.parameters.layout.end();
}

/// Returns an Error where a head or a pooler is missing: with_pretrained() lets a training begin
/// with a new one.
Status check_head(const ModelModules& modules, const WeightFiles& weights, const Places& places) {
  for (const std::optional<Module>* const module : {&modules.head, &modules.pooler}) {
    if (!*module) continue;
    const std::string name = (*module)->name + ".weight";
    const std::string bare = name.substr(name.find('.') + 1);
    if (weights.find(name) == nullptr && weights.find(bare) == nullptr &&
        !brings(places.adapter, name))
      return Error{places.weights.string() + ": has no tensor " + name};
  }
  return {};
}

Result<FlatParameters> weights_of(const ModelModules& modules, const Places& places) {
  FlatParameters base;
  std::size_t values = 0;
  for (const ParameterShape& p : trainable_layout(modules, {}))
    if (!brings(places.adapter, p.name)) {
      base.layout.push_back(p);
      values += p.count();
    }
  base.values.resize(values);
  SOTTO_ASSIGN_OR_RETURN(base, with_pretrained(std::move(base), modules, places.weights));
  if (!places.adapter) return base;
  Result<FlatParameters> merged = with_adapter(std::move(base), places.adapter->adapter);
  if (!merged) return Error{places.weights.string() + ": " + merged.error().message};
  return merged;
}

Result<std::uint64_t> max_length_of(const PredictorPlan& plan, const Places& places,
                                    const ModelSpec& spec, std::size_t frame) {
  const auto positions = static_cast<std::uint64_t>(spec.config.max_position_embeddings);
  SOTTO_ASSIGN_OR_RETURN(const auto declared, saved_max_length(places.tokenizer));
  std::uint64_t length = std::min(declared.value_or(positions), positions);
  if (spec.head.kind == ModelHead::Kind::kTokenClassification)
    length = std::min<std::uint64_t>(length, kLargestWindow);
  if (plan.max_length > 0) length = plan.max_length;
  if (length > positions)
    return Error{plan.folder.string() + ": the model has " + std::to_string(positions) +
                 " positions, so that it cannot read " + std::to_string(length) + " tokens"};
  if (length <= frame)
    return Error{plan.folder.string() + ": " + std::to_string(length) +
                 " tokens leave no room for a text beside the " + std::to_string(frame) +
                 " that the tokenizer adds"};
  return length;
}

}  // namespace

Result<std::unique_ptr<training::Predictor>> open_predictor(const PredictorPlan& plan) {
  SOTTO_ASSIGN_OR_RETURN(const Places places, places_of(plan));
  SOTTO_ASSIGN_OR_RETURN(const TransformerConfig config, load_transformer_config(places.config));
  SOTTO_ASSIGN_OR_RETURN(const WeightFiles weights, WeightFiles::open(places.weights));
  SavedHead head = places.adapter ? places.adapter->head : saved_head(weights);
  if (!head.outputs) head.outputs = saved_head(weights).outputs;
  SOTTO_ASSIGN_OR_RETURN(SavedTask task, saved_task(places.config, head, plan.task));
  SOTTO_TRY(check_tags(task, plan.folder));
  ModelSpec spec{.config = config,
                 .head = {.kind = kind_of(task), .labels = head.outputs.value_or(0)}};
  const Result<ModelModules> modules = modules_of(spec);
  if (!modules) return Error{plan.folder.string() + ": " + modules.error().message};
  SOTTO_ASSIGN_OR_RETURN(text::Tokenizer tokenizer, text::load_tokenizer(places.tokenizer));
  SOTTO_TRY(check_vocabulary(tokenizer, config, plan.folder));
  SOTTO_TRY(check_head(*modules, weights, places));
  SOTTO_ASSIGN_OR_RETURN(const FlatParameters values, weights_of(*modules, places));
  SOTTO_ASSIGN_OR_RETURN(const std::uint64_t max_length,
                         max_length_of(plan, places, spec, tokenizer.frame()));
  auto predictor = std::make_unique<TorchPredictor>(std::move(spec), *modules, std::move(tokenizer),
                                                    std::move(task), max_length);
  SOTTO_TRY(predictor->load(values));
  return std::unique_ptr<training::Predictor>(std::move(predictor));
}

}  // namespace sotto::learning
