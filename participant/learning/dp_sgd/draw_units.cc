#include "participant/learning/dp_sgd/draw_units.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace sotto::learning {

DrawUnits::DrawUnits(std::vector<std::vector<std::uint64_t>> persons, std::size_t examples)
    : size_(persons.size()), persons_(std::move(persons)), weights_(examples, 0.0) {
  for (const std::vector<std::uint64_t>& person : persons_)
    for (const std::uint64_t example : person) {
      SOTTO_CHECK(example < examples && weights_[example] == 0, "an example belongs to one person");
      weights_[example] = 1 / static_cast<double>(person.size());
    }
}

std::vector<std::uint64_t> DrawUnits::examples_of(std::vector<std::uint64_t> units) const {
  if (weights_.empty()) return units;
  std::vector<std::uint64_t> out;
  for (const std::uint64_t unit : units)
    out.insert(out.end(), persons_[unit].begin(), persons_[unit].end());
  return out;
}

std::size_t DrawUnits::unused() const {
  return static_cast<std::size_t>(std::ranges::count(weights_, 0.0));
}

}  // namespace sotto::learning
