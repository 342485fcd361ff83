// Who masks against whom (docs/secure-aggregation.md, 2.4). Small cohorts: everybody against
// everybody, the complete graph. Larger ones: a ring in an order that nobody chose, each member
// with the k nearest on it, the circulant graph. Everything here follows from a few numbers and is
// recomputed by every participant.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/range.h"
#include "common/base/result.h"
#include "common/secagg/shared/cohort.h"
#include "common/wire/messages.h"

namespace sotto::secagg {

/// Failure probabilities 2^-sigma (privacy: over all choices of the ring) and 2^-eta (liveness: a
/// round lost to bad luck).
struct GraphSecurity {
  std::uint32_t sigma = 64;
  std::uint32_t eta = 20;
};

struct Circulant {
  std::uint32_t k = 0;      // degree, even: k/2 on either side
  std::uint32_t t_min = 0;  // fewest shares that keep a secret from the colluders
  std::uint32_t t_max = 0;  // most that survivors still muster
  std::uint32_t q = 0;      // of k/2 consecutive members, so many may be missing

  /// A quarter of the interval below t_max, rounded down: privacy to liveness as 3 to 1.
  [[nodiscard]] std::uint32_t t() const { return t_max - (t_max - t_min + 3) / 4; }

  bool operator==(const Circulant&) const = default;
};

/// The circulant graph of least degree for n members, C of them colluding, `dropouts` of them
/// expected to be missing. Nothing when only the complete graph will do. Bounds A to D of 2.4.
std::optional<Circulant> least_circulant(std::uint32_t n, std::uint32_t C, std::uint32_t dropouts,
                                         const GraphSecurity& security = {});

/// Who certifies in a large cohort, so that a certificate stays small: the first on the ring.
struct Committee {
  std::uint32_t members = 0;
  std::uint32_t colluders = 0;  // more are in it with probability 2^-sigma
  std::uint32_t Q = 0;          // NOLINT: floor((members + colluders)/2) + 1

  bool operator==(const Committee&) const = default;
};

/// The smallest committee, in steps of 64 up to 512, of which Q are still there when `dropouts` of
/// the cohort are missing, except with probability 2^-eta. Nothing when there is none (2.4).
std::optional<Committee> least_committee(std::uint32_t n, std::uint32_t C, std::uint32_t dropouts,
                                         const GraphSecurity& security = {});

/// Everybody certifies up to so many members; above, a committee where the graph is circulant.
inline constexpr std::uint32_t kFullCertificateMax = 4096;

/// What a job says about its graphs.
struct GraphRules {
  std::uint32_t full_graph_max = 256;  // the complete graph up to here
  std::uint32_t dropout_percent = 10;  // of the cohort, expected at most

  static constexpr Range kFullGraphMax{.min = 3, .max = kMaxMembers};
  static constexpr Range kDropoutPercent{.min = 1, .max = 50};
};

/// What a header must say, from (n, C) and the job.
struct GraphParameters {
  wire::Graph graph = wire::Graph::kComplete;
  std::uint32_t k = 0;
  std::uint32_t q = 0;
  Thresholds thresholds;

  bool operator==(const GraphParameters&) const = default;
};

/// An Error when C > n - 2.
Result<GraphParameters> graph_parameters(std::uint32_t n, std::uint32_t C, const GraphRules& rules);

/// The graph of one round over cohort indexes. Symmetric, and the same at every party.
class MaskGraph {
 public:
  /// SOTTO_CHECKs that a circulant degree is even, at least 2 and below n - 1.
  explicit MaskGraph(const wire::RoundHeader& header);

  [[nodiscard]] bool are_neighbours(std::uint32_t i, std::uint32_t j) const;
  /// Who exchange keys and masks with i; never i itself.
  [[nodiscard]] IndexSet neighbours(std::uint32_t i) const;
  /// Who get a share of i's secrets: the neighbours and, in the complete graph, i itself.
  [[nodiscard]] IndexSet holders(std::uint32_t i) const;
  [[nodiscard]] bool holds_share_of(std::uint32_t holder, std::uint32_t dealer) const;

  /// The members of `set` with fewer than t holders in it (the neighbour rule wants none).
  [[nodiscard]] IndexSet short_of_holders(const IndexSet& set) const;
  /// The window rule: of every k/2 consecutive places on the ring at most q are not in `set`.
  /// Always true in the complete graph, which cannot be split.
  [[nodiscard]] bool windows_are_full(const IndexSet& set) const;

 private:
  wire::Graph kind_;
  std::uint32_t n_;
  std::uint32_t reach_;  // k/2; n in the complete graph
  std::uint32_t t_;
  std::uint32_t q_;
};

}  // namespace sotto::secagg
