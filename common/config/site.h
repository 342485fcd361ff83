// The contents of site.json: a participant's own data, resources and policy. The file never leaves
// the site, and its policy can only tighten what a job asks for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/config/choices.h"

namespace sotto::config {

/// DataLayout is how the records are laid out in plain files of data.
struct DataLayout {
  DataFormat format = DataFormat::kAuto;  // kAuto: by the file's ending and the task
  std::string delimiter;                  // of CSV, as rows.h names it; empty: detected
  std::string text, label, person;        // columns or keys; empty: there is none
};

struct SiteData {
  std::string dataset_id;            // identifies the protected data in the ledger, permanently
  std::filesystem::path train;       // a file in the task's form of records, or a record store
  std::filesystem::path evaluation;  // the declared evaluation split: outside the privacy statement
  DataLayout layout;                 // of both files
  // The size of `train` as this site declares it. It is public and the only number of examples on
  // which sampling rate, divisor, calibration and answers depend. 0: not declared.
  std::uint64_t training_examples = 0;
  // The number of persons in `train` as this site declares it, for jobs that protect persons: it is
  // to them what training_examples is to other jobs. 0: not declared.
  std::uint64_t training_persons = 0;
  // The declared size of `evaluation`; at most so many are evaluated. 0: as many as the file has,
  // which is then public.
  std::uint64_t evaluation_examples = 0;
  std::vector<std::string> labels;  // the labels that records may have; empty: not declared

  /// Returns the declared number of the units that a job protects; 0: not declared.
  [[nodiscard]] std::uint64_t declared(privacy::ProtectedUnit unit) const {
    return unit == privacy::ProtectedUnit::kPerson ? training_persons : training_examples;
  }
};

struct SitePolicy {
  double max_epsilon = 0;  // lifetime, over all jobs on the data set
  double delta = 1e-5;     // of the lifetime epsilon
  double max_epsilon_per_job = 0;
  double max_lost_epsilon_per_job = 0;  // for a round's second and later charges; 0 = not limited
  std::uint32_t min_cohort = 0;         // fewest members in a sum; 0: see colluders.h
  std::uint32_t max_colluders = 0;      // C: colluders to be protected against; 0: likewise
  bool require_secure_aggregation = true;
  bool require_differential_privacy = true;
  privacy::ProtectedUnit required_unit = privacy::ProtectedUnit::kExample;  // persons are more
  bool require_model_lineage = false;
  bool require_small_delta = false;  // below one over the number of training examples
  double min_noise_multiplier = 0;
  double max_participant_epsilon = 0;             // lifetime, of what is sent; 0 = not limited
  double min_participant_noise_multiplier = 0;    // inside the smallest sum
  std::vector<std::string> allowed_tasks;         // empty = none
  std::vector<std::string> allowed_models;        // families, or digests of models; empty = any
  std::vector<std::string> allowed_modules;       // modules to train and send; empty = any
  std::vector<std::string> allowed_coordinators;  // signing keys in hex; empty = any that is pinned
  std::vector<std::string> hours;                 // windows as in hours.h; empty = always
  std::uint32_t max_server_rounds = 1000;
  std::uint64_t max_round_s = 86400;  // after this time the secrets of a round are wiped
  double max_run_hours = 0;           // by the job's own time limits; 0 = not limited
  double max_model_mb = 0;            // fetched for a round, in 10^6 bytes; 0 = not limited
  double max_update_mb = 0;           // sent in a round, likewise
  std::uint32_t max_jobs_judged_per_day = 20;  // different ones
  std::uint32_t answer_every_s = 0;            // answers are sent at its multiples; 0 = at once
  RequiredApproval require_approval = RequiredApproval::kNone;
};

struct SiteResources {
  Device device = Device::kCpu;
  std::uint32_t threads = 1;
  Precision precision = Precision::kFloat32;
  bool gradient_checkpointing = false;
};

struct SiteConfig {
  std::filesystem::path model_path;  // folder with this site's own config.json and tokenizer
  SiteData data;
  SitePolicy policy;
  SiteResources resources;
  std::string label;  // shown in reports: "demonstration" for sites that a script created
};

}  // namespace sotto::config
