#include "common/secagg/burn.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "common/secagg/transcript.h"

namespace sotto::secagg {

Status check_burn_certificate(const wire::BurnCertificate& m8, const BurnRules& rules) {
  if (m8.votes.size() < rules.Q)
    return Error{"a burn certificate of " + std::to_string(m8.votes.size()) + " votes; " +
                 std::to_string(rules.Q) + " are needed"};
  std::optional<std::uint32_t> previous;
  for (const wire::BurnVote& vote : m8.votes) {
    const std::string who = "member " + std::to_string(raw(vote.id));
    const auto index = rules.cohort.index_of(vote.id);
    if (!index) return Error{"a burn certificate with a vote of " + who + ", not of the cohort"};
    if (previous && *previous >= *index)
      return Error{"a burn certificate whose votes are not in order at " + who};
    if (!verify_burn_vote(rules.cohort.at(*index).verify_key, rules.h, vote))
      return Error{"a burn certificate with a bad signature of " + who};
    previous = index;
  }
  return {};
}

BurnBallot::BurnBallot(BurnRules rules) : rules_(std::move(rules)) {}

Verdict BurnBallot::accept(const wire::BurnVote& vote) {
  const auto index = rules_.cohort.index_of(vote.id);
  if (!index) return Verdict::rejected("burn vote: not a member of the cohort");
  if (!verify_burn_vote(rules_.cohort.at(*index).verify_key, rules_.h, vote))
    return Verdict::rejected("burn vote: bad signature, or over another round");
  if (!votes_.emplace(*index, vote).second) return Verdict::ignored("repeated");
  voted_.insert(std::ranges::lower_bound(voted_, *index), *index);
  return Verdict::accepted();
}

wire::BurnCertificate BurnBallot::certificate() const {
  SOTTO_CHECK(has_quorum(), "a burn certificate has Q votes");
  wire::BurnCertificate m8;
  for (const auto& [index, vote] : votes_)
    m8.votes.push_back(vote);
  return m8;
}

}  // namespace sotto::secagg
