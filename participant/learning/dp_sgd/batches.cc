#include "participant/learning/dp_sgd/batches.h"

#include <algorithm>

#include "common/base/check.h"

namespace sotto::learning {

std::vector<std::vector<std::uint64_t>> physical_batches(std::span<const std::uint64_t> draw,
                                                         std::span<const std::size_t> lengths,
                                                         std::size_t limit) {
  SOTTO_CHECK(limit >= 1, "a physical batch holds at least one example");
  std::vector<std::uint64_t> sorted(draw.begin(), draw.end());
  std::stable_sort(sorted.begin(), sorted.end(), [&lengths](std::uint64_t a, std::uint64_t b) {
    return lengths[a] < lengths[b];
  });
  std::vector<std::vector<std::uint64_t>> batches;
  for (std::size_t at = 0; at < sorted.size(); at += limit) {
    const auto begin = sorted.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end =
        sorted.begin() + static_cast<std::ptrdiff_t>(std::min(at + limit, sorted.size()));
    batches.emplace_back(begin, end);
  }
  return batches;
}

}  // namespace sotto::learning
