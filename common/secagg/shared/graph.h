// The communication graph of a round (docs/secure-aggregation.md, 2.4): which members mask against
// each other. Small cohorts use the complete graph, in which all members mask against each other.
// Larger ones use the circulant graph: the members form a ring in an order that no party chose, and
// each of them masks against the k nearest. Every participant recomputes all parameters from a few
// numbers.
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/range.h"
#include "common/base/result.h"
#include "common/secagg/shared/cohort.h"
#include "common/wire/messages.h"

namespace sotto::secagg {

/// The failure probabilities: 2^-sigma for privacy, over all choices of the ring, and 2^-eta for
/// liveness, that is for a round that is lost by chance.
struct GraphSecurity {
  std::uint32_t sigma = 64;
  std::uint32_t eta = 20;
};

struct Circulant {
  std::uint32_t k = 0;      // degree, even: k/2 on each side
  std::uint32_t t_min = 0;  // least t with which the colluders cannot restore a secret
  std::uint32_t t_max = 0;  // largest t that the survivors still reach
  std::uint32_t q = 0;      // this many of k/2 consecutive members may be missing

  /// Returns the threshold: a quarter of the interval below t_max, rounded down, which divides it
  /// between privacy and liveness as 3 to 1.
  [[nodiscard]] std::uint32_t t() const { return t_max - (t_max - t_min + 3) / 4; }

  bool operator==(const Circulant&) const = default;
};

/// Returns the circulant graph of least degree for n members of which C collude and `dropouts` are
/// expected to be missing, by the bounds A to D of 2.4. Returns nothing when only the complete
/// graph satisfies them.
std::optional<Circulant> least_circulant(std::uint32_t n, std::uint32_t C, std::uint32_t dropouts,
                                         const GraphSecurity& security = {});

/// The committee whose members sign certificates in a large cohort, so that a certificate stays
/// small: the first members on the ring.
struct Committee {
  std::uint32_t members = 0;
  std::uint32_t colluders = 0;  // exceeded with probability 2^-sigma
  std::uint32_t Q = 0;          // NOLINT: floor((members + colluders)/2) + 1

  bool operator==(const Committee&) const = default;
};

/// Returns the smallest committee, in steps of 64 up to 512, of which Q members remain when
/// `dropouts` of the cohort are missing, except with probability 2^-eta. Returns nothing when there
/// is none (2.4).
std::optional<Committee> least_committee(std::uint32_t n, std::uint32_t C, std::uint32_t dropouts,
                                         const GraphSecurity& security = {});

/// Up to this many members all of them sign certificates; above, a committee does where the graph
/// is circulant.
inline constexpr std::uint32_t kFullCertificateMax = 4096;

/// The settings of a job for its graphs.
struct GraphRules {
  std::uint32_t full_graph_max = 256;  // largest cohort with a complete graph
  std::uint32_t dropout_percent = 10;  // of the cohort: the most dropouts expected

  static constexpr Range kFullGraphMax{.min = 3, .max = kMaxMembers};
  static constexpr Range kDropoutPercent{.min = 1, .max = 50};
};

/// The values that a header must have, which follow from (n, C) and the job.
struct GraphParameters {
  wire::Graph graph = wire::Graph::kComplete;
  std::uint32_t k = 0;
  std::uint32_t q = 0;
  Thresholds thresholds;

  bool operator==(const GraphParameters&) const = default;
};

/// Error: C > n - 2.
Result<GraphParameters> graph_parameters(std::uint32_t n, std::uint32_t C, const GraphRules& rules);

/// MaskGraph is the communication graph of one round over cohort indexes. It is symmetric, and the
/// same at every party.
class MaskGraph {
 public:
  /// SOTTO_CHECKs that a circulant degree is even, at least 2 and below n - 1.
  explicit MaskGraph(const wire::RoundHeader& header);

  [[nodiscard]] bool are_neighbours(std::uint32_t i, std::uint32_t j) const;
  /// Returns the members that exchange keys and masks with i, without i itself.
  [[nodiscard]] IndexSet neighbours(std::uint32_t i) const;
  /// Returns the members that get a share of i's secrets: the neighbours and, in the complete
  /// graph, i itself.
  [[nodiscard]] IndexSet holders(std::uint32_t i) const;
  [[nodiscard]] bool holds_share_of(std::uint32_t holder, std::uint32_t dealer) const;

  /// Returns the members of `set` with fewer than t holders in it. The neighbour rule requires that
  /// there are none.
  [[nodiscard]] IndexSet short_of_holders(const IndexSet& set) const;
  /// Returns whether `set` satisfies the window rule: of every k/2 consecutive positions on the
  /// ring at most q are not in `set`. Always true in the complete graph, which cannot be split.
  [[nodiscard]] bool windows_are_full(const IndexSet& set) const;

 private:
  wire::Graph kind_;
  std::uint32_t n_;
  std::uint32_t reach_;  // k/2; n in the complete graph
  std::uint32_t t_;
  std::uint32_t q_;
};

}  // namespace sotto::secagg
