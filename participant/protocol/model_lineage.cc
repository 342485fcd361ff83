#include "participant/protocol/model_lineage.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/secagg/server/server.h"
#include "common/secagg/shared/graph.h"

namespace sotto::participant {

namespace {

// A lane has at most 64 bits a value (8 bytes); counters and check words come in addition to the
// update.
constexpr std::uint64_t kBytesBesideUpdate = std::uint64_t{16} << 20;

}  // namespace

ModelLineage::ModelLineage(LineageTerms terms, SumRules rules)
    : rules_(std::move(rules)),
      optimizer_(terms.optimizer, terms.first->values.size()),
      model_(std::move(terms.first)),
      hash_(model_->hash()) {}

Bytes32 ModelLineage::wanted_blob() const {
  return secagg::published_sum_blob(rules_.run, next_round_);
}

std::uint64_t ModelLineage::max_blob_bytes() const {
  return 8 * model_->values.size() + kBytesBesideUpdate;
}

void ModelLineage::signed_sum(std::uint64_t server_round, const Bytes32& aggregate_hash) {
  signed_ = SignedSum{.server_round = server_round, .hash = aggregate_hash};
}

Result<encoding::DecodedSum> ModelLineage::decode(secagg::PublishedSum published) const {
  const secagg::RoundSize& size = published.size;
  if (published.server_round != next_round_)
    return Error{"it is the sum of server round " + std::to_string(published.server_round)};
  if (size.n < rules_.min_cohort || size.n > rules_.participants || size.C < rules_.min_colluders)
    return Error{"this site would not have joined its round"};
  SOTTO_ASSIGN_OR_RETURN(const auto encoding,
                         secagg::round_encoding(rules_.encoding, rules_.noise, rules_.graph, size));
  SOTTO_ASSIGN_OR_RETURN(const auto graph, secagg::graph_parameters(size.n, size.C, rules_.graph));
  const std::uint32_t s_min = std::max({encoding.s_min, graph.thresholds.s_min, rules_.min_cohort});
  if (published.survivors > size.n || published.survivors < s_min)
    return Error{"it has " + std::to_string(published.survivors) + " members; a sum has " +
                 std::to_string(s_min) + " to " + std::to_string(size.n)};
  encoding::EncodingSpec spec = encoding.spec;
  auto lanes = encoding::lane_specs(spec, model_->values.size(), size.n);
  if (published.packed.size() < secagg::upload_bytes(lanes)) {  // the attempt had no counters
    spec = encoding::without_metrics(std::move(spec));
    lanes = encoding::lane_specs(spec, model_->values.size(), size.n);
  }
  auto sum = encoding::RingUpdate::zeros(lanes);
  SOTTO_TRY(sum.add_packed(published.packed));
  published.packed = {};  // frees memory of the size of the sum
  if (signed_ && signed_->server_round == next_round_ &&
      signed_->hash != secagg::hash_of_sum(published.h, sum))
    return Error{"it differs from the sum that the coordinator signed at the end of the round"};
  return encoding::decode_sum(spec, lanes, published.h, std::move(sum), published.survivors);
}

Status ModelLineage::advance(Bytes published) {
  const auto refused = [&](const Error& why) {
    return Error{"the sum of server round " + std::to_string(next_round_) +
                 " is not accepted: " + why.message};
  };
  auto read = secagg::decode_published_sum(std::move(published));
  if (!read.ok()) return refused(read.error());
  const auto sum = decode(std::move(read).value());
  if (!sum.ok()) return refused(sum.error());
  // The trainer may still use the present model, so the next one is a copy.
  auto next = std::make_shared<FlatParameters>(*model_);
  next->values = encoding::step_by_mean(optimizer_, std::move(next->values), *sum);
  hash_ = next->hash();
  model_ = std::move(next);
  ++next_round_;
  return {};
}

}  // namespace sotto::participant
