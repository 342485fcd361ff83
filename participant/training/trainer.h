// Trainer trains and evaluates one job on the data of one site. The participant uses a learning
// library through this interface only; an implementation may use any library, or none.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/crypto/secure_random.h"
#include "common/model/flat_parameters.h"
#include "common/model/update.h"
#include "common/privacy/accounting/accountant.h"
#include "common/privacy/accounting/protected_unit.h"

namespace sotto::training {

struct TrainingProgress {
  std::uint32_t step = 0, steps = 0;
};

struct TrainedUpdate {
  FlatUpdate update;          // local parameters minus the round's model; all values are finite
  privacy::DpSgdSteps spent;  // the steps that ran; steps = local_steps
  /// For the site's own log only, because they depend on its data: examples that contributed
  /// nothing and why, and signs that training makes no progress. Each is a sentence with the step
  /// or the parameter.
  std::vector<std::string> warnings{};
};

/// The trainer of one job and one site. At most one thread uses an object at a time, but not always
/// the same thread; many objects may exist in one process (a simulation has one for each site).
class Trainer {
 public:
  virtual ~Trainer() = default;

  /// Runs the job's local_steps training steps of server round `server_round` (from 1), starting at
  /// `model`. All noise and sampling come from `random`; examples are read on the calling thread.
  /// Training resumes the state that the last kept update left (optimizer moments, adaptive
  /// clipping norm). `progress` may be empty.
  ///
  /// Whether there is an update must not depend on the site's examples, because the coordinator
  /// sees whether a site uploads. An example whose loss or gradient is not finite, or that cannot
  /// be read or computed, contributes a gradient of zero, and the other examples of its batch
  /// contribute as they would without it. If the job protects persons, all of this holds for each
  /// person: she is drawn with all of her used examples, and the sum of their weighted gradients is
  /// within the clipping norm. A sum of gradients that is not finite, or that cannot be
  /// computed, becomes zero, so that the step is noise alone. A value of the update that is not
  /// finite becomes zero. `warnings` reports each of these. Errors: the model has another layout
  /// than the job's, check_values() refuses it, `server_round` is 0, or the learning library fails
  /// where no example is involved (noise, optimizer).
  virtual Result<TrainedUpdate> train(const FlatParameters& model, std::uint64_t server_round,
                                      crypto::SecureRandom& random,
                                      const std::function<void(TrainingProgress)>& progress) = 0;

  /// The caller has charged the newest train()'s update to the ledger and sends it, so the next
  /// train() resumes from the state that it left. Without this call the next train() discards that
  /// state, because no ledger entry accounts for it.
  virtual void keep() = 0;

  /// The counters of the evaluation split, in the order of tasks::Task::counters(). An example
  /// whose loss is not finite, or that cannot be computed, counts as wrong with the largest loss;
  /// one that cannot be read is left out. Errors: as those of train().
  virtual Result<std::vector<std::uint64_t>> evaluate(const FlatParameters& model) = 0;

  /// The sampling rate, noise multiplier and number of steps of one server round.
  [[nodiscard]] virtual const privacy::DpSgdSteps& steps_per_round() const = 0;

  /// The unit that train() samples, and whose contribution to a step it bounds by the clipping
  /// norm. A participant does not run a job with a trainer that protects another unit than the job.
  [[nodiscard]] virtual privacy::ProtectedUnit protected_unit() const {
    return privacy::ProtectedUnit::kExample;
  }

  /// The declared number of these units. The sampling rate, the divisor of the gradient sum and the
  /// noise calibration follow from it.
  [[nodiscard]] virtual std::uint64_t training_units() const = 0;

  /// The declared number of evaluation examples: evaluate() counts at most so many.
  [[nodiscard]] virtual std::uint64_t evaluation_examples() const = 0;

  /// Warnings for the site only: which records were left out, and other findings about the data.
  [[nodiscard]] virtual std::vector<std::string> data_warnings() const = 0;
};

/// The error for a trainer that protects another unit than its job.
inline constexpr std::string_view kOtherUnit =
    "the learning library of this site protects another unit (single examples, or persons) than "
    "the one that the job's differential_privacy.unit names";

}  // namespace sotto::training
