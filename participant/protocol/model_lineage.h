// The models of a run as a member makes them by itself (docs/secure-aggregation.md, 2.8): the
// first one from the job and its own files, each later one from the sum of a round. A coordinator
// that wants members to train on weights of its choice has no way to send them. Deterministic:
// equal to the coordinator's to the bit. One thread.
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

/// What this site knows of its own of a run.
struct LineageTerms {
  ServerOptimizerSpec optimizer;
  std::shared_ptr<const FlatParameters> first;  // model of the first round
};

/// What a sum must fit, from the job, the roster and the site's policy.
struct SumRules {
  RunId run{};
  std::uint32_t participants = 0;  // of the roster
  codec::EncodingSpec encoding;    // without noise
  std::optional<codec::NoiseTerms> noise;
  secagg::GraphRules graph;
  std::uint32_t min_colluders = 1;
  std::uint32_t min_cohort = 3;  // fewest members in a sum
};

class ModelLineage {
 public:
  ModelLineage(LineageTerms terms, SumRules rules);

  /// The newest one; null never.
  [[nodiscard]] const std::shared_ptr<const FlatParameters>& model() const { return model_; }

  [[nodiscard]] const Bytes32& model_hash() const { return hash_; }

  /// The server round whose sum leads to the next model.
  [[nodiscard]] std::uint64_t next_round() const { return next_round_; }

  /// That sum on the wire.
  [[nodiscard]] Bytes32 wanted_blob() const;
  [[nodiscard]] std::uint64_t max_blob_bytes() const;

  /// The coordinator signed that the sum of this round has this hash (M10): it is held to it.
  void signed_sum(std::uint64_t server_round, const Bytes32& aggregate_hash);

  /// The next model from the wanted sum. An Error, and the model stays, when it is not the sum of
  /// `next_round` in every respect that a member can tell: size, thresholds, check words, count,
  /// and the hash that was signed.
  Status advance(Bytes published);

 private:
  [[nodiscard]] Result<codec::DecodedSum> decode(secagg::PublishedSum published) const;

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
