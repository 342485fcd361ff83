// The contents of job.json: what is to be trained. Quickstart, simulation and deployment use the
// same file. Its canonical bytes are hashed into every signature of a run, so that all parties hold
// the same job.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/range.h"
#include "common/config/choices.h"
#include "common/model/optimizers/server_optimizer.h"
#include "common/tasks/task.h"

namespace sotto::config {

struct ModelSection {
  std::string path;  // folder with config.json and the tokenizer's files. The canonical bytes
                     // contain the hashes of these files and not the path, which is local
  std::uint32_t max_length = 0;  // token positions used, at most the model's; within kMaxLength
  InitialModel initial = InitialModel::kWeights;
  bool new_head = false;   // a head that the weights have is not taken
  Bytes32 config_hash{};   // H("SOTTO model cfg", config.json); zero until load_job fills it
  Bytes32 vocab_hash{};    // of the tokenizer's files, label "SOTTO vocab" (model_files.h)
  Bytes32 weights_hash{};  // of the weights that LoRA does not change; zero without LoRA

  /// The minimum is 2 because the tokens around a text take two positions.
  static constexpr Range kMaxLength{.min = 2, .max = 4096};
};

using TaskSection = tasks::TaskSettings;

struct RoundsSection {
  std::uint32_t num_server_rounds = 1;
  std::uint32_t min_available_participants = 2;  // accepted and connected before a round starts
  double fraction_train = 1.0;                   // 1 = everyone available
  std::uint32_t phase_timeout_s = 60;            // advertise, share, check, endorse, unmask: each
  std::uint32_t training_timeout_s = 3600;       // the upload phase, training included
  std::uint32_t attempts_per_round = 5;
  std::uint32_t answer_every_s = 0;  // participants answer at multiples of it; 0 = at once
};

struct SecureAggregationSection {
  bool enabled = true;  // false is for baselines; a site's policy declines it by default
  std::uint32_t max_colluders = 0;       // C, the bound of the guarantee; 0: see colluders.h
  std::uint32_t quantization_bits = 16;  // q
  double value_range = 1.0;              // c: coordinates of an update are clamped to [-c, c]
  double max_update_norm = 100.0;        // L2 bound on a participant's whole update
  std::uint32_t full_graph_max = 256;    // largest cohort that uses the complete graph
  std::uint32_t cohort_size = 0;         // drawn for each round; 0 = everyone
  std::uint32_t expected_dropout_percent = 10;  // of a cohort, for the circulant graph
  bool model_lineage = false;  // each participant computes every model itself, from the sums
};

struct DifferentialPrivacySection {
  bool enabled = true;
  privacy::ProtectedUnit unit = privacy::ProtectedUnit::kExample;
  std::uint32_t examples_per_person = 10;  // k: for unit "person", the most that are used
  double target_epsilon = 8;
  double target_delta = 1e-5;
  double clipping_norm = 1;  // per unit
  Clipping clipping = Clipping::kFlat;
  double clipping_quantile = 0.5;  // this field and the next two are for adaptive clipping
  double clipping_rate = 0.2;
  double count_noise_multiplier = 10;  // in units of the noise multiplier
  double noise_multiplier = 0;         // 0 = calibrated from target_epsilon at each site
  std::uint32_t spare_rounds = 0;      // number of lost attempts that target_epsilon covers

  static constexpr Range kExamplesPerPerson{.min = 1, .max = 1000};
};

/// Distributed noise inside the sum. It protects what a participant sends without trust in the
/// coordinator.
struct DistributedPrivacySection {
  bool enabled = false;
  privacy::NoiseMechanism mechanism = privacy::NoiseMechanism::kDiscreteGaussian;
  double clipping_norm = 1;     // L2 bound on a participant's whole update
  double noise_multiplier = 0;  // in the smallest sum, in clipping norms; 0 = from target_epsilon
  double target_epsilon = 8;
  double target_delta = 1e-5;
};

struct LocalTrainingSection {
  std::uint32_t local_steps = 1;          // DP-SGD steps a round
  std::uint32_t expected_batch_size = 0;  // exactly one of this and sampling_rate is set;
  double sampling_rate = 0;               // q; the other follows from the declared size
  std::uint32_t physical_batch_size = 64;
  LocalOptimizer optimizer = LocalOptimizer::kAdam;
  double learning_rate = 1e-3;
  double momentum = 0;      // sgd
  double weight_decay = 0;  // decoupled: with "adam" this is AdamW
  double proximal_mu = 0;   // FedProx
  LearningRateSchedule learning_rate_schedule = LearningRateSchedule::kConstant;
};

struct EvaluationSection {
  // Standard deviation of the noise on each counter of a sum, in units of the change that one
  // example makes to all counters together; 0 = exact counters.
  double counter_noise_multiplier = 0;
};

/// The conditions under which a run ends before its last round.
struct StoppingSection {
  std::string metric = "loss";        // a figure of the task
  double target = 0;                  // the run ends when the metric reaches this; 0 = no target
  std::uint32_t patience = 0;         // rounds without an improvement; 0 = any number
  double min_improvement = 0;         // a smaller change is no improvement
  std::uint32_t max_wall_time_s = 0;  // 0 = no limit
  bool when_budget_spent = false;     // of any participant; else the run goes on without it
};

struct LoraSection {
  std::uint32_t r = 0;  // rank; 0 = no adapters, the whole model is trained
  double alpha = 16;    // an adapter's output is scaled by alpha / r
  double dropout = 0;
  std::vector<std::string> target_modules;         // "query", "c_attn", "all-linear" ...
  std::vector<std::uint32_t> layers_to_transform;  // empty = all
};

struct JobConfig {
  std::string name;
  ModelSection model;
  TaskSection task;
  RoundsSection rounds;
  SecureAggregationSection secure_aggregation;
  DifferentialPrivacySection differential_privacy;
  DistributedPrivacySection distributed_privacy;
  LocalTrainingSection local_training;
  LoraSection lora;
  EvaluationSection evaluation;
  StoppingSection stopping;
  ServerOptimizerSpec server_optimizer;
  std::uint64_t seed = 0;  // of the initial model, not of noise or sampling

  /// Returns the number of DP-SGD steps that target_epsilon covers: those of all rounds and of all
  /// spare rounds.
  [[nodiscard]] std::uint64_t covered_steps() const {
    return (std::uint64_t{rounds.num_server_rounds} + differential_privacy.spare_rounds) *
           local_training.local_steps;
  }

  /// Returns the unit that steps sample and that epsilon is about. Without differential privacy
  /// steps sample examples.
  [[nodiscard]] privacy::ProtectedUnit unit() const {
    return differential_privacy.enabled ? differential_privacy.unit
                                        : privacy::ProtectedUnit::kExample;
  }

  [[nodiscard]] bool protects_persons() const { return unit() == privacy::ProtectedUnit::kPerson; }

  /// Returns the task that `task` names, with the settings of this job. `task.type` must be in the
  /// table of tasks, as it is in every parsed job.
  [[nodiscard]] std::unique_ptr<const tasks::Task> make_task() const;

  /// The whole resolved job without model.path, as JSON with sorted keys and no white space. This
  /// text is hashed, sent and stored.
  std::string canonical;
  /// H("SOTTO job", canonical).
  Bytes32 hash{};
};

}  // namespace sotto::config
