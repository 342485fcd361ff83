#include "common/secagg/shared/graph.h"

#include <algorithm>
#include <numeric>

#include "common/base/check.h"
#include "common/secagg/shared/hypergeometric.h"

namespace sotto::secagg {
namespace {

/// Returns the least x in [low, high] for which holds(x) is true. holds() is false up to some x and
/// true from there on. Returns nothing where holds(high) is false.
template <class Holds>
std::optional<std::uint32_t> least(std::uint32_t low, std::uint32_t high, const Holds& holds) {
  if (!holds(high)) return std::nullopt;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (holds(middle))
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

/// The bounds A to D of 2.4 for one degree. Each of them may use half of its failure probability.
class Bounds {
 public:
  Bounds(std::uint32_t n, std::uint32_t C, std::uint32_t dropouts, const GraphSecurity& security,
         std::uint32_t k)
      : n_(n), C_(C), dropouts_(dropouts), k_(k), sigma_(security.sigma), eta_(security.eta) {}

  /// Bound A: no honest member has t colluding neighbours.
  [[nodiscard]] bool secrets_are_kept(std::uint32_t t) const {
    return tail_is_below({n_ - 1, C_, k_}, t, n_ - C_, sigma_ + 1);
  }

  /// Bound B: colluders and q missing members fill no two windows anywhere on the ring, so the
  /// survivors stay connected, whichever members are missing.
  [[nodiscard]] bool survivors_are_connected(std::uint32_t q) const {
    const std::uint64_t pairs = std::uint64_t{n_} * (n_ - k_ - 1) / 2;
    return 2 * q < k_ && tail_is_below({n_, C_, k_}, k_ - 2 * q, pairs, sigma_ + 1);
  }

  /// Bound C: every survivor keeps t neighbours.
  [[nodiscard]] bool survivors_have_neighbours(std::uint32_t t) const {
    return tail_is_below({n_ - 1, dropouts_, k_}, k_ + 1 - t, n_, eta_ + 1);
  }

  /// Bound D: in no window of k/2 positions are more than q members missing.
  [[nodiscard]] bool windows_are_full(std::uint32_t q) const {
    return tail_is_below({n_, dropouts_, k_ / 2}, q + 1, n_, eta_ + 1);
  }

 private:
  std::uint32_t n_, C_, dropouts_, k_, sigma_, eta_;
};

std::optional<Circulant> with_degree(std::uint32_t k, const Bounds& bounds) {
  const auto q = least(0, k / 2, [&](std::uint32_t x) { return bounds.windows_are_full(x); });
  if (!q || !bounds.survivors_are_connected(*q)) return std::nullopt;
  const auto t_min = least(2, k, [&](std::uint32_t t) { return bounds.secrets_are_kept(t); });
  if (!t_min || !bounds.survivors_have_neighbours(*t_min)) return std::nullopt;
  const auto beyond = least(*t_min, k + 1, [&](std::uint32_t t) {
    return t == k + 1 || !bounds.survivors_have_neighbours(t);
  });
  return Circulant{.k = k, .t_min = *t_min, .t_max = *beyond - 1, .q = *q};
}

}  // namespace

std::optional<Circulant> least_circulant(std::uint32_t n, std::uint32_t C, std::uint32_t dropouts,
                                         const GraphSecurity& security) {
  if (n > kMaxPopulation || n < 4 || C >= n || dropouts >= n) return std::nullopt;
  for (std::uint32_t k = 2; k < n - 1; k += 2)
    if (auto found = with_degree(k, Bounds(n, C, dropouts, security, k))) return found;
  return std::nullopt;
}

std::optional<Committee> least_committee(std::uint32_t n, std::uint32_t C, std::uint32_t dropouts,
                                         const GraphSecurity& security) {
  if (n > kMaxPopulation || C >= n || dropouts >= n) return std::nullopt;
  for (std::uint32_t members = 64; members <= 512 && members < n; members += 64) {
    const std::uint32_t colluders = upper_quantile({n, C, members}, security.sigma);
    const std::uint32_t quorum = (members + colluders) / 2 + 1;
    if (quorum <= members &&
        tail_is_below({n, dropouts, members}, members - quorum + 1, 1, security.eta))
      return Committee{.members = members, .colluders = colluders, .Q = quorum};
  }
  return std::nullopt;
}

Result<GraphParameters> graph_parameters(std::uint32_t n, std::uint32_t C,
                                         const GraphRules& rules) {
  SOTTO_ASSIGN_OR_RETURN(const auto complete, complete_graph_thresholds(n, C));
  GraphParameters out{.graph = wire::Graph::kComplete, .k = n - 1, .q = 0, .thresholds = complete};
  if (n <= rules.full_graph_max) return out;
  const auto dropouts = static_cast<std::uint32_t>(std::uint64_t{n} * rules.dropout_percent / 100);
  if (const auto circulant = least_circulant(n, C, dropouts)) {
    out.graph = wire::Graph::kCirculant;
    out.k = circulant->k;
    out.q = circulant->q;
    out.thresholds.t = circulant->t();
    // A committee needs a ring, whose order no party chose.
    const auto committee = n > kFullCertificateMax ? least_committee(n, C, dropouts) : std::nullopt;
    if (committee) {
      out.thresholds.Q = committee->Q;  // s_min stays that of all n
      out.thresholds.witnesses = committee->members;
    }
  }
  return out;
}

MaskGraph::MaskGraph(const wire::RoundHeader& header)
    : kind_(header.graph),
      n_(header.n),
      reach_(header.graph == wire::Graph::kComplete ? header.n : header.k / 2),
      t_(header.t),
      q_(header.q) {
  SOTTO_CHECK(
      kind_ == wire::Graph::kComplete || (header.k % 2 == 0 && header.k >= 2 && header.k < n_ - 1),
      "a circulant graph has an even degree below n - 1");
}

bool MaskGraph::are_neighbours(std::uint32_t i, std::uint32_t j) const {
  if (i == j) return false;
  const std::uint32_t distance = i < j ? j - i : i - j;
  return std::min(distance, n_ - distance) <= reach_;
}

IndexSet MaskGraph::neighbours(std::uint32_t i) const {
  IndexSet out;
  if (kind_ == wire::Graph::kComplete) {
    for (std::uint32_t j = 0; j < n_; ++j)
      if (j != i) out.push_back(j);
    return out;
  }
  for (std::uint32_t step = 1; step <= reach_; ++step) {
    out.push_back((i + step) % n_);
    out.push_back((i + n_ - step) % n_);
  }
  std::ranges::sort(out);
  return out;
}

IndexSet MaskGraph::holders(std::uint32_t i) const {
  IndexSet out = neighbours(i);
  if (kind_ == wire::Graph::kComplete) out.insert(std::ranges::lower_bound(out, i), i);
  return out;
}

bool MaskGraph::holds_share_of(std::uint32_t holder, std::uint32_t dealer) const {
  if (holder == dealer) return kind_ == wire::Graph::kComplete;
  return are_neighbours(holder, dealer);
}

IndexSet MaskGraph::short_of_holders(const IndexSet& set) const {
  // In the complete graph every member of the set holds a share, so that counting the set is
  // enough.
  if (kind_ == wire::Graph::kComplete) return set.size() < t_ ? set : IndexSet{};
  // before[place] is the number of members of the set before that position, over two turns of the
  // ring.
  std::vector<std::uint32_t> before(2 * std::size_t{n_} + 1, 0);
  for (std::uint32_t i : set)
    before.at(i + 1) = before.at(n_ + i + 1) = 1;
  std::partial_sum(before.begin(), before.end(), before.begin());
  IndexSet out;
  for (std::uint32_t i : set) {
    const std::uint32_t place = i >= reach_ ? i : n_ + i;
    const std::uint32_t around = before[place + reach_ + 1] - before[place - reach_];
    if (around - 1 < t_) out.push_back(i);  // i itself holds none
  }
  return out;
}

bool MaskGraph::windows_are_full(const IndexSet& set) const {
  if (kind_ == wire::Graph::kComplete) return true;
  std::vector<bool> missing(n_, true);
  for (std::uint32_t i : set)
    missing.at(i) = false;
  std::uint32_t in_window = 0;
  for (std::uint32_t place = 0; place < reach_; ++place)
    in_window += missing[place] ? 1U : 0U;
  for (std::uint32_t first = 0; first < n_; ++first) {
    if (in_window > q_) return false;
    in_window -= missing[first] ? 1U : 0U;
    in_window += missing[(first + reach_) % n_] ? 1U : 0U;
  }
  return true;
}

}  // namespace sotto::secagg
