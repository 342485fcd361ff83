#include "common/secagg/conflicts.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace sotto::secagg {
namespace {

using Pair = std::pair<std::uint32_t, std::uint32_t>;

/// Of a member in the pairs that are still there.
struct Standing {
  std::size_t pairs = 0;
  std::size_t complained = 0;  // in so many of them
  bool due = false;            // in one of them it did not leave the last time
};

class Settling {
 public:
  Settling(const IndexSet& members, const std::vector<IndexSet>& complaints, const KeyRules& rules)
      : complaints_(&complaints), rules_(&rules), out_{.members = members, .left = {}} {
    for (std::uint32_t holder : members)
      for (std::uint32_t dealer : complaints[holder])
        if (contains(members, dealer)) pairs_.insert(pair_of(holder, dealer));
  }

  /// Who has the greatest rank leaves, until no pair is there.
  template <class Rank>
  KeysSettled run(const Rank& rank) && {
    while (!pairs_.empty()) {
      const std::map<std::uint32_t, Standing> standing = standings();
      const auto first = std::ranges::max_element(
          standing, {}, [&](const auto& one) { return std::tuple(rank(one.second), one.first); });
      leave(first->first);
    }
    return std::move(out_);
  }

 private:
  [[nodiscard]] bool is_due(const Pair& pair, std::uint32_t member) const {
    const auto before = rules_->earlier.find(pair);
    return before == rules_->earlier.end() || before->second != member;
  }

  [[nodiscard]] std::map<std::uint32_t, Standing> standings() const {
    std::map<std::uint32_t, Standing> all;
    for (const Pair& pair : pairs_)
      for (const auto& [one, other] : {pair, Pair(pair.second, pair.first)}) {
        Standing& standing = all[one];
        ++standing.pairs;
        standing.complained += contains((*complaints_)[one], other) ? std::size_t{1} : 0;
        standing.due |= is_due(pair, one);
      }
    return all;
  }

  void leave(std::uint32_t member) {
    std::erase(out_.members, member);
    std::erase_if(pairs_, [&](const Pair& pair) {
      const bool its = pair.first == member || pair.second == member;
      if (its && is_due(pair, member)) out_.left[pair] = member;
      return its;
    });
  }

  const std::vector<IndexSet>* complaints_;
  const KeyRules* rules_;
  std::set<Pair> pairs_;
  KeysSettled out_;
};

}  // namespace

KeysSettled settle_keys(const IndexSet& members, const std::vector<IndexSet>& complaints,
                        const KeyRules& rules) {
  KeysSettled by_turns = Settling(members, complaints, rules).run([&](const Standing& s) {
    return std::tuple(s.pairs > rules.most_liars, s.due, s.pairs, s.complained);
  });
  if (by_turns.members.size() >= rules.least) return by_turns;
  return Settling(members, complaints, rules).run([](const Standing& s) {
    return std::tuple(s.pairs, s.due, s.complained);
  });
}

std::uint32_t most_liars(const wire::RoundHeader& header) {
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
      return complained + dealer + "'s opened share does not fit: convicted";
    case ConflictEnd::kUnopened:
      return complained + dealer + " did not open it and" + out;
    case ConflictEnd::kTooMany:
      return complained + "so did more members than can lie, and " + dealer + out;
    case ConflictEnd::kHolderLeft:
      return keys + holder + out;
    case ConflictEnd::kDealerLeft:
      return keys + dealer + out;
    case ConflictEnd::kUndecided:
      return keys + "one of them was out for another reason";
  }
  return {};
}

}  // namespace sotto::secagg
