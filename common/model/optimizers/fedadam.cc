// FedAdam (Reddi et al. 2021, algorithm 2):
//   m = b1 m + (1 - b1) d;  v = b2 v + (1 - b2) d^2;  x += lr m / (sqrt(v) + tau),
// with m = 0 and v = tau^2 before the first round. tau limits the size of a step.
#include <cmath>

#include "common/model/optimizers/server_optimizer.h"

namespace sotto::optimizers {

namespace {

float initial(const ServerOptimizerParameters& p, std::size_t moment) {
  return moment == 0 ? 0.0F : static_cast<float>(p.tau * p.tau);
}

void step(const ServerOptimizerParameters& p, std::span<float> model,
          std::span<const float> mean_update, const MomentParts& moments) {
  for (std::size_t i = 0; i < model.size(); ++i) {
    const double d = static_cast<double>(mean_update[i]);
    const double m = p.beta1 * static_cast<double>(moments[0][i]) + (1 - p.beta1) * d;
    const double v = p.beta2 * static_cast<double>(moments[1][i]) + (1 - p.beta2) * d * d;
    moments[0][i] = static_cast<float>(m);
    moments[1][i] = static_cast<float>(v);
    model[i] = static_cast<float>(static_cast<double>(model[i]) +
                                  p.learning_rate * (m / (std::sqrt(v) + p.tau)));
  }
}

}  // namespace

extern const ServerOptimizerKind fedadam;
const ServerOptimizerKind fedadam{
    .name = "fedadam", .number = 2, .moments = 2, .initial = initial, .step = step};

}  // namespace sotto::optimizers
