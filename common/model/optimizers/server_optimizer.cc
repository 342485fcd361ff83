#include "common/model/optimizers/server_optimizer.h"

#include <cstring>

#include "common/base/check.h"
#include "common/model/flat_parameters.h"

namespace sotto {

namespace {

constexpr std::uint32_t kStateVersion = 1;

const ServerOptimizerKind& kind_of(const ServerOptimizerSpec& spec) {
  const ServerOptimizerKind* kind = find_server_optimizer(spec.type);
  SOTTO_CHECK(kind != nullptr, "no server optimizer of this name is registered");
  return *kind;
}

/// Reads `values`. Returns false when one of them is not finite.
bool read(ByteReader& in, std::vector<float>& values) {
  const BytesView bytes = in.bytes(4 * values.size());
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return !first_non_finite(values);
}

}  // namespace

ServerOptimizer::ServerOptimizer(const ServerOptimizerKind& kind,
                                 const ServerOptimizerParameters& parameters,
                                 std::size_t model_size)
    : kind_(&kind), parameters_(parameters), model_size_(model_size) {
  SOTTO_CHECK(kind.moments <= kMaxMoments, "a server optimizer keeps too many moments");
  for (std::size_t i = 0; i < kind.moments; ++i)
    moments_[i].assign(model_size, kind.initial(parameters, i));
}

ServerOptimizer::ServerOptimizer(const ServerOptimizerSpec& spec, std::size_t model_size)
    : ServerOptimizer(kind_of(spec), spec.parameters, model_size) {}

void ServerOptimizer::step(std::span<float> model, std::size_t first,
                           std::span<const float> mean_update) {
  SOTTO_CHECK(model.size() == mean_update.size() && first <= model_size_ &&
                  model.size() <= model_size_ - first,
              "a part of the model and of the update");
  MomentParts parts;
  for (std::size_t i = 0; i < kind_->moments; ++i)
    parts[i] = std::span(moments_[i]).subspan(first, model.size());
  kind_->step(parameters_, model, mean_update, parts);
}

ServerOptimizer::EncodedState ServerOptimizer::encode_state() const {
  ByteWriter head;
  head.u32(kStateVersion);
  head.u32(kind_->number);
  head.u64(model_size_);
  return {.head = head.take(), .moments = {bytes_of(moments_[0]), bytes_of(moments_[1])}};
}

Result<ServerOptimizer> ServerOptimizer::restored(const ServerOptimizerSpec& spec,
                                                  BytesView state) {
  const ServerOptimizerKind& kind = kind_of(spec);
  ByteReader in(state);
  const bool same = in.u32() == kStateVersion && in.u32() == kind.number;
  const std::uint64_t model_size = in.u64();
  if (!in.ok() || !same || model_size > kMaxElements)
    return Error{"the saved optimizer state is of another optimizer"};
  if (in.remaining() != 4 * kind.moments * model_size)
    return Error{"the saved optimizer state is cut short or too long"};
  ServerOptimizer out(kind, spec.parameters, model_size);
  for (std::vector<float>& moment : out.moments_)
    if (!read(in, moment))
      return Error{"the saved optimizer state holds a value that is not finite"};
  return out;
}

}  // namespace sotto
