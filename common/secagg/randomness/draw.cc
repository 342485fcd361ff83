#include "common/secagg/randomness/draw.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/crypto/hash.h"
#include "common/secagg/shared/hypergeometric.h"

namespace sotto::secagg {
namespace {

Bytes32 round_seed(const SharedRandomness& shared_randomness, RoundNumber round) {
  ByteWriter number;
  number.u64(round.value);
  return crypto::hash("SA1 rnd", {shared_randomness.value, number.view()});
}

/// Returns a member's rank value in a draw. Smaller values come first, compared byte by byte.
Bytes32 lot(std::string_view label, const Bytes32& seed, MemberId id) {
  ByteWriter who;
  who.u32(raw(id));
  return crypto::hash(label, {seed, who.view()});
}

}  // namespace

std::vector<MemberId> drawn_cohort(const CohortDraw& draw, RoundNumber round) {
  if (!draw.samples()) return draw.shared_randomness.members;
  const Bytes32 seed = round_seed(draw.shared_randomness, round);
  std::vector<std::pair<Bytes32, MemberId>> lots;
  for (MemberId id : draw.shared_randomness.members)
    lots.emplace_back(lot("SA1 coh", seed, id), id);
  std::ranges::sort(lots);
  std::vector<MemberId> out;
  for (std::uint32_t i = 0; i < draw.cohort_size; ++i)
    out.push_back(lots[i].second);
  std::ranges::sort(out);
  return out;
}

std::vector<CohortMember> ring_order(const SharedRandomness& shared_randomness, RoundNumber round,
                                     std::vector<CohortMember> cohort) {
  const Bytes32 seed = round_seed(shared_randomness, round);
  std::vector<std::pair<Bytes32, CohortMember>> lots;
  for (const CohortMember& member : cohort)
    lots.emplace_back(lot("SA1 ring", seed, member.id), member);
  std::ranges::sort(lots, {}, [](const auto& at) { return std::pair(at.first, at.second.id); });
  for (std::size_t place = 0; place < cohort.size(); ++place)
    cohort[place] = lots[place].second;
  return cohort;
}

std::uint32_t colluders_in_round(const CohortDraw& draw, std::uint32_t C,
                                 const GraphSecurity& security) {
  if (!draw.samples()) return C;
  const auto members = static_cast<std::uint32_t>(draw.shared_randomness.members.size());
  return upper_quantile({members, std::min(C, members), draw.cohort_size}, security.sigma + 2);
}

}  // namespace sotto::secagg
