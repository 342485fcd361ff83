#include "common/model/optimizers/server_optimizer.h"

#include <cmath>
#include <cstring>

#include "common/base/check.h"
#include "common/model/flat_parameters.h"

namespace sotto {

namespace {

constexpr std::uint32_t kStateVersion = 1;

/// False when a value is not finite.
bool read(ByteReader& in, std::vector<float>& values) {
  const BytesView bytes = in.bytes(4 * values.size());
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return !first_non_finite(values);
}

}  // namespace

ServerOptimizer::ServerOptimizer(const ServerOptimizerSpec& spec, std::size_t parameters)
    : spec_(spec), parameters_(parameters) {
  if (spec.type != ServerOptimizerSpec::Type::kFedAdam) return;
  first_moment_.assign(parameters, 0.0F);
  second_moment_.assign(parameters, static_cast<float>(spec.tau * spec.tau));
}

void ServerOptimizer::step(std::span<float> model, std::size_t first,
                           std::span<const float> mean_update) {
  SOTTO_CHECK(model.size() == mean_update.size() && first <= parameters_ &&
                  model.size() <= parameters_ - first,
              "a part of the model and of the update");
  const bool adam = spec_.type == ServerOptimizerSpec::Type::kFedAdam;
  for (std::size_t i = 0; i < model.size(); ++i) {
    const double d = static_cast<double>(mean_update[i]);
    double direction = d;
    if (adam) {
      float& first_moment = first_moment_[first + i];
      float& second_moment = second_moment_[first + i];
      const double m = spec_.beta1 * static_cast<double>(first_moment) + (1 - spec_.beta1) * d;
      const double v = spec_.beta2 * static_cast<double>(second_moment) + (1 - spec_.beta2) * d * d;
      first_moment = static_cast<float>(m);
      second_moment = static_cast<float>(v);
      direction = m / (std::sqrt(v) + spec_.tau);
    }
    model[i] = static_cast<float>(static_cast<double>(model[i]) + spec_.learning_rate * direction);
  }
}

ServerOptimizer::EncodedState ServerOptimizer::encode_state() const {
  ByteWriter head;
  head.u32(kStateVersion);
  head.u32(static_cast<std::uint32_t>(spec_.type));
  head.u64(parameters_);
  return {.head = head.take(),
          .first_moment = bytes_of(first_moment_),
          .second_moment = bytes_of(second_moment_)};
}

Result<ServerOptimizer> ServerOptimizer::restored(const ServerOptimizerSpec& spec,
                                                  BytesView state) {
  ByteReader in(state);
  const bool same = in.u32() == kStateVersion && in.u32() == static_cast<std::uint32_t>(spec.type);
  const std::uint64_t parameters = in.u64();
  if (!in.ok() || !same || parameters > kMaxElements)
    return Error{"the saved optimizer state is of another optimizer"};
  const std::uint64_t moments = spec.type == ServerOptimizerSpec::Type::kFedAdam ? 2 : 0;
  if (in.remaining() != 4 * moments * parameters)
    return Error{"the saved optimizer state is cut short or too long"};
  ServerOptimizer out(spec, parameters);
  if (!read(in, out.first_moment_) || !read(in, out.second_moment_))
    return Error{"the saved optimizer state holds a value that is not finite"};
  return out;
}

}  // namespace sotto
