// Who is in a round and by which numbers. The cohort index (bitmap bit, Shamir point less 1, sign
// of a pairwise mask) is the rank by id in the complete graph and the place on the ring in the
// circulant one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/crypto/sign.h"
#include "common/wire/messages.h"

namespace sotto::secagg {

/// The most members of a federation, and so of a cohort.
inline constexpr std::uint32_t kMaxMembers = 10000;

struct CohortMember {
  MemberId id{};
  crypto::VerifyKey verify_key{};
};

/// Immutable; copies share one list.
class Cohort {
 public:
  /// In the order of ids. SOTTO_CHECKs that they ascend without repetition.
  explicit Cohort(std::vector<CohortMember> members);
  /// In the order of a ring. SOTTO_CHECKs that no id is repeated.
  static Cohort on_ring(std::vector<CohortMember> members);

  [[nodiscard]] std::uint32_t size() const {
    return static_cast<std::uint32_t>(lists_->members.size());
  }

  [[nodiscard]] const CohortMember& at(std::uint32_t index) const {
    return lists_->members.at(index);
  }

  /// By cohort index.
  [[nodiscard]] const std::vector<CohortMember>& members() const { return lists_->members; }

  /// By cohort index.
  [[nodiscard]] std::vector<MemberId> ids() const;

  [[nodiscard]] std::optional<std::uint32_t> index_of(MemberId id) const;
  /// H("SA1 cohh", u32 n || ids by cohort index): with it the order on the ring is in h, so members
  /// that were given different rings share no key and sign nothing in common.
  [[nodiscard]] Bytes32 hash() const;

 private:
  struct Lists {
    std::vector<CohortMember> members;  // by cohort index
    std::vector<std::uint32_t> by_id;   // cohort indexes, their ids ascending
  };

  explicit Cohort(std::shared_ptr<const Lists> lists) : lists_(std::move(lists)) {}

  std::shared_ptr<const Lists> lists_;
};

/// Indexes into the cohort, ascending.
using IndexSet = std::vector<std::uint32_t>;
[[nodiscard]] bool contains(const IndexSet& set, std::uint32_t index);
[[nodiscard]] bool is_subset(const IndexSet& inner, const IndexSet& outer);
/// The members of `set` that are in `other` too.
[[nodiscard]] IndexSet intersection(const IndexSet& set, const IndexSet& other);

/// How many members a step needs.
struct Thresholds {
  std::uint32_t t = 0;
  std::uint32_t Q = 0;  // NOLINT
  std::uint32_t s_min = 0;
  std::uint32_t witnesses = 0;  // of whom Q make a certificate: the first by cohort index

  bool operator==(const Thresholds&) const = default;
};

/// The most colluders that a cohort of kMaxMembers can protect against: two honest ones remain.
inline constexpr std::uint32_t kMaxColluders = kMaxMembers - 2;

/// Q = floor((n + C)/2) + 1 of all n, t = min(floor(n/2) + 1, Q - 1), s_min = max(Q, C + 2). An
/// Error when C > n - 2.
Result<Thresholds> complete_graph_thresholds(std::uint32_t n, std::uint32_t C);

}  // namespace sotto::secagg
