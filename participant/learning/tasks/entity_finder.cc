#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "common/config/head_labels.h"
#include "common/model/weight_files.h"
#include "common/tasks/entities.h"
#include "participant/learning/tasks/text_windows.h"
#include "participant/learning/torch_models.h"
#include "participant/learning/transformer/model_folder.h"
#include "participant/learning/transformer/transformer_torch.h"
#include "participant/text/words.h"

namespace sotto::learning {
namespace {

namespace fs = std::filesystem;
using training::TextEntity;

/// Limits the cost of attention, which grows with the square of a window, for models with more
/// positions.
constexpr std::size_t kLargestWindow = 512;
constexpr std::size_t kWindowsAtOnce = 32;

/// The classes of a head, numbered as in entities_of().
struct Tags {
  std::vector<std::string> labels;
  std::vector<std::int64_t> of_class;  // tag of each class: O, or B or I of a label
};

Result<Tags> tags_of(const std::vector<std::string>& classes) {
  Tags out;
  for (const std::string& name : classes) {
    if (name == "O") {
      out.of_class.push_back(0);
      continue;
    }
    const bool begins = name.starts_with("B-");
    if (name.size() < 3 || (!begins && !name.starts_with("I-")))
      return Error{"its head has the class \"" + name.substr(0, 60) +
                   "\", which is not a tag of IOB2 (O, B-PER, I-PER, ...)"};
    const std::string label = name.substr(2);
    auto at = std::ranges::find(out.labels, label);
    if (at == out.labels.end()) at = out.labels.insert(at, label);
    out.of_class.push_back(1 + 2 * (at - out.labels.begin()) + (begins ? 0 : 1));
  }
  if (out.labels.empty())
    return Error{
        "lacks the labels of its head (label.0 and so on in model.safetensors, or id2label in "
        "config.json), so that it is not a model of token classification"};
  return out;
}

class TorchFinder final : public training::EntityFinder {
 public:
  TorchFinder(ModelFolder folder, Tags tags, std::size_t room)
      : model_(std::move(folder.spec), folder.modules, at::kCPU),
        tokenizer_(std::move(folder.tokenizer)),
        tags_(std::move(tags)),
        room_(room) {}

  Status load(const FlatParameters& weights) { return model_.load(weights); }

  [[nodiscard]] const std::vector<std::string>& labels() const override { return tags_.labels; }

  Result<std::vector<TextEntity>> find(std::string_view text) override;

 private:
  /// Returns the tag of every word; a word without a piece is O.
  Result<std::vector<std::int64_t>> tags_of_words(const text::TokenizedWords& words) const;
  Result<std::vector<std::int64_t>> tags_in(std::span<const TextWindow> windows,
                                            std::span<const std::int32_t> ids,
                                            std::span<const std::size_t> starts) const;

  Transformer model_;
  text::Tokenizer tokenizer_;
  Tags tags_;
  std::size_t room_;  // ids of a window in addition to its frame
};

Result<std::vector<TextEntity>> TorchFinder::find(std::string_view text) {
  const std::vector<text::WordPlace> places = text::words_of(text);
  std::vector<std::string_view> words;
  for (const text::WordPlace& place : places)
    words.push_back(text.substr(place.begin, place.end - place.begin));
  SOTTO_ASSIGN_OR_RETURN(const auto tags, tags_of_words(tokenizer_.encode_words(
                                              words, std::numeric_limits<std::size_t>::max() / 2)));
  std::vector<TextEntity> out;
  for (const tasks::Entity& e : tasks::entities_of(tags))
    out.push_back({places[e.begin].begin, places[e.end - 1].end, tags_.labels[e.label]});
  return out;
}

Result<std::vector<std::int64_t>> TorchFinder::tags_of_words(
    const text::TokenizedWords& words) const {
  const std::span<const std::int32_t> framed(words.ids);
  const std::size_t before = tokenizer_.before().size();
  const auto ids = framed.subspan(before, framed.size() - tokenizer_.frame());
  std::vector<std::size_t> starts, seen;  // words that have a piece
  for (std::size_t i = 0; i < words.first_piece.size(); ++i)
    if (words.first_piece[i]) {
      starts.push_back(*words.first_piece[i] - before);
      seen.push_back(i);
    }
  std::vector<std::int64_t> out(words.first_piece.size(), 0);
  const std::vector<TextWindow> windows = windows_of(starts, ids.size(), room_);
  std::size_t word = 0;
  for (std::size_t at = 0; at < windows.size(); at += kWindowsAtOnce) {
    const auto some = std::span(windows).subspan(at, std::min(kWindowsAtOnce, windows.size() - at));
    SOTTO_ASSIGN_OR_RETURN(const auto tags, tags_in(some, ids, starts));
    for (const std::int64_t tag : tags)
      out[seen[word++]] = tag;
  }
  return out;
}

/// Returns the tags of the words that these windows decide, in order.
Result<std::vector<std::int64_t>> TorchFinder::tags_in(std::span<const TextWindow> windows,
                                                       std::span<const std::int32_t> ids,
                                                       std::span<const std::size_t> starts) const {
  std::vector<Sequence> sequences;
  for (const TextWindow& w : windows) {
    Sequence s{.ids = tokenizer_.before()};
    s.ids.insert(s.ids.end(), ids.begin() + static_cast<std::ptrdiff_t>(w.begin),
                 ids.begin() + static_cast<std::ptrdiff_t>(w.end));
    s.ids.insert(s.ids.end(), tokenizer_.after().begin(), tokenizer_.after().end());
    sequences.push_back(std::move(s));
  }
  std::vector<const Sequence*> rows;
  for (const Sequence& s : sequences)
    rows.push_back(&s);
  try {
    const at::NoGradGuard no_grad;
    const at::Tensor logits = model_.logits(make_batch(rows, tokenizer_.pad(), at::kCPU), {});
    if (!logits.isfinite().all().item<bool>())
      return Error{"the output of the model is not finite: its weights are damaged"};
    const at::Tensor most_likely = logits.argmax(2).contiguous();
    const auto* row = most_likely.data_ptr<std::int64_t>() + tokenizer_.before().size();
    std::vector<std::int64_t> out;
    for (const TextWindow& w : windows) {
      for (std::size_t word = w.first; word < w.past; ++word)
        out.push_back(tags_.of_class[static_cast<std::size_t>(row[starts[word] - w.begin])]);
      row += most_likely.size(1);
    }
    return out;
  } catch (const c10::Error& e) {
    return Error{"torch: " + std::string(e.what_without_backtrace())};
  }
}

}  // namespace

Result<std::unique_ptr<training::EntityFinder>> open_entity_finder(const fs::path& folder) {
  const auto refused = [&](const std::string& why) { return Error{folder.string() + ": " + why}; };
  SOTTO_ASSIGN_OR_RETURN(const WeightFiles checkpoint, WeightFiles::open(folder));
  SOTTO_ASSIGN_OR_RETURN(const std::vector<std::string> classes,
                         config::head_labels(checkpoint, folder));
  Result<Tags> tags = tags_of(classes);
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
