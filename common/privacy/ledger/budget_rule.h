// How the lifetime budget of a data set is kept although later jobs are chosen by whoever saw
// earlier results. A sum of privacy losses bounds mechanisms that were fixed beforehand alone; for
// others there are two ways, and the ledger decides for one of them when a data set is first
// charged, before any result of it exists (docs/privacy.md, "The ledger"):
//   - a filter (Feldman and Zrnic 2021): the Renyi divergences of all charges at one order, fixed
//     then, add up to no more than the budget allows; any number of jobs;
//   - one job: its steps are all alike, so their privacy loss distribution bounds them; the budget
//     is this job's alone.
#pragma once

#include <optional>

#include "common/base/bytes.h"
#include "common/privacy/accounting/rdp_accountant.h"

namespace sotto::privacy {

struct BudgetRule {
  double order = 0;                // Renyi order of the filter; 0: no order bounds the first job
  std::optional<Bytes32> one_job;  // hash of the job whose alone the budget is; none: a filter
  double max_epsilon = 0;          // of the policy, for which this was decided
};

/// Epsilon at `delta` of charges whose Renyi divergences at `order` add up to `rdp`, however they
/// were chosen. Infinity at order 0.
double filter_epsilon(double order, double rdp, double delta);

/// The order at which releases with this curve fit most often into (max_epsilon, delta); 0 where no
/// order has room for any.
double best_order(const RdpAccountant& curve, double max_epsilon, double delta);

/// The sum at `order`; infinity for an order that is not among the accountant's.
double rdp_at(const RdpAccountant& accountant, double order);

}  // namespace sotto::privacy
