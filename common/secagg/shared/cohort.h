// The members of a round and their indexes. The cohort index (bitmap bit, Shamir point less 1, sign
// of a pairwise mask) is the rank by id in the complete graph and the position on the ring in the
// circulant one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/crypto/sign.h"
#include "common/wire/messages.h"

namespace sotto::secagg {

/// The largest number of members of a federation, and so of a cohort.
inline constexpr std::uint32_t kMaxMembers = 10000;

struct CohortMember {
  MemberId id{};
  crypto::VerifyKey verify_key{};
};

/// A Cohort is an immutable list of members by cohort index. Copies share one list.
class Cohort {
 public:
  /// Takes members in the order of ids. SOTTO_CHECKs that the ids ascend without repetition.
  explicit Cohort(std::vector<CohortMember> members);
  /// Takes members in the order of a ring. SOTTO_CHECKs that no id is repeated.
  static Cohort on_ring(std::vector<CohortMember> members);

  [[nodiscard]] std::uint32_t size() const {
    return static_cast<std::uint32_t>(lists_->members.size());
  }

  [[nodiscard]] const CohortMember& at(std::uint32_t index) const {
    return lists_->members.at(index);
  }

  /// Returns the members by cohort index.
  [[nodiscard]] const std::vector<CohortMember>& members() const { return lists_->members; }

  /// Returns the ids by cohort index.
  [[nodiscard]] std::vector<MemberId> ids() const;

  [[nodiscard]] std::optional<std::uint32_t> index_of(MemberId id) const;
  /// Returns H("SA1 cohh", u32 n || ids by cohort index). Through it the order on the ring is in h,
  /// so members that were given different rings derive no common key and sign no common message.
  [[nodiscard]] Bytes32 hash() const;

 private:
  struct Lists {
    std::vector<CohortMember> members;  // by cohort index
    std::vector<std::uint32_t> by_id;   // cohort indexes in ascending order of their ids
  };

  explicit Cohort(std::shared_ptr<const Lists> lists) : lists_(std::move(lists)) {}

  std::shared_ptr<const Lists> lists_;
};

/// Indexes into the cohort, ascending.
using IndexSet = std::vector<std::uint32_t>;
[[nodiscard]] bool contains(const IndexSet& set, std::uint32_t index);
[[nodiscard]] bool is_subset(const IndexSet& inner, const IndexSet& outer);
/// Returns the members of `set` that are in `other` as well.
[[nodiscard]] IndexSet intersection(const IndexSet& set, const IndexSet& other);

/// The numbers of members that the steps of a round need.
struct Thresholds {
  std::uint32_t t = 0;
  std::uint32_t Q = 0;  // NOLINT
  std::uint32_t s_min = 0;
  std::uint32_t witnesses = 0;  // Q of them make a certificate: the first by cohort index

  bool operator==(const Thresholds&) const = default;
};

/// The largest number of colluders against which a cohort of kMaxMembers can protect: two honest
/// members remain.
inline constexpr std::uint32_t kMaxColluders = kMaxMembers - 2;

/// Returns the thresholds of the complete graph, in which all n members are witnesses:
/// Q = floor((n + C)/2) + 1, t = max(2, C + 1, min(floor(n/2) + 1, Q - 1)) and s_min = max(Q,
/// C + 2). Error: C > n - 2.
Result<Thresholds> complete_graph_thresholds(std::uint32_t n, std::uint32_t C);

}  // namespace sotto::secagg
