// A text that is longer than a model's positions, seen through windows that overlap. No torch here.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace sotto::learning {

struct TextWindow {
  std::size_t begin = 0, end = 0;   // of the text's ids: what the model sees
  std::size_t first = 0, past = 0;  // of the text's words: what is decided here
};

/// `starts` is where each word begins among the text's `ids`, ascending from 0; a window has `room`
/// ids at most, one at least. Every word is decided in exactly one window, whose ids hold its
/// beginning; windows overlap by about half, and a word that is in two is decided where more is
/// seen around it. Of a word longer than a window its first `room` ids are seen.
std::vector<TextWindow> windows_of(std::span<const std::size_t> starts, std::size_t ids,
                                   std::size_t room);

}  // namespace sotto::learning
