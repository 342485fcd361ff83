#include "common/secagg/shared/abort.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/base/parallel.h"
#include "common/secagg/shared/transcript.h"

namespace sotto::secagg {

Status check_abort_certificate(const wire::AbortCertificate& m8, const AbortRules& rules,
                               unsigned threads) {
  if (m8.votes.size() < rules.Q)
    return Error{"an abort certificate has " + std::to_string(m8.votes.size()) + " votes, but " +
                 std::to_string(rules.Q) + " are needed"};
  const auto who = [&](std::size_t i) { return "member " + std::to_string(raw(m8.votes[i].id)); };
  IndexSet voters;
  for (std::size_t i = 0; i < m8.votes.size(); ++i) {
    const auto index = rules.cohort.index_of(m8.votes[i].id);
    if (!index)
      return Error{"an abort certificate has a vote of " + who(i) + ", which is not in the cohort"};
    if (*index >= rules.witnesses)
      return Error{"an abort certificate has a vote of " + who(i) + ", which is not a witness"};
    if (!voters.empty() && voters.back() >= *index)
      return Error{"the votes of an abort certificate are not in order at " + who(i)};
    voters.push_back(*index);
  }
  const auto forged = first_bad(voters.size(), threads, [&](std::size_t i) {
    return verify_abort_vote(rules.cohort.at(voters[i]).verify_key, rules.h, m8.votes[i]);
  });
  if (forged) return Error{"an abort certificate has a bad signature of " + who(*forged)};
  return {};
}

AbortBallot::AbortBallot(AbortRules rules) : rules_(std::move(rules)) {}

MessageResult AbortBallot::accept(const wire::AbortVote& vote) {
  const auto index = rules_.cohort.index_of(vote.id);
  if (!index)
    return MessageResult::rejected("abort vote: the sender is not a member of the cohort");
  if (*index >= rules_.witnesses)
    return MessageResult::ignored("abort vote: the sender is not a witness");
  if (!verify_abort_vote(rules_.cohort.at(*index).verify_key, rules_.h, vote))
    return MessageResult::rejected("abort vote: the signature is bad or covers another round");
  if (!votes_.emplace(*index, vote).second) return MessageResult::ignored("repeated");
  voted_.insert(std::ranges::lower_bound(voted_, *index), *index);
  return MessageResult::accepted();
}

wire::AbortCertificate AbortBallot::certificate() const {
  SOTTO_CHECK(has_quorum(), "an abort certificate has Q votes");
  wire::AbortCertificate m8;
  for (const auto& [index, vote] : votes_)
    m8.votes.push_back(vote);
  return m8;
}

}  // namespace sotto::secagg
