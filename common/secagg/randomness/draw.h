// The draws of a round from a run's shared randomness: who takes part, and the order on
// the ring (docs/secure-aggregation.md, 2.1). No party chose the shared randomness, and every
// participant computes the draw itself.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/ids.h"
#include "common/secagg/shared/graph.h"

namespace sotto::secagg {

/// The shared randomness of a run. It is fixed once, before the first round.
struct SharedRandomness {
  Bytes32 value{};
  std::vector<MemberId> members;  // who contributed, ascending: only they are ever drawn

  bool operator==(const SharedRandomness&) const = default;
};

/// The parameters by which the cohorts of a run are drawn.
struct CohortDraw {
  SharedRandomness shared_randomness;
  std::uint32_t cohort_size = 0;  // members of a round; 0: all members of the shared randomness

  [[nodiscard]] bool samples() const {
    return cohort_size > 0 && cohort_size < shared_randomness.members.size();
  }
};

/// The largest number of attempts at one round that a participant joins in a run with shared
/// randomness. The coordinator can compute all rings beforehand and could otherwise wait for an
/// unfavourable one among the 65,536 of a round.
inline constexpr std::uint32_t kMaxDrawnAttempts = 64;

/// Returns the round's cohort, ascending.
std::vector<MemberId> drawn_cohort(const CohortDraw& draw, RoundNumber round);

/// Returns the cohort in its order on the round's ring.
std::vector<CohortMember> ring_order(const SharedRandomness& shared_randomness, RoundNumber round,
                                     std::vector<CohortMember> cohort);

/// Returns the C of a round's header when C members of the roster collude. All of them may be in
/// the cohort when every member takes part; a sample contains more than the result only with
/// probability 2^-(sigma + 2).
std::uint32_t colluders_in_round(const CohortDraw& draw, std::uint32_t C,
                                 const GraphSecurity& security = {});

}  // namespace sotto::secagg
