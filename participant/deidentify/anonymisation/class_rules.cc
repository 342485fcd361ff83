#include "participant/deidentify/anonymisation/class_rules.h"

#include <cmath>
#include <numeric>

#include "common/base/check.h"

namespace sotto::anonymisation {

Spread spread_of(std::span<const std::uint64_t> counts, std::span<const std::uint64_t> whole,
                 Distance distance) {
  SOTTO_CHECK(counts.size() == whole.size(), "a class and its table have the same values");
  const auto total = [](std::span<const std::uint64_t> all) {
    return static_cast<double>(std::accumulate(all.begin(), all.end(), std::uint64_t{0}));
  };
  const double rows = total(counts), all_rows = total(whole);
  SOTTO_CHECK(rows > 0 && all_rows > 0, "a class has rows");
  Spread out;
  double entropy = 0, moved = 0, carried = 0, values = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (whole[i] == 0) continue;
    ++values;
    const double p = static_cast<double>(counts[i]) / rows;
    const double excess = p - static_cast<double>(whole[i]) / all_rows;
    if (counts[i] > 0) {
      ++out.distinct;
      entropy -= p * std::log(p);
    }
    // In an order, the excess at a value is carried to the next value, step by step.
    carried += excess;
    moved += std::abs(distance == Distance::kOrdered ? carried : excess);
  }
  out.entropy_l = std::exp(entropy);
  if (distance == Distance::kEqual)
    out.t = moved / 2;
  else if (values > 1)
    out.t = moved / (values - 1);
  return out;
}

bool SpreadRule::met_by(const Spread& spread) const {
  constexpr double kRounding = 1e-9;
  return static_cast<double>(spread.distinct) + kRounding >= distinct_l &&
         spread.entropy_l + kRounding >= entropy_l && spread.t <= t + kRounding;
}

}  // namespace sotto::anonymisation
