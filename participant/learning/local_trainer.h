// Local training and evaluation of one job on one site's data. The only door to torch: nothing here
// names it. One thread at a time per object; many objects may live in one process (simulation).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/config/job.h"
#include "common/config/site.h"
#include "common/crypto/secure_random.h"
#include "common/model/flat_parameters.h"
#include "common/model/update.h"
#include "common/privacy/accounting/accountant.h"
#include "participant/data/example_source.h"

namespace sotto::learning {

/// The data that a site brings to a job. The declared sizes are public and need not be the true
/// ones; with differential privacy everything that leaves the site follows from them
/// (docs/privacy.md). 0: the true size.
struct SiteExamples {
  Examples train;
  Examples evaluation;
  std::uint64_t training_examples = 0;
  std::uint64_t evaluation_examples = 0;  // at most so many are evaluated
};

/// The privacy parameters that training on a declared number of examples runs with (noise
/// calibrated when the job leaves it open). Without DP: noise 0.
Result<privacy::DpSgdSteps> dp_steps_per_round(const config::JobConfig& job,
                                               std::uint64_t examples);

/// The initial model of a job: its trainable parameters, named as in Hugging Face's checkpoints;
/// from the weights in the model folder where there are any, else random from the job's seed. With
/// LoRA: the adapters, which change nothing yet, and the head.
Result<FlatParameters> initial_model(const config::JobConfig& job);

struct TrainingProgress {
  std::uint32_t step = 0, steps = 0;
};

struct TrainedUpdate {
  FlatUpdate update;          // local parameters minus the round's model; all values are finite
  privacy::DpSgdSteps spent;  // what really ran; steps = local_steps
  /// For the site's own log alone, because they depend on its data: examples that contributed
  /// nothing and why, and what looks as if training were in vain. A sentence each, with the step or
  /// the parameter.
  std::vector<std::string> warnings{};
};

class LocalTrainer {
 public:
  /// Looks at all examples and leaves out those that do not fit; with LoRA loads the base model's
  /// weights. Errors: a bad model folder, a record that cannot be opened; with differential privacy
  /// a trainable parameter that takes no part in the loss.
  static Result<std::unique_ptr<LocalTrainer>> create(const config::JobConfig& job,
                                                      const config::SiteResources& resources,
                                                      SiteExamples examples);
  virtual ~LocalTrainer() = default;

  /// Runs local_steps DP-SGD steps of server round `server_round` (from 1) starting at `model`.
  /// Noise and sampling come from `random` alone. Examples are opened on the calling thread. Begins
  /// with what the last update that was kept left (optimizer moments, adaptive clipping norm).
  ///
  /// Whether there is an update does not depend on the site's examples. An example whose loss or
  /// gradient is not finite, or that cannot be opened or computed (a torch exception, memory),
  /// contributes a gradient of zero, and the others of its batch contribute as without it. A sum of
  /// gradients that is not finite, or that cannot be made, becomes zero, so that the step is noise
  /// alone. A value of the update that is not finite becomes zero. All of this is told in
  /// `warnings`. Errors: the model has another layout than the job's, check_values() refuses it,
  /// `server_round` is 0, or torch fails where no example is looked at (noise, optimizer).
  virtual Result<TrainedUpdate> train(const FlatParameters& model, std::uint64_t server_round,
                                      crypto::SecureRandom& random,
                                      const std::function<void(TrainingProgress)>& progress) = 0;

  /// The newest train()'s update was charged for and goes out: the next one may build on what its
  /// steps left here. Without this call it does not, because nobody accounts for them.
  virtual void keep() = 0;

  /// Counts on the evaluation split, in the order of run::metric_names(). An example whose loss is
  /// not finite, or that cannot be computed, counts as wrong with the largest loss
  /// (participant/learning/tasks/metrics.h); one that cannot be opened is left out. Errors: as
  /// those of train().
  virtual Result<std::vector<std::uint64_t>> evaluate(const FlatParameters& model) = 0;

  [[nodiscard]] virtual const privacy::DpSgdSteps& steps_per_round() const = 0;

  /// The declared size: N of the sampling rate, the divisor and the calibration.
  [[nodiscard]] virtual std::uint64_t training_examples() const = 0;

  /// The declared size of the evaluation split: evaluate() counts at most so many.
  [[nodiscard]] virtual std::uint64_t evaluation_examples() const = 0;

  /// For the site's people alone: which records were left out, and what else they should know.
  [[nodiscard]] virtual std::vector<std::string> data_warnings() const = 0;
};

}  // namespace sotto::learning
