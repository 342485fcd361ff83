// site.json: a participant's own data, resources and policy. Never leaves the site; it can only
// tighten what a job asks for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace sotto::config {

struct SiteData {
  std::string dataset_id;            // identity of the protected data in the ledger, for ever
  std::filesystem::path train;       // label TAB text
  std::filesystem::path evaluation;  // the declared evaluation split: outside the privacy statement
};

struct SitePolicy {
  double max_epsilon = 0;  // lifetime, over all jobs on the data set
  double delta = 1e-5;     // at which the lifetime is counted
  double max_epsilon_per_job = 0;
  std::uint32_t min_cohort = 3;     // n_min
  std::uint32_t max_colluders = 1;  // C: what the site wants protection against
  bool require_secure_aggregation = true;
  bool require_differential_privacy = true;
  bool require_small_delta = false;  // below one over the number of training examples
  double min_noise_multiplier = 0;
  double max_participant_epsilon = 0;           // lifetime, of what is sent; 0 = not limited
  double min_participant_noise_multiplier = 0;  // inside the smallest sum
  std::vector<std::string> allowed_tasks;       // empty = none
  std::uint32_t max_server_rounds = 1000;
  std::uint64_t max_round_s = 86400;  // secrets of a round are wiped at the latest then
};

struct SiteResources {
  std::string device = "cpu";  // "cpu", "cuda"
  std::uint32_t threads = 1;
};

struct SiteConfig {
  std::filesystem::path model_path;  // folder with this site's own config.json and vocab.txt
  SiteData data;
  SitePolicy policy;
  SiteResources resources;
  std::string label;  // shown in reports: "demonstration" for sites that a script made
};

}  // namespace sotto::config
