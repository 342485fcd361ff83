// Who finds names beside the dictionary and its rules: a model, say. Masking knows no more of it.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace sotto::masking {

/// Bytes [begin, end) of one line, at the edges of characters, not empty.
struct Span {
  std::size_t begin = 0, end = 0;
};

/// One thread.
class SpanFinder {
 public:
  virtual ~SpanFinder() = default;

  /// In order, none overlapping. An Error when it cannot say: then nothing may be released as if it
  /// had been looked at. `line` is UTF-8.
  virtual Result<std::vector<Span>> find(std::string_view line) = 0;
};

}  // namespace sotto::masking
