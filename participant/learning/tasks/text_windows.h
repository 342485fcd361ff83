// Cuts a text that is longer than a model's positions into overlapping windows. Includes no torch
// header.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace sotto::learning {

struct TextWindow {
  std::size_t begin = 0, end = 0;   // range of the text's ids that the model reads
  std::size_t first = 0, past = 0;  // range of the text's words that this window decides
};

/// Returns the windows of a text. `starts` holds the index at which each word begins among the
/// text's `ids`, ascending from 0. A window has between 1 and `room` ids. Every word is decided in
/// exactly one window, whose ids contain its beginning. Windows overlap by about half, and a word
/// in two windows is decided in the one that contains more of its context. Of a word longer than a
/// window the first `room` ids are read.
std::vector<TextWindow> windows_of(std::span<const std::size_t> starts, std::size_t ids,
                                   std::size_t room);

}  // namespace sotto::learning
