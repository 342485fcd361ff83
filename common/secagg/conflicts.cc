#include "common/secagg/conflicts.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace sotto::secagg {

IndexSet settle_conflicts(IndexSet members, const std::vector<IndexSet>& complaints,
                          const std::vector<std::uint64_t>& earlier) {
  for (;;) {
    std::map<std::uint32_t, std::set<std::uint32_t>> edges;
    std::map<std::uint32_t, std::size_t> accused;
    for (std::uint32_t holder : members)
      for (std::uint32_t dealer : complaints[holder])
        if (contains(members, dealer)) {
          edges[holder].insert(dealer);
          edges[dealer].insert(holder);
          ++accused[dealer];
        }
    if (edges.empty()) return members;
    auto worst = std::max_element(edges.begin(), edges.end(), [&](const auto& a, const auto& b) {
      return std::tuple(a.second.size(), earlier[a.first], accused[a.first], a.first) <
             std::tuple(b.second.size(), earlier[b.first], accused[b.first], b.first);
    });
    std::erase(members, worst->first);
  }
}

}  // namespace sotto::secagg
