// FedAvg (McMahan et al. 2017): x += lr d. With a learning rate of 1 the next model is the mean of
// the participants' models.
#include "common/model/optimizers/server_optimizer.h"

namespace sotto::optimizers {

namespace {

void step(const ServerOptimizerParameters& p, std::span<float> model,
          std::span<const float> mean_update, const MomentParts&) {
  for (std::size_t i = 0; i < model.size(); ++i)
    model[i] = static_cast<float>(static_cast<double>(model[i]) +
                                  p.learning_rate * static_cast<double>(mean_update[i]));
}

}  // namespace

extern const ServerOptimizerKind fedavg;
const ServerOptimizerKind fedavg{.name = "fedavg", .number = 1, .step = step};

}  // namespace sotto::optimizers
