#include "common/secagg/shared/cohort.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <string>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/crypto/hash.h"
#include "common/encoding/quantizer.h"
#include "common/secagg/shared/hypergeometric.h"
#include "common/wire/codec.h"

namespace sotto::secagg {

static_assert(kMaxMembers <= encoding::kMaxParticipants && kMaxMembers <= wire::Limits{}.cohort &&
              kMaxMembers <= wire::Limits{}.roster_members && kMaxMembers <= kMaxPopulation);

Cohort::Cohort(std::vector<CohortMember> members) : Cohort(on_ring(std::move(members))) {
  SOTTO_CHECK(std::ranges::is_sorted(lists_->by_id), "the members of a cohort ascend by id");
}

Cohort Cohort::on_ring(std::vector<CohortMember> members) {
  auto lists = std::make_shared<Lists>();
  lists->members = std::move(members);
  lists->by_id.resize(lists->members.size());
  std::iota(lists->by_id.begin(), lists->by_id.end(), 0U);
  const auto id_at = [&](std::uint32_t index) { return lists->members[index].id; };
  std::ranges::sort(lists->by_id, {}, id_at);
  for (std::size_t i = 1; i < lists->by_id.size(); ++i)
    SOTTO_CHECK(id_at(lists->by_id[i - 1]) < id_at(lists->by_id[i]),
                "a cohort names a member once");
  return Cohort(std::move(lists));
}

std::optional<std::uint32_t> Cohort::index_of(MemberId id) const {
  const auto id_at = [&](std::uint32_t index) { return lists_->members[index].id; };
  const auto at = std::ranges::lower_bound(lists_->by_id, id, {}, id_at);
  if (at == lists_->by_id.end() || id_at(*at) != id) return std::nullopt;
  return *at;
}

std::vector<MemberId> Cohort::ids() const {
  std::vector<MemberId> out;
  out.reserve(size());
  for (const CohortMember& member : members())
    out.push_back(member.id);
  return out;
}

Bytes32 Cohort::hash() const {
  ByteWriter ids;
  ids.reserve(4 + 4 * members().size());
  ids.u32(size());
  for (const CohortMember& member : members())
    ids.u32(raw(member.id));
  return crypto::hash("SA1 cohh", {ids.view()});
}

bool contains(const IndexSet& set, std::uint32_t index) {
  return std::binary_search(set.begin(), set.end(), index);
}

bool is_subset(const IndexSet& inner, const IndexSet& outer) {
  return std::includes(outer.begin(), outer.end(), inner.begin(), inner.end());
}

IndexSet intersection(const IndexSet& set, const IndexSet& other) {
  IndexSet out;
  std::ranges::copy_if(set, std::back_inserter(out),
                       [&](std::uint32_t index) { return contains(other, index); });
  return out;
}

Result<Thresholds> complete_graph_thresholds(std::uint32_t n, std::uint32_t C) {
  // Two honest members must remain in the smallest sum, whichever members collude.
  if (n < 2 || C > n - 2)
    return Error{"a cohort of " + std::to_string(n) + " cannot protect against " +
                 std::to_string(C) + " colluding members; at most n - 2 may collude"};
  Thresholds out;
  out.Q = (n + C) / 2 + 1;
  // With Q - 1 the smallest certified S may lose one more member before it unmasks. With C + 1 the
  // colluding members cannot open a secret among themselves.
  out.t = std::max({2U, C + 1, std::min(n / 2 + 1, out.Q - 1)});
  out.s_min = std::max(out.Q, C + 2);
  out.witnesses = n;
  return out;
}

}  // namespace sotto::secagg
