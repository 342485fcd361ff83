// The privacy ledger: a site's durable record of its charges. It is an SQLite database with
// synchronous=FULL and one writer. A charge is durable before what it pays for leaves the site, is
// never refunded, and counts across rounds, jobs, runs and restarts by the identity of the data
// set. Only the ledger makes Released<T>, and only a Released<T> can be sent.
#pragma once

#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/privacy/accounting/accountant.h"
#include "common/privacy/accounting/protected_unit.h"
#include "common/privacy/ledger/budget_rule.h"

namespace sotto::privacy {

/// A Released<T> holds a value whose privacy cost has been charged durably.
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

/// Charge is the cost of one upload under two guarantees that are never added: that for one unit,
/// an example or a person (`steps`, `without_privacy`), and the participant level (`noise`). An
/// upload with neither depends on no protected data (a closing evaluation on the declared
/// evaluation split). An upload with steps or without privacy, but without noise, makes the
/// participant-level epsilon infinite.
struct Charge {
  std::string dataset_id;  // identity of the protected data, the same across jobs and restarts
  RunId run{};
  RoundNumber round;
  Bytes32 job_hash{};
  std::optional<DpSgdSteps> steps;
  /// The unit that was sampled in the steps, and for persons the most examples of one of them that
  /// were used, at least 1. For examples it is 1.
  ProtectedUnit unit = ProtectedUnit::kExample;
  std::uint32_t examples_per_person = 1;
  /// The identity of the trained update that is released, a random value; zero: none. A second
  /// release of the same update, in another round of the run, has no further cost
  /// (docs/secure-aggregation.md, 2.7); the caller guarantees that the earlier release was never
  /// opened.
  Bytes32 input{};
  bool without_privacy = false;  // training without DP: epsilon becomes infinite for this data set
  std::optional<NoisyRounds> noise{};  // of the sum that the upload goes into
  std::string job_name{};              // for display
  /// The number of releases with such steps that the job plans in all. It is not stored; the plan
  /// of a data set's first job determines how its budget is kept.
  std::uint64_t planned = 1;
};

/// JobBudget limits what one job may cost a data set. A job is identified by its hash: all its
/// runs, resumed or started again, count together, with all attempts at their rounds.
struct JobBudget {
  double max_epsilon = std::numeric_limits<double>::infinity();
  /// The limit for the second and further charges of the job's rounds, composed by themselves.
  double max_lost_epsilon = std::numeric_limits<double>::infinity();
  double delta = 1e-5;  // of both limits
};

struct Budget {
  double max_epsilon = 0;  // lifetime of the data set; infinity: unlimited
  double delta = 0;
  double max_participant_epsilon = std::numeric_limits<double>::infinity();  // at the same delta
  JobBudget job{};
};

enum class Limit : std::uint8_t {
  kLifetime,      // max_epsilon
  kEnded,         // a job without differential privacy was charged, and max_epsilon is finite
  kOtherUnit,     // the lifetime budget is kept for another unit than the charge protects
  kOtherJob,      // the lifetime budget is reserved for another job
  kJob,           // JobBudget::max_epsilon
  kLostAttempts,  // JobBudget::max_lost_epsilon
  kParticipant    // max_participant_epsilon
};

struct Refusal {
  Limit limit{};
  std::string message;  // contains figures: for the site's own people only
};

struct LedgerEntry {
  Charge charge;
  std::string when_utc;      // for display
  double epsilon_after = 0;  // at the budget's delta, composed over the data set's whole history
  double participant_epsilon_after = 0;
};

/// The cost of a history under the two guarantees, each at the same delta.
struct Spent {
  double epsilon = 0;               // of one unit; infinite where charges of both units were mixed
  double participant_epsilon = 0;   // of everything that the participant sent
  std::set<ProtectedUnit> units{};  // of the charges with steps: none before the first one
};

/// JobOutlook is the cost of the rest of a job.
struct JobOutlook {
  Spent before, after;      // of the data set
  double lost_epsilon = 0;  // after it, of the charges that JobBudget::max_lost_epsilon limits
  std::vector<Refusal> refusals;
  bool takes_whole_budget = false;  // no other job could be charged after it
};

/// PrivacyLedger is an open ledger. One thread at a time may use it, and one process writes it: a
/// second process that opens the same file gets an Error.
class PrivacyLedger {
 public:
  static Result<PrivacyLedger> open(const std::filesystem::path& file);
  /// Returns a ledger with the present contents of the file, which another process may be writing.
  /// The file and its writer are not affected, and nothing can be charged to the result. Without a
  /// file the result is empty.
  static Result<PrivacyLedger> read(const std::filesystem::path& file);
  PrivacyLedger(PrivacyLedger&&) noexcept;
  PrivacyLedger& operator=(PrivacyLedger&&) noexcept;
  ~PrivacyLedger();

  /// Returns the epsilon spent on a data set so far at `delta`; 0 for an unknown one. It is
  /// computed by privacy loss distribution where one job was charged, and by the data set's filter
  /// where several were.
  [[nodiscard]] Result<double> spent(const std::string& dataset_id, double delta) const;
  [[nodiscard]] Result<Spent> both_spent(const std::string& dataset_id, double delta) const;
  /// Returns how the budget of the data set is kept; nothing before the first charge with a limit.
  [[nodiscard]] Result<std::optional<BudgetRule>> rule(const std::string& dataset_id) const;
  /// Returns the reasons for which charge_and_release() would refuse the charge; empty where it
  /// would accept it.
  [[nodiscard]] Result<std::vector<Refusal>> refusals(const Charge& charge,
                                                      const Budget& budget) const;
  /// Returns the cost of the releases that the job of the charge's run still plans. `charge` is
  /// that of one of them, with the noise rounds of the whole job.
  [[nodiscard]] Result<JobOutlook> outlook(const Charge& charge, const Budget& budget) const;
  [[nodiscard]] Result<std::vector<LedgerEntry>> entries(const std::string& dataset_id,
                                                         double delta) const;

  /// Checks the budget, stores the charge durably, then returns the value as releasable. The first
  /// charge of a data set stores in the same transaction how its budget is kept. Returns an Error
  /// and destroys the value when the budget is exceeded, the disk is full or a write fails. The
  /// same (run, round) is refused a second time for the same data set, so that nothing is released
  /// twice. An input that was charged before gets an entry of this round without a cost.
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
