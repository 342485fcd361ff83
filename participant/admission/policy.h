// The policy decides which jobs this site accepts. No other code decides it; the coordinator only
// proposes jobs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/config/hours.h"
#include "common/config/job.h"
#include "common/config/site.h"
#include "common/wire/messages.h"

namespace sotto::participant {

/// Properties of the job's model, from the site's own copy of its files.
struct ModelFacts {
  std::string family;                // config.json's model_type
  std::vector<std::string> modules;  // modules whose parameters or adapters are trained and sent,
                                     // by name; an adapter's ends in kAdapterOf
  double model_mb = 0;               // fetched for a round, in units of 10^6 bytes
  double update_mb = 0;              // sent in a round, in units of 10^6 bytes
};

/// Ends the name of a module of which only an adapter is trained.
inline constexpr std::string_view kAdapterOf = " (adapter)";

/// The privacy cost of the job for this site's data.
struct PrivacyCost {
  double epsilon_spent = 0;      // by the data set so far, at the policy's delta
  double epsilon_after_job = 0;  // if the whole job runs
  double job_epsilon = 0;        // of this job alone at its delta; infinity without DP
  // The limits that the ledger would enforce against the whole job.
  bool beyond_lifetime = false;
  std::string lifetime_reason{};  // set if the limit is another than the sum; may be sent
  bool beyond_job = false;
  bool takes_whole_budget = false;    // no other job could be charged after it
  double lost_epsilon_after_job = 0;  // of further charges of the same rounds, at the job's delta
  double noise_multiplier = 0;        // that this site would use
  double participant_epsilon_spent = 0;      // of everything sent, at the policy's delta
  double participant_epsilon_after_job = 0;  // likewise
  double participant_noise_multiplier = 0;   // inside the smallest sum
  std::uint64_t training_units = 0;  // declared: training examples, or persons if the job protects
                                     // these
};

/// The federation that offers the job.
struct FederationFacts {
  std::uint32_t participants = 0;  // in the roster
  Bytes32 coordinator{};           // signing key
};

/// The approvals that are in force.
struct Consent {
  bool to_kind = false;
  bool to_job = false;
};

/// The admission context: what the site knows besides the job when it decides. A missing field was
/// not determined yet, and the rules about it are open.
struct JobContext {
  std::optional<FederationFacts> federation{};
  std::optional<config::LocalTime> now{};
  std::optional<Consent> consent{};
  std::optional<ModelFacts> model{};
  std::optional<PrivacyCost> cost{};
};

/// A declaration that the job needs and site.json lacks.
struct Undeclared {
  std::string reason;  // may be sent
  std::string detail;  // for the site only: the line to add
};

/// Returns the declaration that is missing, or no value if the job can be evaluated: a job with
/// differential privacy needs data.training_examples, or data.columns.person and
/// data.training_persons if it protects persons, and one with labels needs data.labels with
/// all of them. Reads no record.
std::optional<Undeclared> undeclared(const config::SiteData& data, const config::JobConfig& job);

/// The reason that is sent to the coordinator if a file or a record of this site prevents the job.
/// There is one sentence for all causes, because a difference would reveal what is in the data.
inline constexpr std::string_view kFilesDoNotFit =
    "this site's files do not fit the job; its own log says why";

enum class RuleOutcome : std::uint8_t {
  kMet,
  kUndecided,  // cannot be decided from what is known
  kPostponed,  // not met, but time or an approval may change that under the same policy
  kViolated
};

/// The policy result: one rule of site.json applied to one job.
struct PolicyResult {
  std::string_view rule;  // key under "policy"
  RuleOutcome outcome{};
  std::string asked;    // the job's value, for the site only
  std::string allowed;  // what the policy permits
  std::string reason;   // of kPostponed and kViolated: a sentence with both that may be sent;
                        // follows from the job, the policy, the declared sizes and the ledger
};

/// Applies the policy to a job. Returns every key of the policy at least once, in the order of
/// site.json's reference.
std::vector<PolicyResult> evaluate_policy(const config::SitePolicy& policy,
                                          const config::JobConfig& job, const JobContext& context);

using Answer = wire::JobAnswer;

/// Returns the answer that follows from the results. Open rules do not prevent acceptance: they are
/// evaluated again when what they need is known.
Answer answer_of(const std::vector<PolicyResult>& policy_results);
/// Returns the reasons of all rules that are not met, each with its rule, as one line.
std::string reasons_of(const std::vector<PolicyResult>& policy_results);

/// Returns warnings for the site only: a sentence for each delta, the job's and the lifetime's,
/// that is 1 / `training_units` or more. Such a guarantee would also hold for a mechanism that
/// publishes whole units. `training_units` is the declared number.
std::vector<std::string> delta_warnings(const config::SitePolicy& policy,
                                        const config::JobConfig& job, std::uint64_t training_units);

/// The longest time in seconds that a round, and the whole job with all its attempts, may take by
/// the job's own limits.
std::uint64_t longest_round_s(const config::JobConfig& job);
double longest_run_s(const config::JobConfig& job);

}  // namespace sotto::participant
