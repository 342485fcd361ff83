#include "common/model/server_optimizer.h"

#include <bit>
#include <cmath>
#include <utility>

namespace sotto {

namespace {

constexpr std::uint32_t kStateVersion = 1;

void write(ByteWriter& out, const std::vector<float>& values) {
  for (float value : values)
    out.u32(std::bit_cast<std::uint32_t>(value));
}

/// False when a value is not finite.
bool read(ByteReader& in, std::vector<float>& values) {
  bool finite = true;
  for (float& value : values) {
    value = std::bit_cast<float>(in.u32());
    finite = finite && std::isfinite(value);
  }
  return finite;
}

}  // namespace

ServerOptimizer::ServerOptimizer(const ServerOptimizerSpec& spec, std::size_t parameters)
    : spec_(spec), parameters_(parameters) {
  if (spec.type != ServerOptimizerSpec::Type::kFedAdam) return;
  first_moment_.assign(parameters, 0.0F);
  second_moment_.assign(parameters, static_cast<float>(spec.tau * spec.tau));
}

std::vector<float> ServerOptimizer::step(std::vector<float> model,
                                         std::span<const float> mean_update) {
  SOTTO_CHECK(model.size() == parameters_ && mean_update.size() == parameters_,
              "model and update have the optimizer's size");
  const bool adam = spec_.type == ServerOptimizerSpec::Type::kFedAdam;
  for (std::size_t i = 0; i < parameters_; ++i) {
    const double d = static_cast<double>(mean_update[i]);
    double direction = d;
    if (adam) {
      const double m = spec_.beta1 * static_cast<double>(first_moment_[i]) + (1 - spec_.beta1) * d;
      const double v =
          spec_.beta2 * static_cast<double>(second_moment_[i]) + (1 - spec_.beta2) * d * d;
      first_moment_[i] = static_cast<float>(m);
      second_moment_[i] = static_cast<float>(v);
      direction = m / (std::sqrt(v) + spec_.tau);
    }
    model[i] = static_cast<float>(static_cast<double>(model[i]) + spec_.learning_rate * direction);
  }
  return model;
}

Bytes ServerOptimizer::encode_state() const {
  ByteWriter out;
  out.reserve(16 + 8 * first_moment_.size());
  out.u32(kStateVersion);
  out.u32(static_cast<std::uint32_t>(spec_.type));
  out.u64(parameters_);
  write(out, first_moment_);
  write(out, second_moment_);
  return out.take();
}

Status ServerOptimizer::restore_state(BytesView state) {
  ByteReader in(state);
  const bool same = in.u32() == kStateVersion &&
                    in.u32() == static_cast<std::uint32_t>(spec_.type) && in.u64() == parameters_;
  if (!in.ok() || !same)
    return Error{"the saved optimizer state is of another optimizer or another model"};
  if (in.remaining() != 4 * (first_moment_.size() + second_moment_.size()))
    return Error{"the saved optimizer state is cut short or too long"};
  std::vector<float> first(first_moment_.size());
  std::vector<float> second(second_moment_.size());
  if (!read(in, first) || !read(in, second))
    return Error{"the saved optimizer state holds a value that is not finite"};
  first_moment_ = std::move(first);
  second_moment_ = std::move(second);
  return {};
}

}  // namespace sotto
