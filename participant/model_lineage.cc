#include "participant/model_lineage.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/secagg/graph.h"
#include "common/secagg/server.h"

namespace sotto::participant {

namespace {

// No lane is wider than 64 bits a word; counters and check words are beside the update.
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

Result<std::vector<float>> ModelLineage::mean_of(const secagg::PublishedSum& published) const {
  const secagg::RoundSize& size = published.size;
  if (published.server_round != next_round_)
    return Error{"it is the sum of server round " + std::to_string(published.server_round)};
  if (size.n < rules_.min_cohort || size.n > rules_.participants || size.C < rules_.min_colluders)
    return Error{"it is of a round that this site would not have joined"};
  const auto encoding = secagg::round_encoding(rules_.encoding, rules_.noise, rules_.graph, size);
  if (!encoding.ok()) return encoding.error();
  const auto graph = secagg::graph_parameters(size.n, size.C, rules_.graph);
  if (!graph.ok()) return graph.error();
  const std::uint32_t s_min = std::max(encoding->s_min, graph->thresholds.s_min);
  if (published.survivors > size.n || published.survivors < s_min)
    return Error{"it is of " + std::to_string(published.survivors) + " members; a sum has " +
                 std::to_string(s_min) + " to " + std::to_string(size.n)};
  const auto lanes = codec::lane_specs(encoding->spec, model_->values.size(), size.n);
  auto sum = codec::RingUpdate::zeros(lanes);
  if (Status fits = sum.add_packed(published.packed); !fits.ok()) return fits.error();
  if (signed_ && signed_->server_round == next_round_ &&
      signed_->hash != secagg::hash_of_sum(published.h, sum))
    return Error{"it is not the sum that the coordinator signed at the end of the round"};
  auto decoded = codec::decode_sum(encoding->spec, lanes, published.h, sum, published.survivors);
  if (!decoded.ok()) return decoded.error();
  return std::move(decoded->mean);
}

Status ModelLineage::advance(BytesView published) {
  const auto refused = [&](const Error& why) {
    return Error{"the sum of server round " + std::to_string(next_round_) +
                 " is not accepted: " + why.message};
  };
  const auto sum = secagg::decode_published_sum(published);
  if (!sum.ok()) return refused(sum.error());
  const auto mean = mean_of(*sum);
  if (!mean.ok()) return refused(mean.error());
  // The trainer may still hold the present one.
  auto next = std::make_shared<FlatParameters>(*model_);
  next->values = optimizer_.step(std::move(next->values), *mean);
  hash_ = next->hash();
  model_ = std::move(next);
  ++next_round_;
  return {};
}

}  // namespace sotto::participant
