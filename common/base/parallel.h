// first_bad() splits independent checks over threads; its result does not depend on their number.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <thread>
#include <vector>

#include "common/base/check.h"

namespace sotto {

/// Returns the lowest i below `count` for which good(i) is false, or nothing when it is true for
/// all. `good` is called from several threads at once and must not throw. A thread gets at least
/// eight calls, which is right for a check as expensive as that of a signature.
template <class Good>
std::optional<std::size_t> first_bad(std::size_t count, unsigned threads, const Good& good) {
  constexpr std::size_t kLeast = 8;
  SOTTO_CHECK(threads >= 1, "checks need a thread");
  const std::size_t parts = std::clamp<std::size_t>(count / kLeast, 1, threads);
  std::vector<std::optional<std::size_t>> bad(parts);
  const auto check_part = [&](std::size_t part) {
    for (std::size_t i = count * part / parts; i < count * (part + 1) / parts && !bad[part]; ++i)
      if (!good(i)) bad[part] = i;
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t part = 1; part < parts; ++part)
      others.emplace_back(check_part, part);
    check_part(0);
  }
  const auto first = std::ranges::find_if(bad, [](const auto& i) { return i.has_value(); });
  return first == bad.end() ? std::nullopt : *first;
}

}  // namespace sotto
