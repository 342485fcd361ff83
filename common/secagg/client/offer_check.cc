// The checks of a participant before it answers M0 (docs/secure-aggregation.md, "Round header").
// The coordinator chooses none of the parameters that they cover.
#include <algorithm>
#include <string>

#include "common/secagg/client/client.h"
#include "common/secagg/shared/transcript.h"
#include "common/wire/codec.h"

namespace sotto::secagg {
namespace {

constexpr std::uint8_t kAesCtr = 1;  // prg_id

struct Rule {
  bool holds;
  std::string otherwise;
};

Status first_broken(std::initializer_list<Rule> rules) {
  for (const Rule& rule : rules)
    if (!rule.holds) return Error{"offer refused: " + rule.otherwise};
  return {};
}

std::string number(std::uint64_t value) {
  return std::to_string(value);
}

/// Returns the cohort in the order of its indexes: by id, or on the ring that this site draws
/// itself.
Result<Cohort> cohort_of(const wire::Offer& offer, const std::vector<CohortMember>& roster,
                         const LocalRules& rules) {
  auto ranks = wire::from_bitmap(static_cast<std::uint32_t>(roster.size()), offer.cohort);
  if (!ranks.ok()) return Error{"offer refused: the cohort: " + ranks.error().message};
  std::vector<CohortMember> members;
  members.reserve(ranks->size());
  for (std::uint32_t rank : *ranks)
    members.push_back(roster[rank]);
  if (offer.header.graph == wire::Graph::kComplete || !rules.draw)
    return Cohort(std::move(members));
  return Cohort::on_ring(
      ring_order(rules.draw->shared_randomness, offer.header.round, std::move(members)));
}

Status check_identity(const wire::RoundHeader& header, const Cohort& cohort, MemberId self,
                      const LocalRules& rules) {
  return first_broken({
      {cohort.index_of(self).has_value(), "this member is not in the cohort"},
      {header.n == cohort.size(),
       "n is " + number(header.n) + ", the cohort has " + number(cohort.size()) + " members"},
      {header.cohort_hash == cohort.hash(), "the cohort hash is of another cohort or ring"},
      {header.roster_hash == rules.roster_hash, "the roster is not the one pinned here"},
      {header.run == rules.run, "it is for another run"},
      {header.config_hash == rules.config_hash, "the job is not the one agreed to"},
      {header.round > rules.last_round, "the round is not later than the last one of this run"},
  });
}

/// Checks the parameters, which follow from (n, C) and the policy. A header with other values is
/// refused, also when they are stricter; s_min alone may be larger.
Status check_parameters(const wire::RoundHeader& header, const LocalRules& rules) {
  const std::uint32_t min_colluders =
      rules.draw ? colluders_in_round(*rules.draw, rules.min_colluders) : rules.min_colluders;
  if (Status policy = first_broken({
          {header.n >= rules.min_cohort, "a cohort of " + number(header.n) +
                                             "; this site takes part only in cohorts of at least " +
                                             number(rules.min_cohort)},
          {header.C >= min_colluders, "protection against " + number(header.C) +
                                          " colluding members; this site requires " +
                                          number(min_colluders)},
      });
      !policy.ok())
    return policy;
  const auto expected = graph_parameters(header.n, header.C, rules.graph);
  if (!expected.ok()) return Error{"offer refused: " + expected.error().message};
  const Thresholds& thresholds = expected->thresholds;
  const std::uint32_t s_min = std::max({thresholds.s_min, rules.min_survivors, rules.min_cohort});
  return first_broken({
      {header.graph == expected->graph,
       std::string("the graph is not the ") +
           (expected->graph == wire::Graph::kComplete ? "complete one" : "circulant one")},
      {header.k == expected->k, "k is " + number(header.k) + ", not " + number(expected->k)},
      {header.q == expected->q, "q is " + number(header.q) + ", not " + number(expected->q)},
      {header.Q == thresholds.Q, "Q is " + number(header.Q) + ", not " + number(thresholds.Q)},
      {header.t == thresholds.t, "t is " + number(header.t) + ", not " + number(thresholds.t)},
      {header.witnesses == thresholds.witnesses,
       number(header.witnesses) + " witnesses, not " + number(thresholds.witnesses)},
      {header.s_min >= s_min,
       "s_min is " + number(header.s_min) + ", at least " + number(s_min) + " is demanded"},
      {header.s_min <= header.n, "s_min is more than the cohort has members"},
      {header.prg_id == kAesCtr, "the mask generator is unknown"},
  });
}

/// Checks the members of a drawn round, which the coordinator does not choose.
Status check_draw(const wire::RoundHeader& header, const Cohort& cohort, const LocalRules& rules) {
  if (!rules.draw)
    return first_broken(
        {{header.graph == wire::Graph::kComplete,
          "a circulant graph needs the shared randomness of the run, which does not exist"}});
  std::vector<MemberId> named;
  for (const CohortMember& member : cohort.members())
    named.push_back(member.id);
  std::ranges::sort(named);
  return first_broken({
      {header.round.attempt() < kMaxDrawnAttempts,
       "more attempts at a round than this site permits for a drawn ring"},
      {named == drawn_cohort(*rules.draw, header.round),
       "the cohort differs from the one that the shared randomness determines"},
  });
}

Status check_lanes(const wire::RoundHeader& header, const LocalRules& rules) {
  if (header.lanes != rules.lanes)
    return Error{"offer refused: the lanes do not follow from the job"};
  return {};
}

}  // namespace

Result<Cohort> check_offer(const wire::Offer& offer, const crypto::VerifyKey& coordinator,
                           const std::vector<CohortMember>& roster, MemberId self,
                           const LocalRules& rules) {
  if (!verify_offer(coordinator, offer))
    return Error{"offer refused: the coordinator's signature does not verify"};
  SOTTO_ASSIGN_OR_RETURN(auto cohort, cohort_of(offer, roster, rules));
  for (const Status& status :
       {check_identity(offer.header, cohort, self, rules), check_parameters(offer.header, rules),
        check_draw(offer.header, cohort, rules), check_lanes(offer.header, rules)})
    if (!status.ok()) return status.error();
  return cohort;
}

}  // namespace sotto::secagg
