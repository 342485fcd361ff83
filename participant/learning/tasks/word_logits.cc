#include "participant/learning/tasks/word_logits.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include <ATen/ATen.h>

#include "participant/learning/dp_sgd/batches.h"
#include "participant/learning/tasks/text_windows.h"

namespace sotto::learning {
namespace {

/// The pieces of one text without its frame.
struct Pieces {
  std::span<const std::int32_t> ids;
  std::vector<std::size_t> starts, words;  // of each word with a piece: where, and which word it is
};

struct Window {
  std::size_t text = 0;
  TextWindow place;
  Sequence ids;
};

Pieces pieces_of(const text::TokenizedWords& words, const text::Tokenizer& tokenizer) {
  const std::size_t before = tokenizer.before().size();
  Pieces out{.ids = std::span(words.ids).subspan(before, words.ids.size() - tokenizer.frame())};
  for (std::size_t i = 0; i < words.first_piece.size(); ++i)
    if (words.first_piece[i]) {
      out.starts.push_back(*words.first_piece[i] - before);
      out.words.push_back(i);
    }
  return out;
}

std::vector<Window> cut(std::size_t text, const Pieces& pieces, const WordModel& plan) {
  std::vector<Window> out;
  for (const TextWindow& place : windows_of(pieces.starts, pieces.ids.size(), plan.room)) {
    Sequence s{.ids = plan.tokenizer.before()};
    const auto ids = pieces.ids.subspan(place.begin, place.end - place.begin);
    s.ids.insert(s.ids.end(), ids.begin(), ids.end());
    s.ids.insert(s.ids.end(), plan.tokenizer.after().begin(), plan.tokenizer.after().end());
    out.push_back({text, place, std::move(s)});
  }
  return out;
}

}  // namespace

Result<std::vector<std::vector<std::vector<float>>>> word_logits(
    const WordModel& plan, std::span<const text::TokenizedWords> texts) {
  std::vector<std::vector<std::vector<float>>> out;
  std::vector<Pieces> pieces;
  std::vector<Window> windows;
  for (const text::TokenizedWords& words : texts) {
    out.emplace_back(words.first_piece.size());
    pieces.push_back(pieces_of(words, plan.tokenizer));
    std::ranges::move(cut(pieces.size() - 1, pieces.back(), plan), std::back_inserter(windows));
  }
  std::vector<std::uint64_t> all(windows.size());
  std::vector<std::size_t> lengths(windows.size());
  for (std::size_t i = 0; i < windows.size(); ++i) {
    all[i] = i;
    lengths[i] = windows[i].ids.ids.size();
  }
  for (const auto& chunk : physical_batches(all, lengths, plan.batch)) {
    std::vector<const Sequence*> rows;
    for (const std::uint64_t i : chunk)
      rows.push_back(&windows[i].ids);
    const at::Tensor logits =
        plan.model.logits(make_batch(rows, plan.tokenizer.pad(), at::kCPU), {}).contiguous();
    if (!logits.isfinite().all().item<bool>())
      return Error{"the output of the model is not finite: its weights are damaged"};
    const auto classes = logits.size(2);
    for (std::size_t row = 0; row < chunk.size(); ++row) {
      const Window& w = windows[chunk[row]];
      const float* const first =
          logits.data_ptr<float>() + static_cast<std::int64_t>(row) * logits.size(1) * classes;
      for (std::size_t word = w.place.first; word < w.place.past; ++word) {
        const std::size_t at =
            plan.tokenizer.before().size() + pieces[w.text].starts[word] - w.place.begin;
        const float* const values = first + static_cast<std::int64_t>(at) * classes;
        out[w.text][pieces[w.text].words[word]] = {values, values + classes};
      }
    }
  }
  return out;
}

}  // namespace sotto::learning
