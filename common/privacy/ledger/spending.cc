#include "common/privacy/ledger/spending.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

namespace sotto::privacy {

namespace {

constexpr double kUnlimited = std::numeric_limits<double>::infinity();

std::string shown(double epsilon) {
  if (std::isinf(epsilon)) return "infinity";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4g", epsilon);
  return text.data();
}

std::string short_hash(const Bytes32& hash) {
  return to_hex(hash).substr(0, 16);
}

class Decider {
 public:
  Decider(const Spending& before, const Spending& after, const Charge& charge, const Budget& budget)
      : before_(before), after_(after), charge_(charge), budget_(budget) {}

  Result<Decision> take(const std::optional<BudgetRule>& kept) {
    out_.rule = kept;
    if (charge_.steps) {
      if (budget_.max_epsilon < kUnlimited) SOTTO_TRY(lifetime());
      job();
    } else if (charge_.without_privacy && budget_.max_epsilon < kUnlimited) {
      refuse(Limit::kLifetime, "a release without differential privacy costs more than any budget");
    }
    const double participant = after_.participant_epsilon(budget_.delta);
    if (!(participant <= budget_.max_participant_epsilon))
      over(Limit::kParticipant, "the participant-level budget",
           before_.participant_epsilon(budget_.delta), participant,
           budget_.max_participant_epsilon);
    return std::move(out_);
  }

 private:
  void refuse(Limit limit, std::string message) {
    out_.refusals.push_back({limit, charge_.dataset_id + ": " + std::move(message)});
  }

  void over(Limit limit, const std::string& what, double spent, double next, double most) {
    refuse(limit, "over " + what + " at delta " + shown(budget_.delta) + ": epsilon spent " +
                      shown(spent) + ", with this release " + shown(next) + ", budget " +
                      shown(most));
  }

  /// Returns whether `job` is the job of the charge and all earlier charges with DP-SGD are of it.
  [[nodiscard]] bool is_alone(const Bytes32& job) const {
    return charge_.job_hash == job &&
           std::ranges::all_of(before_.jobs(), [&](const Bytes32& b) { return b == job; });
  }

  [[nodiscard]] double by_filter(const Spending& spending, double order) const {
    return filter_epsilon(order, rdp_at(spending.curve(), order), budget_.delta);
  }

  /// Chooses the rule before anything of the data set was released. For a ledger of an older
  /// version, or one without a limit so far, the choice depends on its charges.
  Result<BudgetRule> first_rule() const {
    const bool first = is_alone(charge_.job_hash);
    RdpAccountant plan;
    DpSgdSteps steps = *charge_.steps;
    steps.steps *= std::max<std::uint64_t>(charge_.planned, 1);
    SOTTO_TRY(plan.add(steps));
    BudgetRule rule{
        .order = best_order(first ? plan : before_.curve(), budget_.max_epsilon, budget_.delta),
        .max_epsilon = budget_.max_epsilon};
    const double whole = std::max(rdp_at(plan, rule.order), rdp_at(after_.curve(), rule.order));
    if (first && !(filter_epsilon(rule.order, whole, budget_.delta) <= budget_.max_epsilon))
      rule.one_job = charge_.job_hash;
    return rule;
  }

  Status lifetime() {
    if (before_.examples_unbounded()) {
      refuse(Limit::kEnded,
             "a job without differential privacy was charged on this data set, so that no epsilon "
             "bounds its loss any more; a job with a limit can be charged only on other data");
      return {};
    }
    if (after_.units().size() > 1) {
      refuse(Limit::kOtherUnit, other_unit());
      return {};
    }
    if (!out_.rule) {
      SOTTO_ASSIGN_OR_RETURN(BudgetRule first, first_rule());
      out_.rule = first;
    }
    BudgetRule& rule = *out_.rule;
    const double next = by_filter(after_, rule.order);
    if (!rule.one_job) {
      if (!(next <= budget_.max_epsilon))
        over(Limit::kLifetime, "budget by the Renyi filter of order " + shown(rule.order),
             by_filter(before_, rule.order), next, budget_.max_epsilon);
      return {};
    }
    const double limit = std::min(rule.max_epsilon, budget_.max_epsilon);
    const bool alone = is_alone(*rule.one_job);
    if (alone && after_.examples().within(limit, budget_.delta)) return {};
    // An owner who raises the budget causes a new decision; the filter then covers everything.
    if (budget_.max_epsilon > rule.max_epsilon && next <= budget_.max_epsilon) {
      rule = {.order = rule.order, .max_epsilon = budget_.max_epsilon};
    } else if (alone) {
      over(Limit::kLifetime, "budget", before_.examples().epsilon(budget_.delta),
           after_.examples().epsilon(budget_.delta), limit);
    } else {
      refuse_other_job(next);
    }
    return {};
  }

  [[nodiscard]] std::string other_unit() const {
    return charge_.unit == ProtectedUnit::kPerson
               ? "earlier jobs protected single examples on this data set, so that no epsilon "
                 "bounds "
                 "what a person has lost; a job that protects persons can be charged only on other "
                 "data"
               : "earlier jobs protected persons on this data set, and a job that protects single "
                 "examples would end that bound; it can be charged only on other data";
  }

  void refuse_other_job(double needed) {
    refuse(Limit::kOtherJob,
           "the budget of epsilon " + shown(out_.rule->max_epsilon) + " belongs to the job " +
               short_hash(*out_.rule->one_job) +
               " alone, because all of that job fits into it only by a calculation that holds for "
               "one job" +
               (std::isfinite(needed)
                    ? "; this release needs a policy.max_epsilon above that, of at least " +
                          shown(needed)
                    : std::string()));
  }

  [[nodiscard]] bool fits(const ExampleAccountant& spent, double limit) const {
    return limit == kUnlimited || spent.within(limit, budget_.job.delta);
  }

  /// Checks the limits for all runs of the job, with all attempts.
  void job() {
    const JobBudget& limits = budget_.job;
    if (!fits(after_.of_job(), limits.max_epsilon))
      refuse(Limit::kJob, "over the budget of one job at delta " + shown(limits.delta) +
                              ": epsilon of the job " + short_hash(charge_.job_hash) + " so far " +
                              shown(before_.of_job().epsilon(limits.delta)) +
                              ", with this release " +
                              shown(after_.of_job().epsilon(limits.delta)) +
                              ", policy.max_epsilon_per_job " + shown(limits.max_epsilon));
    if (!fits(after_.repeated(), limits.max_lost_epsilon))
      refuse(Limit::kLostAttempts,
             "over what one job may cost for attempts that were lost, at delta " +
                 shown(limits.delta) + ": epsilon of the further charges of its rounds so far " +
                 shown(before_.repeated().epsilon(limits.delta)) + ", with this release " +
                 shown(after_.repeated().epsilon(limits.delta)) +
                 ", policy.max_lost_epsilon_per_job " + shown(limits.max_lost_epsilon));
  }

  const Spending& before_;
  const Spending& after_;
  const Charge& charge_;
  const Budget& budget_;
  Decision out_;
};

}  // namespace

Status Spending::add(const Charge& charge) {
  const bool trained = charge.steps || charge.without_privacy;
  examples_unbounded_ = examples_unbounded_ || charge.without_privacy;
  participant_unbounded_ = participant_unbounded_ || (trained && !charge.noise);
  if (charge.steps) {
    SOTTO_TRY(examples_.add(*charge.steps));
    SOTTO_TRY(curve_.add(*charge.steps));
    jobs_.insert(charge.job_hash);
    units_.insert(charge.unit);
    if (charge.job_hash == job_) SOTTO_TRY(of_job_.add(*charge.steps));
  }
  return charge.noise ? participant_.add(*charge.noise) : Status{};
}

double Spending::participant_epsilon(double delta) const {
  return participant_unbounded_ ? kUnlimited : participant_.epsilon(delta);
}

Spent Spending::at(double delta, const std::optional<BudgetRule>& rule) const {
  const auto examples = [&] {
    if (examples_unbounded_ || units_.size() > 1) return kUnlimited;
    if (jobs_.size() <= 1) return examples_.epsilon(delta);
    return rule ? filter_epsilon(rule->order, rdp_at(curve_, rule->order), delta)
                : curve_.epsilon(delta);
  };
  return {
      .epsilon = examples(), .participant_epsilon = participant_epsilon(delta), .units = units_};
}

Result<Decision> decide(const Spending& before, const Spending& after,
                        const std::optional<BudgetRule>& kept, const Charge& charge,
                        const Budget& budget) {
  return Decider(before, after, charge, budget).take(kept);
}

}  // namespace sotto::privacy
