// What a run's genesis decides in each round: who takes part, and where everybody stands on the
// ring (docs/secure-aggregation.md, 2.1). Nobody chose the genesis, and every participant draws for
// itself.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/ids.h"
#include "common/secagg/shared/graph.h"

namespace sotto::secagg {

/// Fixed once, before the first round of a run.
struct Genesis {
  Bytes32 value{};
  std::vector<MemberId> members;  // who made it, ascending: nobody else is ever drawn

  bool operator==(const Genesis&) const = default;
};

/// How a run's rounds are drawn.
struct CohortDraw {
  Genesis genesis;
  std::uint32_t cohort_size = 0;  // members of a round; 0: everybody who made the genesis

  [[nodiscard]] bool samples() const {
    return cohort_size > 0 && cohort_size < genesis.members.size();
  }
};

/// Attempts at one round that a participant joins in a run with a genesis. The coordinator knows
/// all rings beforehand and could otherwise wait for a bad one among the 65,536 of a round.
inline constexpr std::uint32_t kMaxDrawnAttempts = 64;

/// The round's cohort, ascending.
std::vector<MemberId> drawn_cohort(const CohortDraw& draw, RoundNumber round);

/// The cohort in its order on the round's ring.
std::vector<CohortMember> ring_order(const Genesis& genesis, RoundNumber round,
                                     std::vector<CohortMember> cohort);

/// C of a round's header when C members of the roster collude: all of them may be in the cohort
/// when it is everybody; of a sample there are more only with probability 2^-(sigma + 2).
std::uint32_t colluders_in_round(const CohortDraw& draw, std::uint32_t C,
                                 const GraphSecurity& security = {});

}  // namespace sotto::secagg
