#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "common/model/saved_task.h"
#include "common/model/weight_files.h"
#include "common/tasks/entities.h"
#include "participant/learning/tasks/word_logits.h"
#include "participant/learning/torch_models.h"
#include "participant/learning/transformer/model_folder.h"
#include "participant/text/words.h"

namespace sotto::learning {
namespace {

namespace fs = std::filesystem;
using training::TextEntity;

constexpr std::size_t kWindowsAtOnce = 32;

class TorchFinder final : public training::EntityFinder {
 public:
  TorchFinder(ModelFolder folder, tasks::TagClasses tags, std::size_t room)
      : model_(std::move(folder.spec), folder.modules, at::kCPU),
        tokenizer_(std::move(folder.tokenizer)),
        tags_(std::move(tags)),
        room_(room) {}

  Status load(const FlatParameters& weights) { return model_.load(weights); }

  [[nodiscard]] const std::vector<std::string>& labels() const override { return tags_.labels; }

  Result<std::vector<TextEntity>> find(std::string_view text) override;

 private:
  Transformer model_;
  text::Tokenizer tokenizer_;
  tasks::TagClasses tags_;
  std::size_t room_;  // ids of a window in addition to its frame
};

Result<std::vector<TextEntity>> TorchFinder::find(std::string_view text) {
  const std::vector<text::WordPlace> places = text::words_of(text);
  std::vector<std::string_view> words;
  for (const text::WordPlace& place : places)
    words.push_back(text.substr(place.begin, place.end - place.begin));
  const text::TokenizedWords tokens =
      tokenizer_.encode_words(words, std::numeric_limits<std::size_t>::max() / 2);
  std::vector<std::int64_t> tags;
  try {
    const at::NoGradGuard no_grad;
    SOTTO_ASSIGN_OR_RETURN(
        const auto logits,
        word_logits(
            {.model = model_, .tokenizer = tokenizer_, .room = room_, .batch = kWindowsAtOnce},
            {&tokens, 1}));
    for (const std::vector<float>& word : logits.front())
      tags.push_back(word.empty() ? 0  // without a piece: O
                                  : tags_.of_class[static_cast<std::size_t>(
                                        std::ranges::max_element(word) - word.begin())]);
  } catch (const c10::Error& e) {
    return Error{"torch: " + std::string(e.what_without_backtrace())};
  }
  std::vector<TextEntity> out;
  for (const tasks::Entity& e : tasks::entities_of(tags))
    out.push_back({places[e.begin].begin, places[e.end - 1].end, tags_.labels[e.label]});
  return out;
}

}  // namespace

Result<std::unique_ptr<training::EntityFinder>> open_entity_finder(const fs::path& folder) {
  const auto refused = [&](const std::string& why) { return Error{folder.string() + ": " + why}; };
  SOTTO_ASSIGN_OR_RETURN(const WeightFiles checkpoint, WeightFiles::open(folder));
  const std::vector<std::string> classes = saved_classes(folder, checkpoint.metadata());
  Result<tasks::TagClasses> tags = tasks::tag_classes(classes);
  if (!tags) return refused(tags.error().message);
  SOTTO_ASSIGN_OR_RETURN(
      ModelFolder opened,
      open_model_folder(folder, {.kind = ModelHead::Kind::kTokenClassification,
                                 .labels = static_cast<std::int64_t>(classes.size())}));
  // A head may be new when a model is trained, but not here.
  const std::string head = opened.modules.head->name + ".weight";
  if (checkpoint.find(head) == nullptr) return refused("has no tensor " + head);
  const auto positions = static_cast<std::size_t>(opened.spec.config.max_position_embeddings);
  const std::size_t frame = opened.tokenizer.frame();
  if (positions <= frame) return refused("the model has too few positions for a word");
  const FlatParameters weights = std::move(opened.weights);
  auto finder = std::make_unique<TorchFinder>(std::move(opened), std::move(tags).value(),
                                              std::min(positions, kLargestWindow) - frame);
  SOTTO_TRY(finder->load(weights));
  return std::unique_ptr<training::EntityFinder>(std::move(finder));
}

}  // namespace sotto::learning
