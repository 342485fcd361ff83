// ServerOptimizer applies the mean update of a round to the model (Reddi et al., Adaptive Federated
// Optimization, 2021, algorithm 2). A new optimizer needs one file beside this one that defines a
// ServerOptimizerKind, and a line in registry.cc (docs/extending.md).
//
// The coordinator and, with model lineage, every participant apply the same steps and must compute
// the same model to the bit: a step uses double arithmetic in one fixed order and stores floats,
// and the files of this folder are compiled without contraction to fused multiply-add.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/range.h"
#include "common/base/result.h"

namespace sotto {

/// The numbers that a job gives its server optimizer. An optimizer ignores those it does not use.
struct ServerOptimizerParameters {
  double learning_rate = 1;  // factor on the direction of a step
  double beta1 = 0.9;        // decay of the first moment
  double beta2 = 0.99;       // decay of the second moment
  double tau = 1e-3;         // degree of adaptivity: added to the root of the second moment

  static constexpr Range kLearningRate{.min = 0, .max = 1000, .above_min = true};
  static constexpr Range kBeta{.min = 0, .max = 1, .below_max = true};
  static constexpr Range kTau{.min = 0, .max = 1000, .above_min = true};
};

/// Moments: vectors of the model's length that an optimizer keeps from round to round.
inline constexpr std::size_t kMaxMoments = 2;

/// A part of each moment, in the order of the kind's moments; those that it does not keep are
/// empty.
using MomentParts = std::array<std::span<float>, kMaxMoments>;

/// One server optimizer. Immutable, of static lifetime, used by any number of threads.
struct ServerOptimizerKind {
  std::string_view name;    // "server_optimizer.type" of a job
  std::uint32_t number;     // identifies it in saved state; never given to another kind
  std::size_t moments = 0;  // at most kMaxMoments
  /// The value that every coordinate of a moment has before the first round.
  float (*initial)(const ServerOptimizerParameters&, std::size_t moment) = nullptr;
  /// Changes a part of the model and of the moments in place, given the same part of the mean
  /// update. All parts have the same length. Coordinates are independent of each other, so that the
  /// result does not depend on how the model is cut into parts.
  void (*step)(const ServerOptimizerParameters&, std::span<float> model,
               std::span<const float> mean_update, const MomentParts& moments) = nullptr;
};

/// Returns the kinds that a job can name, in the order of registry.cc.
std::span<const ServerOptimizerKind* const> server_optimizer_kinds();
/// Returns the kind with this name; null when there is none.
const ServerOptimizerKind* find_server_optimizer(std::string_view name);

/// The section of a job about its server optimizer.
struct ServerOptimizerSpec {
  std::string type = "fedavg";  // the name of a registered kind
  ServerOptimizerParameters parameters;
};

/// ServerOptimizer is an optimizer for one model: kind, parameters and moments. It is a value type;
/// one thread.
class ServerOptimizer {
 public:
  /// `kind` outlives it. `model_size` is the number of the model's parameters.
  ServerOptimizer(const ServerOptimizerKind& kind, const ServerOptimizerParameters& parameters,
                  std::size_t model_size);
  /// Uses the kind that the specification names, which must exist (SOTTO_CHECK), as the
  /// configuration ensures.
  ServerOptimizer(const ServerOptimizerSpec& spec, std::size_t model_size);

  /// Changes a part of the model to the next model, in place. The part begins at the model's value
  /// `first`. The caller passes every part once per round, in any order. `mean_update` has the
  /// part's length (SOTTO_CHECK).
  void step(std::span<float> model, std::size_t first, std::span<const float> mean_update);

  /// The moments for a checkpoint. After restored() the next step is the same to the bit. `moments`
  /// refers to the optimizer's own memory and is valid until it changes or is destroyed.
  struct EncodedState {
    Bytes head;
    std::array<BytesView, kMaxMoments> moments;

    [[nodiscard]] std::uint64_t size() const {
      return head.size() + moments[0].size() + moments[1].size();
    }
  };

  [[nodiscard]] EncodedState encode_state() const;
  /// Returns the optimizer with the moments of `state`. Fails when the bytes are the state of
  /// another kind, are truncated, or have a value that is not finite.
  static Result<ServerOptimizer> restored(const ServerOptimizerSpec& spec, BytesView state);

  /// The number of the model's parameters.
  [[nodiscard]] std::size_t parameters() const { return model_size_; }

 private:
  const ServerOptimizerKind* kind_;
  ServerOptimizerParameters parameters_;
  std::size_t model_size_;
  std::array<std::vector<float>, kMaxMoments> moments_;
};

}  // namespace sotto
