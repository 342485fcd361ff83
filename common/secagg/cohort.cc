#include "common/secagg/cohort.h"

#include <algorithm>
#include <string>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/crypto/hash.h"

namespace sotto::secagg {

Cohort::Cohort(std::vector<CohortMember> members) : members_(std::move(members)) {
  for (std::size_t i = 1; i < members_.size(); ++i)
    SOTTO_CHECK(members_[i - 1].id < members_[i].id, "the members of a cohort ascend by id");
}

std::optional<std::uint32_t> Cohort::index_of(MemberId id) const {
  const auto at = std::lower_bound(members_.begin(), members_.end(), id,
                                   [](const CohortMember& m, MemberId x) { return m.id < x; });
  if (at == members_.end() || at->id != id) return std::nullopt;
  return static_cast<std::uint32_t>(at - members_.begin());
}

Bytes32 Cohort::hash() const {
  ByteWriter ids;
  ids.reserve(4 + 4 * members_.size());
  ids.u32(size());
  for (const CohortMember& member : members_)
    ids.u32(raw(member.id));
  return crypto::hash("SA1 cohh", {ids.view()});
}

bool contains(const IndexSet& set, std::uint32_t index) {
  return std::binary_search(set.begin(), set.end(), index);
}

bool is_subset(const IndexSet& inner, const IndexSet& outer) {
  return std::includes(outer.begin(), outer.end(), inner.begin(), inner.end());
}

Result<Thresholds> complete_graph_thresholds(std::uint32_t n, std::uint32_t C) {
  // Two honest members must remain in the smallest sum, whoever colludes.
  if (n < 2 || C > n - 2)
    return Error{"a cohort of " + std::to_string(n) + " cannot protect against " +
                 std::to_string(C) + " colluding members; at most n - 2 may collude"};
  Thresholds out;
  out.Q = (n + C) / 2 + 1;
  // Q - 1: the smallest certified S may lose one more member before it unmasks. C + 1: the
  // colluding members alone never open a secret.
  out.t = std::max({2U, C + 1, std::min(n / 2 + 1, out.Q - 1)});
  out.s_min = std::max(out.Q, C + 2);
  return out;
}

}  // namespace sotto::secagg
