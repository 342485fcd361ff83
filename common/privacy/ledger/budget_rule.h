// BudgetRule: how the lifetime budget of a data set is kept when later jobs are chosen adaptively,
// by somebody who has seen earlier results. A sum of privacy losses bounds only mechanisms that
// were fixed beforehand; for the others there are two rules. The ledger chooses one of them when a
// data set is first charged, before any result of it exists (docs/privacy.md, "The ledger"):
//   - a filter (Feldman and Zrnic 2021): the Renyi divergences of all charges at one order, fixed
//     then, add up to no more than the budget allows; any number of jobs may be charged;
//   - one job: its steps are all alike, so their privacy loss distribution bounds them; no other
//     job may be charged.
#pragma once

#include <optional>

#include "common/base/bytes.h"
#include "common/privacy/accounting/rdp_accountant.h"

namespace sotto::privacy {

struct BudgetRule {
  double order = 0;                // Renyi order of the filter; 0: no order bounds the first job
  std::optional<Bytes32> one_job;  // hash of the only job that may be charged; none: a filter
  double max_epsilon = 0;          // of the policy, for which the rule was chosen
};

/// Returns epsilon at `delta` of adaptively chosen charges whose Renyi divergences at `order` add
/// up to `rdp`. Infinity at order 0.
double filter_epsilon(double order, double rdp, double delta);

/// Returns the order at which the most releases with this curve fit into (max_epsilon, delta); 0
/// where not a single one fits at any order.
double best_order(const RdpAccountant& curve, double max_epsilon, double delta);

/// Returns the accountant's sum at `order`; infinity for an order that it does not have.
double rdp_at(const RdpAccountant& accountant, double order);

}  // namespace sotto::privacy
