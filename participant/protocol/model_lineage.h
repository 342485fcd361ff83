// ModelLineage computes the models of a run at a member (docs/secure-aggregation.md, 2.8): the
// first one from the job and the site's own files, each later one from the sum of a round. The
// coordinator therefore has no way to send weights of its choice. The computation is deterministic
// and equal to the coordinator's to the bit. Use from one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "common/base/ids.h"
#include "common/encoding/quantizer.h"
#include "common/model/flat_parameters.h"
#include "common/model/optimizers/server_optimizer.h"
#include "common/secagg/shared/published_sum.h"

namespace sotto::participant {

/// The inputs of the lineage that this site has without the coordinator.
struct LineageTerms {
  ServerOptimizerSpec optimizer;
  std::shared_ptr<const FlatParameters> first;  // the model of the first round
};

/// The requirements on a sum, from the job, the roster and the site's policy.
struct SumRules {
  RunId run{};
  std::uint32_t participants = 0;   // of the roster
  encoding::EncodingSpec encoding;  // without noise
  std::optional<encoding::NoiseTerms> noise;
  secagg::GraphRules graph;
  std::uint32_t min_colluders = 1;
  std::uint32_t min_cohort = 3;  // fewest members in a sum
};

class ModelLineage {
 public:
  ModelLineage(LineageTerms terms, SumRules rules);

  /// The newest model; never null.
  [[nodiscard]] const std::shared_ptr<const FlatParameters>& model() const { return model_; }

  [[nodiscard]] const Bytes32& model_hash() const { return hash_; }

  /// The server round whose sum leads to the next model.
  [[nodiscard]] std::uint64_t next_round() const { return next_round_; }

  /// The hash under which that sum is requested, and the most bytes that it can have.
  [[nodiscard]] Bytes32 wanted_blob() const;
  [[nodiscard]] std::uint64_t max_blob_bytes() const;

  /// Records that the coordinator signed this hash for the sum of this round (M10). advance()
  /// compares the sum with it.
  void signed_sum(std::uint64_t server_round, const Bytes32& aggregate_hash);

  /// Computes the next model from the wanted sum. Returns an Error, and keeps the model, if it is
  /// not the sum of `next_round` in every respect that a member can check: size, thresholds, check
  /// words, count, and the hash that was signed.
  Status advance(Bytes published);

 private:
  [[nodiscard]] Result<encoding::DecodedSum> decode(secagg::PublishedSum published) const;

  SumRules rules_;
  ServerOptimizer optimizer_;
  std::shared_ptr<const FlatParameters> model_;
  Bytes32 hash_;
  std::uint64_t next_round_ = 1;

  struct SignedSum {
    std::uint64_t server_round = 0;
    Bytes32 hash{};
  };

  std::optional<SignedSum> signed_;  // the newest
};

}  // namespace sotto::participant
