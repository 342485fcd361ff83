// What this site agrees to, decided here and nowhere else: the coordinator proposes.
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

/// What the job's model turns out to be, from the site's own copy of its files.
struct ModelFacts {
  std::string family;                // config.json's model_type
  std::vector<std::string> modules;  // whose parameters or adapters are trained and sent, by name;
                                     // an adapter's ends in kAdapterOf
  double model_mb = 0;               // fetched for a round, in 10^6 bytes
  double update_mb = 0;              // sent in a round
};

/// At the end of the name of a module of which an adapter is trained, and not itself.
inline constexpr std::string_view kAdapterOf = " (adapter)";

/// What the job would cost this site's data.
struct PrivacyCost {
  double epsilon_spent = 0;      // by the data set so far, at the policy's delta
  double epsilon_after_job = 0;  // if the whole job runs
  double job_epsilon = 0;        // of this job alone at its delta; infinity without DP
  // Which limits the ledger would keep against the whole job.
  bool beyond_lifetime = false;
  std::string lifetime_reason{};  // where it is another one than the sum; fit for the other side
  bool beyond_job = false;
  bool takes_whole_budget = false;    // no other job could be charged after it
  double lost_epsilon_after_job = 0;  // of further charges of the same rounds, at the job's delta
  double noise_multiplier = 0;        // that would be used here
  double participant_epsilon_spent = 0;      // of everything sent, at the policy's delta
  double participant_epsilon_after_job = 0;  // likewise
  double participant_noise_multiplier = 0;   // inside the smallest sum
  std::uint64_t training_examples = 0;       // as the site declares
};

/// Who offers the job.
struct FederationFacts {
  std::uint32_t participants = 0;  // in the roster
  Bytes32 coordinator{};           // signing key
};

/// What a person of this site said, as it holds now.
struct Consent {
  bool to_kind = false;
  bool to_job = false;
};

/// What the site knows beside the job when it decides. What is missing was not looked at yet, and
/// the rules about it are open.
struct JobContext {
  std::optional<FederationFacts> federation{};
  std::optional<config::LocalTime> now{};
  std::optional<Consent> consent{};
  std::optional<ModelFacts> model{};
  std::optional<PrivacyCost> cost{};
};

/// A declaration that the job needs and site.json does not have.
struct Undeclared {
  std::string reason;  // for both sides
  std::string detail;  // for this site's people: the line to add
};

/// Nothing where a job can be judged: one with differential privacy needs data.training_examples,
/// and one with labels has to name all of data.labels. Looks at no record.
std::optional<Undeclared> undeclared(const config::SiteData& data, const config::JobConfig& job);

/// The text that the coordinator reads where a file or a record of this site stands in the way: one
/// sentence for all of it, because what differs would tell what is in the data.
inline constexpr std::string_view kFilesDoNotFit =
    "this site's files do not fit the job; its own log says why";

enum class Verdict : std::uint8_t {
  kMeets,
  kOpen,    // cannot be told from what is known
  kNotNow,  // broken, but time or a person of this site may change that under the same policy
  kBreaks
};

/// One rule of site.json applied to one job.
struct Ruling {
  std::string_view rule;  // key under "policy"
  Verdict verdict{};
  std::string asked;    // what the job has, for this site's people alone
  std::string allowed;  // what the policy says
  std::string reason;   // of kNotNow and kBreaks: a sentence with both, fit for the other side: of
                        // the job, the policy, the declared sizes and the ledger
};

/// Every key of the policy at least once, in the order of site.json's reference.
std::vector<Ruling> judge(const config::SitePolicy& policy, const config::JobConfig& job,
                          const JobContext& context);

using Answer = wire::JobAnswer;

/// Open rules stand in nobody's way: they are judged again when what they need is known.
Answer answer_of(const std::vector<Ruling>& rulings);
/// The reasons of all that is broken, each with its rule, as one line.
std::string reasons_of(const std::vector<Ruling>& rulings);

/// For the site's people alone, with the declared number of examples: a sentence for each delta,
/// the job's and the lifetime's, that is one over that number or more. Such a statement would hold
/// for handing out whole examples.
std::vector<std::string> delta_warnings(const config::SitePolicy& policy,
                                        const config::JobConfig& job,
                                        std::uint64_t training_examples);

/// Seconds that a round, and the whole job with all its attempts, may last by the job's own limits.
std::uint64_t longest_round_s(const config::JobConfig& job);
double longest_run_s(const config::JobConfig& job);

}  // namespace sotto::participant
