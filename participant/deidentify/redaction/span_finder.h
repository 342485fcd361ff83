// SpanFinder is the interface to a detector of names besides the dictionary and its rules, such as
// an NER model. Redaction depends on this interface only.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace sotto::redaction {

/// Bytes [begin, end) of one line, at character boundaries, not empty.
struct Span {
  std::size_t begin = 0, end = 0;
};

/// One thread at a time may use an object.
class SpanFinder {
 public:
  virtual ~SpanFinder() = default;

  /// Returns the names in `line`, which is UTF-8, in order and without overlaps. Returns an Error
  /// when the detector fails; the text must then not be released as if it had been examined.
  virtual Result<std::vector<Span>> find(std::string_view line) = 0;
};

}  // namespace sotto::redaction
