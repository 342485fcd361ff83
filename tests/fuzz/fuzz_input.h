// A fuzz target's input as a program: bytes read one after the other, zeros behind the end. Zero is
// always the honest choice, so that short inputs are honest rounds.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "common/base/bytes.h"
#include "common/secagg/shared/cohort.h"

namespace sotto::fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }

  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const std::uint8_t out = rest_[0];
    rest_ = rest_.subspan(1);
    return out;
  }

  /// At most `count` bytes.
  BytesView bytes(std::size_t count) {
    const BytesView out = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(out.size());
    return out;
  }

  /// Everybody for 0, else the members of the bits.
  secagg::IndexSet set(std::uint32_t n) {
    const std::uint8_t bits = byte();
    secagg::IndexSet out;
    for (std::uint32_t i = 0; i < n; ++i)
      if (bits == 0 || (bits >> i & 1) != 0) out.push_back(i);
    return out;
  }

 private:
  BytesView rest_;
};

/// An invariant that must hold whatever the input is.
inline void require(bool holds, const char* claim) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: this does not hold: %s\n", claim);
  std::abort();
}

}  // namespace sotto::fuzz
