// What this site agrees to, decided here and nowhere else: the coordinator proposes.
#pragma once

#include <string>
#include <vector>

#include "common/config/job.h"
#include "common/config/site.h"

namespace sotto::participant {

/// What the site knows beside the job when it decides.
struct JobContext {
  double epsilon_spent = 0;                  // by the data set so far, at the policy's delta
  double epsilon_after_job = 0;              // if the whole job runs
  double job_epsilon = 0;                    // of this job alone at its delta; infinity without DP
  double noise_multiplier = 0;               // that would be used here
  double participant_epsilon_after_job = 0;  // of everything sent, at the policy's delta
  double participant_noise_multiplier = 0;   // inside the smallest sum
  std::uint32_t roster_participants = 0;
  std::uint64_t training_examples = 0;  // 0: not looked at yet
};

/// Empty = accepted. Else one sentence a broken rule, with what was asked and what is allowed, fit
/// to be shown on both sides (it never says how many examples the site has; with
/// policy.require_small_delta the refusal itself bounds it).
std::vector<std::string> refusals(const config::SitePolicy& policy, const config::JobConfig& job,
                                  const JobContext& context);

/// For the site's people alone, with the number of examples: a sentence for each delta, the job's
/// and the lifetime's, that is one over that number or more. Such a statement would hold for
/// handing out whole examples.
std::vector<std::string> delta_warnings(const config::SitePolicy& policy,
                                        const config::JobConfig& job,
                                        std::uint64_t training_examples);

/// The reasons as one line.
std::string joined(const std::vector<std::string>& reasons);

}  // namespace sotto::participant
