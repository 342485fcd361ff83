#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "participant/learning/tasks/sampling.h"
#include "participant/learning/torch_models.h"
#include "participant/learning/transformer/model_folder.h"
#include "participant/learning/transformer/transformer_torch.h"

namespace sotto::learning {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD: an incomplete character

class TorchGenerator final : public training::TextGenerator {
 public:
  TorchGenerator(ModelSpec spec, const ModelModules& modules, text::Tokenizer tokenizer)
      : model_(std::move(spec), modules, at::kCPU), tokenizer_(std::move(tokenizer)) {}

  Status load(const FlatParameters& parameters) { return model_.load(parameters); }

  Status start(std::string_view prompt, const training::GenerationSettings& settings) override;
  Result<std::optional<std::string>> next(crypto::StreamRandom& random) override;

  [[nodiscard]] std::uint32_t generated() const override {
    return static_cast<std::uint32_t>(ids_.size() - prompt_);
  }

 private:
  [[nodiscard]] bool at_end() const;
  std::string text_since();

  Transformer model_;
  text::Tokenizer tokenizer_;
  training::GenerationSettings settings_;
  KeyValueCache cache_;
  std::vector<std::int32_t> ids_;   // of the prompt and of the generated text
  std::size_t prompt_ = 0;          // number of the prompt's ids
  std::size_t returned_bytes_ = 0;  // bytes of the decoded text that were returned
};

Status TorchGenerator::start(std::string_view prompt,
                             const training::GenerationSettings& settings) {
  const auto positions = model_.spec().config.max_position_embeddings;
  // The prompt is never cut off at its end: the generated text would then continue it from its
  // middle.
  std::vector<std::int32_t> ids = tokenizer_.before();
  const std::vector<std::int32_t> read = tokenizer_.encode(prompt);
  ids.insert(ids.end(), read.begin(), read.end());
  if (ids.empty()) return Error{"the prompt contains no token to continue"};
  if (static_cast<std::int64_t>(ids.size()) > positions)
    return Error{"the prompt has " + std::to_string(ids.size()) + " tokens, but the model has " +
                 std::to_string(positions) + " positions"};
  settings_ = settings;
  cache_ = {};
  ids_ = std::move(ids);
  prompt_ = ids_.size();
  returned_bytes_ = tokenizer_.decode(ids_).size();
  return {};
}

bool TorchGenerator::at_end() const {
  const TransformerConfig& config = model_.spec().config;
  const auto& ends = config.end_tokens;
  const auto& after = tokenizer_.after();  // what the training texts ended with
  return generated() >= settings_.max_new_tokens ||
         static_cast<std::int64_t>(ids_.size()) >= config.max_position_embeddings ||
         (generated() > 0 && (std::ranges::find(ends, ids_.back()) != ends.end() ||
                              (!after.empty() && ids_.back() == after.front())));
}

/// Returns only text that later tokens cannot change: the bytes of an incomplete character are held
/// back.
std::string TorchGenerator::text_since() {
  const std::string whole = tokenizer_.decode(ids_);
  if (whole.ends_with(kReplacement) && !at_end()) return {};
  std::string out = returned_bytes_ < whole.size() ? whole.substr(returned_bytes_) : std::string();
  returned_bytes_ = whole.size();
  return out;
}

Result<std::optional<std::string>> TorchGenerator::next(crypto::StreamRandom& random) {
  if (ids_.empty() || at_end()) return std::optional<std::string>();
  try {
    const at::NoGradGuard no_grad;
    const Sequence text{{ids_.begin() + cache_.positions, ids_.end()}, 0};
    const Sequence* const rows[] = {&text};
    const at::Tensor logits =
        model_.next_token_logits(make_batch(rows, 0, at::kCPU), {.cache = &cache_}).contiguous();
    if (!logits.isfinite().all().item<bool>())
      return Error{"the output of the model is not finite: its weights are damaged"};
    const std::int32_t token =
        next_token({logits.data_ptr<float>(), static_cast<std::size_t>(logits.numel())},
                   settings_.sampling, random);
    ids_.push_back(token);
  } catch (const c10::Error& e) {
    return Error{"torch: " + std::string(e.what_without_backtrace())};
  }
  return std::optional(text_since());
}

}  // namespace

Result<std::unique_ptr<training::TextGenerator>> open_text_generator(
    const std::filesystem::path& folder) {
  SOTTO_ASSIGN_OR_RETURN(ModelFolder opened,
                         open_model_folder(folder, {.kind = ModelHead::Kind::kLanguageModel}));
  auto generator = std::make_unique<TorchGenerator>(std::move(opened.spec), opened.modules,
                                                    std::move(opened.tokenizer));
  SOTTO_TRY(generator->load(opened.weights));
  return std::unique_ptr<training::TextGenerator>(std::move(generator));
}

}  // namespace sotto::learning
