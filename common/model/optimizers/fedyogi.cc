// FedYogi (Reddi et al. 2021, algorithm 2):
//   m = b1 m + (1 - b1) d;  v = v - (1 - b2) d^2 sign(v - d^2);  x += lr m / (sqrt(v) + tau),
// with m = 0 and v = tau^2 before the first round. v changes by at most (1 - b2) d^2 in a round, in
// both directions, while that of FedAdam decreases faster after large values. A step leaves at
// least b2 v, so that v stays above 0.
#include <cmath>

#include "common/model/optimizers/server_optimizer.h"

namespace sotto::optimizers {

namespace {

float initial(const ServerOptimizerParameters& p, std::size_t moment) {
  return moment == 0 ? 0.0F : static_cast<float>(p.tau * p.tau);
}

double sign(double value) {
  return static_cast<double>((value > 0) - (value < 0));
}

void step(const ServerOptimizerParameters& p, std::span<float> model,
          std::span<const float> mean_update, const MomentParts& moments) {
  for (std::size_t i = 0; i < model.size(); ++i) {
    const double d = static_cast<double>(mean_update[i]);
    const double before = static_cast<double>(moments[1][i]);
    const double m = p.beta1 * static_cast<double>(moments[0][i]) + (1 - p.beta1) * d;
    const double v = before - (1 - p.beta2) * d * d * sign(before - d * d);
    moments[0][i] = static_cast<float>(m);
    moments[1][i] = static_cast<float>(v);
    model[i] = static_cast<float>(static_cast<double>(model[i]) +
                                  p.learning_rate * (m / (std::sqrt(v) + p.tau)));
  }
}

}  // namespace

extern const ServerOptimizerKind fedyogi;
const ServerOptimizerKind fedyogi{
    .name = "fedyogi", .number = 3, .moments = 2, .initial = initial, .step = step};

}  // namespace sotto::optimizers
