// What the charges of a data set come to, and whether more may be added to them. No file; ledger.cc
// alone uses it.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "common/privacy/accounting/example_accountant.h"
#include "common/privacy/ledger/budget_rule.h"
#include "common/privacy/ledger/ledger.h"

namespace sotto::privacy {

/// What a data set has spent, in a form that adds up: the two statements apart, and of the example
/// level the part of one job.
class Spending {
 public:
  /// `job`: whose part is kept apart.
  explicit Spending(const Bytes32& job = {}) : job_(job) {}

  Status add(const Charge& charge);

  /// Of steps that were added: they were the second or a further charge of a round of the job.
  Status add_repeated(const DpSgdSteps& steps) { return repeated_.add(steps); }

  /// Both statements. With several jobs the example-level one is the filter's, at the order of
  /// `rule`; where none is fixed yet, at the order that gives the least.
  [[nodiscard]] Spent at(double delta, const std::optional<BudgetRule>& rule) const;
  [[nodiscard]] double participant_epsilon(double delta) const;

  /// Whether a job without DP-SGD was charged.
  [[nodiscard]] bool examples_unbounded() const { return examples_unbounded_; }

  /// Jobs with DP-SGD.
  [[nodiscard]] const std::set<Bytes32>& jobs() const { return jobs_; }

  [[nodiscard]] const ExampleAccountant& examples() const { return examples_; }

  [[nodiscard]] const RdpAccountant& curve() const { return curve_; }

  [[nodiscard]] const ExampleAccountant& of_job() const { return of_job_; }

  [[nodiscard]] const ExampleAccountant& repeated() const { return repeated_; }

 private:
  Bytes32 job_;
  std::set<Bytes32> jobs_;
  ExampleAccountant examples_, of_job_, repeated_;
  RdpAccountant curve_;  // of all examples' steps
  RdpAccountant participant_;
  bool examples_unbounded_ = false;
  bool participant_unbounded_ = false;
};

/// Whether a charge may be added, and what has to be written with it.
struct Decision {
  std::vector<Refusal> refusals;   // none: it may
  std::optional<BudgetRule> rule;  // in force afterwards; none: still undecided
};

/// `charge`: of one release; `after`: `before` with all that is to be added, made for the charge's
/// job; `kept`: what was decided for the data set.
Result<Decision> decide(const Spending& before, const Spending& after,
                        const std::optional<BudgetRule>& kept, const Charge& charge,
                        const Budget& budget);

}  // namespace sotto::privacy
