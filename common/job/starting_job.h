// A first job for a data set, a model and an epsilon: the settings that a data scientist would
// otherwise copy from an example. `sotto-participant job init` writes it. docs/your-data.md states
// the rule and what it was measured on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/config/job.h"

namespace sotto::job {

/// The public facts from which the settings follow. None of them is computed from records: the rule
/// gives the same job for two data sets that differ in their records only.
struct StartingFacts {
  std::string name;
  tasks::TaskSettings task{};
  std::string model_path;         // as job.json names it
  std::uint32_t hidden_size = 0;  // of the model
  std::uint32_t positions = 0;    // of the model
  bool pretrained = false;        // the model's folder holds weights
  std::uint32_t lora_rank = 0;    // 0: the whole model is trained
  std::uint32_t participants = 0;
  std::uint64_t examples = 0;  // declared by the smallest site
  double epsilon = 0;
  std::optional<double> delta{};  // the rule's unless it is set
};

/// The settings that the rule chooses.
struct StartingSettings {
  std::uint32_t max_length = 0;
  std::uint32_t rounds = 0;
  std::uint32_t local_steps = 0;
  std::uint32_t min_available = 0;
  double sampling_rate = 0;
  std::uint32_t physical_batch = 0;
  double learning_rate = 0;
  double delta = 0;
};

/// Returns the settings. `examples`, `participants`, `hidden_size` and `positions` are above 0.
StartingSettings starting_settings(const StartingFacts& facts);

/// Returns the text of job.json with a comment for each choice. parse_job accepts it if the facts
/// are valid.
std::string starting_job_text(const StartingFacts& facts, const StartingSettings& settings);

/// StartingCost is what the accountant says about the job.
struct StartingCost {
  double noise_multiplier = 0;
  std::uint64_t steps = 0;
  /// The standard deviation of the noise on each value of the mean gradient of one step over all
  /// participants, in units of the clipping norm.
  double noise_of_mean = 0;
  /// True if noise_of_mean is so large that the worked example with 77 classes reached less than
  /// half of its accuracy without privacy at it.
  bool is_large = false;
};

/// Fails when no noise multiplier reaches the target.
Result<StartingCost> starting_cost(const config::JobConfig& job, const StartingFacts& facts);

}  // namespace sotto::job
