// The composed cost of the charges of a data set, and the decision whether more may be added.
// Nothing here accesses a file; only ledger.cc uses it.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "common/privacy/accounting/example_accountant.h"
#include "common/privacy/ledger/budget_rule.h"
#include "common/privacy/ledger/ledger.h"

namespace sotto::privacy {

/// Spending is the cost of a data set in a form that can be added to: the two guarantees
/// separately, and at the example level also the part of one job.
class Spending {
 public:
  /// `job` is the job whose part is kept separately.
  explicit Spending(const Bytes32& job = {}) : job_(job) {}

  Status add(const Charge& charge);

  /// Marks steps that were already added as the second or a further charge of a round of the job.
  Status add_repeated(const DpSgdSteps& steps) { return repeated_.add(steps); }

  /// Returns epsilon under both guarantees. With several jobs that of one unit is that of the
  /// filter at the order of `rule`; where no order is fixed yet, at the order that gives the least.
  [[nodiscard]] Spent at(double delta, const std::optional<BudgetRule>& rule) const;
  [[nodiscard]] double participant_epsilon(double delta) const;

  /// Returns whether a job without DP-SGD was charged.
  [[nodiscard]] bool examples_unbounded() const { return examples_unbounded_; }

  /// Returns the units of the charges with DP-SGD. No epsilon holds where there are two: a charge
  /// for an example bounds nothing for a person with any number of examples, and the examples of a
  /// person are exchanged, not added or removed, when the data set of her charges loses one.
  [[nodiscard]] const std::set<ProtectedUnit>& units() const { return units_; }

  /// Returns the jobs with DP-SGD.
  [[nodiscard]] const std::set<Bytes32>& jobs() const { return jobs_; }

  [[nodiscard]] const ExampleAccountant& examples() const { return examples_; }

  [[nodiscard]] const RdpAccountant& curve() const { return curve_; }

  [[nodiscard]] const ExampleAccountant& of_job() const { return of_job_; }

  [[nodiscard]] const ExampleAccountant& repeated() const { return repeated_; }

 private:
  Bytes32 job_;
  std::set<Bytes32> jobs_;
  std::set<ProtectedUnit> units_;
  ExampleAccountant examples_, of_job_, repeated_;
  RdpAccountant curve_;  // of the steps of all jobs
  RdpAccountant participant_;
  bool examples_unbounded_ = false;
  bool participant_unbounded_ = false;
};

/// Decision says whether a charge may be added, and which rule has to be stored with it.
struct Decision {
  std::vector<Refusal> refusals;   // none: it may be added
  std::optional<BudgetRule> rule;  // in force afterwards; none: not chosen yet
};

/// Decides about a charge. `charge` is that of one release; `after` is `before` with everything
/// that is to be added, made for the charge's job; `kept` is the rule that was chosen for the data
/// set.
Result<Decision> decide(const Spending& before, const Spending& after,
                        const std::optional<BudgetRule>& kept, const Charge& charge,
                        const Budget& budget);

}  // namespace sotto::privacy
