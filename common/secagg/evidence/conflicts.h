// What becomes of complaints about shares and about pre-shared keys (docs/secure-aggregation.md,
// "Bad shares"). A complaint about a share is answered by its dealer, which opens that one share. A
// pair whose pre-shared keys differ cannot mask against each other, so one of the two leaves, and
// the two take turns.
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
  kOpened,    // the dealer opened it, and it is the one that it committed to: both stay
  kWrong,     // the dealer opened another one than it committed to: it is convicted and leaves
  kUnopened,  // the dealer did not open it in time and leaves
  kTooMany,   // more members complained about the dealer than can lie: it leaves and opens nothing
  // The holder says that its pre-shared key with the dealer is another one.
  kHolderLeft,
  kDealerLeft,
  kUndecided,  // one of the two left for another reason
  // The same where the two did not both deal with a key: who alone did leaves, and where neither
  // did the holder.
  kHolderAlone,
  kDealerAlone
};

struct Conflict {
  MemberId holder{};  // complained
  MemberId dealer{};  // about
  ConflictEnd end{};
  auto operator<=>(const Conflict&) const = default;
};

/// "A complained about B's share; B opened it and both stay": for logs and status.
std::string sentence(ConflictEnd end, const std::string& holder, const std::string& dealer);

/// Of the holders of one dealer's shares at most so many lie: C of them collude, and fewer than t
/// have a share of one honest dealer (on a ring by bound A of 2.4).
std::uint32_t most_liars(const wire::RoundHeader& header);

/// Two members with different pre-shared keys, the lower first, and who of them left because of it.
template <class Member>
using WhoLeft = std::map<std::pair<Member, Member>, Member>;

template <class Member>
std::pair<Member, Member> pair_of(Member one, Member other) {
  return one < other ? std::pair(one, other) : std::pair(other, one);
}

struct KeyRules {
  WhoLeft<std::uint32_t> earlier;  // the last time that a pair decided who leaves
  std::uint32_t most_liars = 0;    // of most_liars()
  std::size_t least = 0;           // fewest members that the round goes on with
};

struct KeysSettled {
  IndexSet members;             // that stay
  WhoLeft<std::uint32_t> left;  // pairs that decided who leaves
};

/// `complaints[i]`: members whose pre-shared key with i is another one, as i says. Members leave
/// until no such pair is left: who has more than `most_liars` of them, then who stayed in that pair
/// the last time, then who has more of them, then who complained, then the higher index. A pair
/// never decides twice running against the same one of the two. When too few would stay, those with
/// most pairs leave first, whoever's turn it is.
KeysSettled settle_keys(const IndexSet& members, const std::vector<IndexSet>& complaints,
                        const KeyRules& rules);

}  // namespace sotto::secagg
