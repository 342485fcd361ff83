// A server optimizer of one's own: FedAvg with momentum (Hsu, Qi, Brown 2019), m = b1 m + d;
// x += lr m. Inside Sotto the kind would stand in common/model/optimizers/ with one line in
// registry.cc, and jobs could name it; here it minimises a quadratic directly, and its state is
// saved and compared.
#include <cmath>
#include <cstdio>
#include <vector>

#include "common/model/optimizers/server_optimizer.h"

using namespace sotto;

namespace {

void step(const ServerOptimizerParameters& p, std::span<float> model,
          std::span<const float> mean_update, const MomentParts& moments) {
  for (std::size_t i = 0; i < model.size(); ++i) {
    const double m =
        p.beta1 * static_cast<double>(moments[0][i]) + static_cast<double>(mean_update[i]);
    moments[0][i] = static_cast<float>(m);
    model[i] = static_cast<float>(static_cast<double>(model[i]) + p.learning_rate * m);
  }
}

const ServerOptimizerKind kFedAvgM{
    .name = "fedavgm",
    .number = 1000,
    .moments = 1,
    .initial = [](const ServerOptimizerParameters&, std::size_t) { return 0.0F; },
    .step = step};

}  // namespace

int main() {
  const std::vector<float> target{1, -2, 3};
  std::vector<float> model(target.size(), 0.0F);
  ServerOptimizer optimizer(kFedAvgM, {.learning_rate = 0.1, .beta1 = 0.5}, model.size());
  for (int round = 0; round < 200; ++round) {
    std::vector<float> mean_update;  // what participants would send: towards the target
    for (std::size_t i = 0; i < model.size(); ++i)
      mean_update.push_back(target[i] - model[i]);
    optimizer.step(model, 0, mean_update);
  }
  double distance = 0;
  for (std::size_t i = 0; i < model.size(); ++i)
    distance = std::max(distance, std::abs(static_cast<double>(model[i] - target[i])));
  const auto state = optimizer.encode_state();
  std::printf("distance to the optimum after 200 rounds: %.2e; %zu bytes of state\n", distance,
              static_cast<std::size_t>(state.size()));
  return distance < 1e-5 && state.moments[0].size() == sizeof(float) * model.size() ? 0 : 1;
}
