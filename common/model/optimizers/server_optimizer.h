// How the mean update of a round changes the model: FedAvg and FedAdam (Reddi et al., Adaptive
// Federated Optimization, 2021, algorithm 2) on the flat vector. Deterministic: one fixed order,
// double arithmetic, float storage. One thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace sotto {

struct ServerOptimizerSpec {
  enum class Type : std::uint8_t { kFedAvg = 1, kFedAdam = 2 };

  Type type = Type::kFedAvg;
  double learning_rate = 1;  // FedAvg: 1 = the mean of the participants' models
  // FedAdam only. tau bounds the step from above and is the square root of the first second moment.
  double beta1 = 0.9;
  double beta2 = 0.99;
  double tau = 1e-3;
};

class ServerOptimizer {
 public:
  ServerOptimizer(const ServerOptimizerSpec& spec, std::size_t parameters);

  /// Takes a part of the model, whose first value is the model's value `first`, to the next model,
  /// in place. Every part once a round, in any order; what comes out does not depend on how the
  /// model was cut. `mean_update` has the part's length (SOTTO_CHECK).
  ///   FedAvg   x += lr d
  ///   FedAdam  m = b1 m + (1 - b1) d;  v = b2 v + (1 - b2) d^2;  x += lr m / (sqrt(v) + tau),
  ///            m = 0 and v = tau^2 before the first round
  void step(std::span<float> model, std::size_t first, std::span<const float> mean_update);

  /// The moments, for a checkpoint: restored, the next step is the same to the bit. Two pieces of
  /// memory are the optimizer's own, not copied: good until it changes or goes.
  struct EncodedState {
    Bytes head;
    BytesView first_moment;
    BytesView second_moment;

    [[nodiscard]] std::uint64_t size() const {
      return head.size() + first_moment.size() + second_moment.size();
    }
  };

  [[nodiscard]] EncodedState encode_state() const;
  /// An Error when the bytes are another optimizer's.
  static Result<ServerOptimizer> restored(const ServerOptimizerSpec& spec, BytesView state);

  [[nodiscard]] std::size_t parameters() const { return parameters_; }

 private:
  ServerOptimizerSpec spec_;
  std::size_t parameters_;
  std::vector<float> first_moment_;   // m; empty for FedAvg
  std::vector<float> second_moment_;  // v
};

}  // namespace sotto
