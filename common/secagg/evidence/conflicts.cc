#include "common/secagg/evidence/conflicts.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace sotto::secagg {
namespace {

/// A member's position in the pairs that remain.
struct KeyConflicts {
  std::size_t pairs = 0;
  std::size_t complained = 0;  // pairs about which it complained
  bool due = false;            // it stayed in one of them the last time, or there was none
};

class Settling {
 public:
  Settling(const IndexSet& members, const std::vector<IndexSet>& complaints, const KeyRules& rules)
      : complaints_(&complaints), rules_(&rules), out_{.members = members} {
    for (std::uint32_t holder : members)
      for (std::uint32_t dealer : complaints[holder])
        if (contains(members, dealer)) {
          others_[holder].insert(dealer);
          others_[dealer].insert(holder);
        }
    for (const auto& [member, others] : others_)
      unsettled_[member] = conflicts_of(member);
  }

  /// Removes the member with the greatest rank until no pair remains.
  template <class Rank>
  KeysSettled run(const Rank& rank) && {
    while (!unsettled_.empty()) {
      const auto first = std::ranges::max_element(
          unsettled_, {}, [&](const auto& one) { return std::tuple(rank(one.second), one.first); });
      leave(first->first);
    }
    return std::move(out_);
  }

 private:
  [[nodiscard]] bool is_due(std::uint32_t member, std::uint32_t other) const {
    const auto before = rules_->earlier.find(pair_of(member, other));
    return before == rules_->earlier.end() || before->second != member;
  }

  [[nodiscard]] KeyConflicts conflicts_of(std::uint32_t member) const {
    KeyConflicts out;
    for (std::uint32_t other : others_.at(member)) {
      ++out.pairs;
      if (contains((*complaints_)[member], other)) ++out.complained;
      out.due |= is_due(member, other);
    }
    return out;
  }

  void leave(std::uint32_t member) {
    std::erase(out_.members, member);
    unsettled_.erase(member);
    for (std::uint32_t other : others_.at(member)) {
      if (is_due(member, other)) out_.left[pair_of(member, other)] = member;
      others_.at(other).erase(member);
      unsettled_[other] = conflicts_of(other);
      if (others_.at(other).empty()) unsettled_.erase(other);
    }
  }

  const std::vector<IndexSet>* complaints_;
  const KeyRules* rules_;
  std::map<std::uint32_t, std::set<std::uint32_t>> others_;  // differing keys that remain
  std::map<std::uint32_t, KeyConflicts> unsettled_;          // of members in such a pair
  KeysSettled out_;
};

}  // namespace

KeysSettled settle_keys(const IndexSet& members, const std::vector<IndexSet>& complaints,
                        const KeyRules& rules) {
  KeysSettled by_turns = Settling(members, complaints, rules).run([&](const KeyConflicts& s) {
    return std::tuple(s.pairs > rules.max_false_complaints, s.due, s.pairs, s.complained);
  });
  if (by_turns.members.size() >= rules.least) return by_turns;
  return Settling(members, complaints, rules).run([](const KeyConflicts& s) {
    return std::tuple(s.pairs, s.due, s.complained);
  });
}

std::uint32_t max_false_complaints(const wire::RoundHeader& header) {
  return std::min(header.C, header.t == 0 ? 0 : header.t - 1);
}

std::string sentence(ConflictEnd end, const std::string& holder, const std::string& dealer) {
  const std::string complained = holder + " complained about " + dealer + "'s share; ";
  const std::string keys = "the pre-shared keys of " + holder + " and " + dealer + " differ; ";
  const std::string out = " is left out of this round";
  switch (end) {
    case ConflictEnd::kOpened:
      return complained + dealer + " opened it and both stay";
    case ConflictEnd::kWrong:
      return complained + dealer + "'s opened share violates the protocol: convicted";
    case ConflictEnd::kUnopened:
      return complained + dealer + " did not open it and" + out;
    case ConflictEnd::kTooMany:
      return complained + "so did more members than can lie, and " + dealer + out;
    case ConflictEnd::kHolderLeft:
      return keys + holder + out;
    case ConflictEnd::kDealerLeft:
      return keys + dealer + out;
    case ConflictEnd::kHolderAlone:
      return holder + " states that its pre-shared key with " + dealer + " differs, but " + dealer +
             " used none; " + holder + out;
    case ConflictEnd::kDealerAlone:
      return dealer + " used a pre-shared key with " + holder + ", which has none; " + dealer + out;
    case ConflictEnd::kUndecided:
      return keys + "one of them was out for another reason";
  }
  return {};
}

}  // namespace sotto::secagg
