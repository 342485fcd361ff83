// The outcome of complaints about shares and about pre-shared keys (docs/secure-aggregation.md,
// "Bad shares"). A complaint about a share is answered by its dealer, which opens that one share.
// Two members whose pre-shared keys differ cannot mask against each other, so one of the two
// leaves, in turns.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/secagg/shared/cohort.h"

namespace sotto::secagg {

enum class ConflictEnd : std::uint8_t {
  // The holder complained about its share of the dealer's secrets.
  kOpened,    // the dealer opened the share that it committed to: both stay
  kWrong,     // the dealer opened another one: it is an offender and leaves
  kUnopened,  // the dealer did not open it in time and leaves
  kTooMany,   // more complaints than can be false: the dealer leaves and opens nothing
  // The holder reports that its pre-shared key with the dealer differs.
  kHolderLeft,
  kDealerLeft,
  kUndecided,  // one of the two left for another reason
  // The holder reports the same, and at most one of the two dealt with a key. The one that did
  // leaves; where neither did, the holder leaves.
  kHolderAlone,
  kDealerAlone
};

struct Conflict {
  MemberId holder{};  // that complained
  MemberId dealer{};  // about which it complained
  ConflictEnd end{};
  auto operator<=>(const Conflict&) const = default;
};

/// Returns a sentence for logs and status: "A complained about B's share; B opened it and both
/// stay".
std::string sentence(ConflictEnd end, const std::string& holder, const std::string& dealer);

/// Returns how many holders of one dealer's shares can make false complaints: C members collude,
/// and fewer than t of them hold a share of one honest dealer (on a ring by bound A of 2.4).
std::uint32_t max_false_complaints(const wire::RoundHeader& header);

/// For each two members with different pre-shared keys, the lower first: which of them left because
/// of it.
template <class Member>
using WhoLeft = std::map<std::pair<Member, Member>, Member>;

template <class Member>
std::pair<Member, Member> pair_of(Member one, Member other) {
  return one < other ? std::pair(one, other) : std::pair(other, one);
}

struct KeyRules {
  WhoLeft<std::uint32_t> earlier;          // who left the last time, by pair
  std::uint32_t max_false_complaints = 0;  // of max_false_complaints()
  std::size_t least = 0;                   // fewest members with which the round can continue
};

struct KeysSettled {
  IndexSet members;             // members that stay
  WhoLeft<std::uint32_t> left;  // by pair: the member whose turn it was
};

/// Decides which members leave because pre-shared keys differ. `complaints[i]` are the members
/// whose pre-shared key with i differs, as i reports. Members leave until no such pair is left.
/// Members with more than `max_false_complaints` such pairs leave first. The next criteria, in this
/// order, are: to have stayed in such a pair the last time, more pairs, more complaints of one's
/// own, the higher index. A pair never decides against the same member twice in succession. When
/// fewer than `least` would stay, the members with most pairs leave first, whatever the turns.
KeysSettled settle_keys(const IndexSet& members, const std::vector<IndexSet>& complaints,
                        const KeyRules& rules);

}  // namespace sotto::secagg
