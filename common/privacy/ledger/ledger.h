// What a site has spent, for ever. SQLite with synchronous=FULL and one writer: a charge is durable
// before the thing charged for leaves the site, is never refunded, and counts across rounds, jobs,
// runs and restarts by data-set identity. The ledger is the only maker of Released<T>, and only a
// Released<T> can be sent.
#pragma once

#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/privacy/accounting/accountant.h"
#include "common/privacy/ledger/budget_rule.h"

namespace sotto::privacy {

/// A value whose privacy cost has been paid durably.
template <class T>
class Released {
 public:
  Released(Released&&) noexcept = default;
  Released& operator=(Released&&) noexcept = default;
  Released(const Released&) = delete;
  Released& operator=(const Released&) = delete;

  [[nodiscard]] const T& get() const { return value_; }

  [[nodiscard]] T take() && { return std::move(value_); }

 private:
  friend class PrivacyLedger;

  explicit Released(T value) : value_(std::move(value)) {}

  T value_;
};

/// What one upload costs, in two currencies that are never added: one training example's privacy
/// (`steps`, `without_privacy`) and the participant's (`noise`). An upload with neither depends on
/// no protected data (a closing evaluation on the declared evaluation split); one with steps or
/// without privacy but without noise makes the participant-level epsilon infinite.
struct Charge {
  std::string dataset_id;  // identity of the protected data, the same across jobs and restarts
  RunId run{};
  RoundNumber round;
  Bytes32 job_hash{};
  std::optional<DpSgdSteps> steps;
  /// The trained update that is released, random; zero: nameless. A second release of the same one,
  /// in another round of the run, costs nothing more (docs/secure-aggregation.md, 2.7): the caller
  /// answers for what was released before having stayed closed.
  Bytes32 input{};
  bool without_privacy = false;  // training without DP: epsilon becomes infinite for this data set
  std::optional<NoisyRounds> noise{};  // of the sum that the upload goes into
  std::string job_name{};              // for people
  /// Releases with such steps that the job plans in all. Not written down: what a data set's first
  /// job plans decides how its budget is kept.
  std::uint64_t planned = 1;
};

/// What one job may cost a data set. A job is what its hash names: all its runs, resumed or begun
/// again, count together, with all attempts at their rounds.
struct JobBudget {
  double max_epsilon = std::numeric_limits<double>::infinity();
  /// Of the second and further charges of the job's rounds, composed by themselves.
  double max_lost_epsilon = std::numeric_limits<double>::infinity();
  double delta = 1e-5;  // of both
};

struct Budget {
  double max_epsilon = 0;  // lifetime of the data set; infinity = unlimited (demonstrations say so)
  double delta = 0;
  double max_participant_epsilon = std::numeric_limits<double>::infinity();  // at the same delta
  JobBudget job{};
};

enum class Limit : std::uint8_t {
  kLifetime,      // max_epsilon
  kEnded,         // a job without differential privacy was charged, and max_epsilon is finite
  kOtherJob,      // the lifetime budget is one job's alone, and it is another one
  kJob,           // JobBudget::max_epsilon
  kLostAttempts,  // JobBudget::max_lost_epsilon
  kParticipant    // max_participant_epsilon
};

struct Refusal {
  Limit limit{};
  std::string message;  // with figures: for this site's people alone
};

struct LedgerEntry {
  Charge charge;
  std::string when_utc;      // for people
  double epsilon_after = 0;  // at the budget's delta, composed over the data set's whole history
  double participant_epsilon_after = 0;
};

/// Two statements about the same history, each at the same delta.
struct Spent {
  double epsilon = 0;              // of one training example
  double participant_epsilon = 0;  // of everything the participant sent
};

/// What the rest of a job would come to.
struct JobOutlook {
  Spent before, after;      // of the data set
  double lost_epsilon = 0;  // after it, of what JobBudget::max_lost_epsilon limits
  std::vector<Refusal> refusals;
  bool takes_whole_budget = false;  // no other job could be charged after it
};

/// One thread. One process writes: a second one that opens the same file gets an Error.
class PrivacyLedger {
 public:
  static Result<PrivacyLedger> open(const std::filesystem::path& file);
  /// What the file holds now, while another process may write it. Nothing can be charged to it, and
  /// neither the file nor its writer is touched. Empty where there is no file.
  static Result<PrivacyLedger> read(const std::filesystem::path& file);
  PrivacyLedger(PrivacyLedger&&) noexcept;
  PrivacyLedger& operator=(PrivacyLedger&&) noexcept;
  ~PrivacyLedger();

  /// Epsilon spent on a data set so far at `delta`; 0 when unknown. By privacy loss distribution
  /// where one job was charged, by the data set's filter where several were.
  [[nodiscard]] Result<double> spent(const std::string& dataset_id, double delta) const;
  [[nodiscard]] Result<Spent> both_spent(const std::string& dataset_id, double delta) const;
  /// How the budget of the data set is kept; nothing before the first charge with a limit.
  [[nodiscard]] Result<std::optional<BudgetRule>> rule(const std::string& dataset_id) const;
  /// Why charge_and_release() would refuse the charge; empty where it would not.
  [[nodiscard]] Result<std::vector<Refusal>> refusals(const Charge& charge,
                                                      const Budget& budget) const;
  /// Of the releases of the job that the charge's run still plans: `charge` is of one of them, the
  /// rounds of its noise are those of the whole job.
  [[nodiscard]] Result<JobOutlook> outlook(const Charge& charge, const Budget& budget) const;
  [[nodiscard]] Result<std::vector<LedgerEntry>> entries(const std::string& dataset_id,
                                                         double delta) const;

  /// Checks the budget, writes the charge durably, then hands the value back as releasable. With
  /// the first charge of a data set it is written, in the same transaction, how its budget is kept.
  /// Over budget, disk full or a write that fails: an Error, and the value is destroyed. The same
  /// (run, round) for the same data set a second time is refused: nothing is released twice. An
  /// input that is known gets an entry of this round without a cost.
  template <class T>
  Result<Released<T>> charge_and_release(const Charge& charge, const Budget& budget, T value) {
    SOTTO_TRY(record(charge, budget));
    return Released<T>(std::move(value));
  }

 private:
  struct Impl;
  explicit PrivacyLedger(std::unique_ptr<Impl> impl);
  Status record(Charge charge, const Budget& budget);

  std::unique_ptr<Impl> impl_;
};

}  // namespace sotto::privacy
