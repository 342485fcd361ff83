// What the configuration permits, the code that uses it accepts: for every number of job.json, the
// smallest and the largest value that is allowed are given to the class that consumes it, and the
// next value beyond is refused when the file is read.
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include <gtest/gtest.h>

#include "common/config/fields.h"
#include "common/encoding/quantizer.h"
#include "common/model/optimizers/server_optimizer.h"
#include "common/privacy/accounting/accountant.h"
#include "common/privacy/accounting/distributed_privacy.h"
#include "common/privacy/mechanisms/adaptive_clip.h"
#include "common/privacy/mechanisms/clip.h"
#include "common/secagg/shared/graph.h"
#include "common/wire/codec.h"
#include "tests/common/config/samples.h"

namespace sotto::config {
namespace {

using Consumer = std::function<Status(const JobConfig&)>;

Status encodes(const JobConfig& job) {
  const SecureAggregationSection& s = job.secure_aggregation;
  const encoding::EncodingSpec spec{.quantization_bits = s.quantization_bits,
                                    .value_range = s.value_range,
                                    .max_update_norm = s.max_update_norm};
  crypto::StreamRandom random(1);
  const auto lanes = encoding::lane_specs(spec, 10, secagg::kMaxMembers);
  auto update = clip(FlatUpdate(std::vector<float>(10, 0.5F)), s.max_update_norm);
  if (!update.ok()) return update.error();
  auto encoded = encoding::encode(spec, lanes, {}, std::move(update).value(), {}, random);
  if (!encoded.ok()) return encoded.error();
  auto decoded = encoding::decode_sum(spec, lanes, {}, std::move(encoded).value(), 1);
  if (!decoded.ok()) return decoded.error();
  encoding::MeanParts mean(*decoded);
  for (const float value : mean.next())
    if (!std::isfinite(value)) return Error{"the mean is not finite"};
  return {};
}

Status has_thresholds(const JobConfig& job) {
  const auto thresholds = secagg::complete_graph_thresholds(
      secagg::kMaxMembers, std::max(job.secure_aggregation.max_colluders, 1U));
  return thresholds.ok() ? Status{} : thresholds.error();
}

Status has_a_graph(const JobConfig& job) {
  const SecureAggregationSection& s = job.secure_aggregation;
  const auto graph = secagg::graph_parameters(
      s.cohort_size > 0 ? s.cohort_size : 1000, 1,
      {.full_graph_max = s.full_graph_max, .dropout_percent = s.expected_dropout_percent});
  return graph.ok() ? Status{} : graph.error();
}

Status accounts(const JobConfig& job) {
  const auto epsilon =
      privacy::epsilon_of({.sampling_rate = 0.01, .noise_multiplier = 2, .steps = 10},
                          job.differential_privacy.target_delta);
  return epsilon.ok() ? Status{} : epsilon.error();
}

Status shares_out_noise(const JobConfig& job) {
  const auto noise = privacy::adaptive_noise(1, job.differential_privacy.count_noise_multiplier);
  return std::isfinite(noise.gradient_multiplier) ? Status{} : Error{"no noise is left"};
}

Status plans_noise(const JobConfig& job) {
  const auto plan = privacy::plan_noise({.clipping_norm = job.distributed_privacy.clipping_norm,
                                         .noise_multiplier = 1,
                                         .dimension = 1024,
                                         .participants = 10,
                                         .unknown_noises = 5,
                                         .rounds = 1});
  if (!plan.ok()) return plan.error();
  return std::isfinite(plan->steps_per_unit) ? Status{} : Error{"the scale is not finite"};
}

Status steps(const JobConfig& job) {
  for (const ServerOptimizerKind* kind : server_optimizer_kinds()) {
    std::vector<float> model{0.5F, -0.5F};
    ServerOptimizer optimizer(*kind, job.server_optimizer.parameters, model.size());
    optimizer.step(model, 0, std::vector{0.1F, 0.0F});
    if (!std::isfinite(model[0]) || !std::isfinite(model[1]))
      return Error{std::string(kind->name) + " leaves the floats"};
  }
  return {};
}

Status numbers_its_rounds(const JobConfig& job) {
  const std::uint64_t closing = std::uint64_t{job.rounds.num_server_rounds} + 1;
  const auto last = static_cast<std::uint16_t>(job.rounds.attempts_per_round);
  const RoundNumber round = RoundNumber::of(closing, last);
  const bool kept =
      round.server_round() == closing && round.attempt() == job.rounds.attempts_per_round;
  return kept ? Status{} : Error{"the number of a round does not hold it"};
}

const std::map<std::string_view, Consumer>& consumers() {
  static const std::map<std::string_view, Consumer> all{
      {"rounds.num_server_rounds", numbers_its_rounds},
      {"rounds.attempts_per_round", numbers_its_rounds},
      {"secure_aggregation.max_colluders", has_thresholds},
      {"secure_aggregation.quantization_bits", encodes},
      {"secure_aggregation.value_range", encodes},
      {"secure_aggregation.max_update_norm", encodes},
      {"secure_aggregation.full_graph_max", has_a_graph},
      {"secure_aggregation.cohort_size", has_a_graph},
      {"secure_aggregation.expected_dropout_percent", has_a_graph},
      {"differential_privacy.target_delta", accounts},
      {"differential_privacy.count_noise_multiplier", shares_out_noise},
      {"distributed_privacy.clipping_norm", plans_noise},
      {"server_optimizer.learning_rate", steps},
      {"server_optimizer.beta1", steps},
      {"server_optimizer.beta2", steps},
      {"server_optimizer.tau", steps},
  };
  return all;
}

/// The smallest and the largest value that `field` allows, and the next beyond each.
struct Ends {
  double smallest, largest, below, above;
};

Ends ends_of(const Field& field) {
  const Range& r = field.limits.range;
  constexpr double kFar = std::numeric_limits<double>::infinity();
  const bool whole = !std::holds_alternative<double*>(field.slot);
  const auto down = [&](double v) { return whole ? v - 1 : std::nextafter(v, -kFar); };
  const auto up = [&](double v) { return whole ? v + 1 : std::nextafter(v, kFar); };
  Ends out{r.min, r.max, down(r.min), up(r.max)};
  if (r.above_min) {  // JSON has no smaller numbers than the normal ones
    out.smallest = std::max(up(r.min), std::numeric_limits<double>::min());
    out.below = r.min;
  }
  if (r.below_max) {
    out.largest = down(r.max);
    out.above = r.max;
  }
  return out;
}

void set(const Field& field, double value) {
  if (auto* const* real = std::get_if<double*>(&field.slot)) **real = value;
  if (auto* const* whole = std::get_if<std::uint32_t*>(&field.slot))
    **whole = static_cast<std::uint32_t>(value);
}

bool is_read(std::string_view path, double value, bool whole) {
  char text[64];
  std::snprintf(text, sizeof text, whole ? "%.0f" : "%.17g", value);
  const std::vector<std::string> overrides{std::string(path) + "=" + text};
  const auto parsed = parse_job(samples::kJob, "job.json", overrides);
  const auto* errors = std::get_if<ConfigErrors>(&parsed);
  return errors == nullptr ||
         errors->joined().find("$." + std::string(path) + ": found") == std::string::npos;
}

TEST(Limits, WhatTheConfigurationPermitsItsConsumerAccepts) {
  std::size_t walked = 0;
  JobConfig names;
  for (const Field& named : fields_of(names)) {
    const auto consumer = consumers().find(named.path);
    if (consumer == consumers().end()) continue;
    ++walked;
    const Ends ends = ends_of(named);
    for (const double value : {ends.smallest, ends.largest}) {
      JobConfig job;
      for (const Field& field : fields_of(job))
        if (field.path == named.path) set(field, value);
      const Status accepted = consumer->second(job);
      EXPECT_TRUE(accepted.ok()) << named.path << " = " << value << ": "
                                 << (accepted.ok() ? "" : accepted.error().message);
    }
    const bool whole = !std::holds_alternative<double*>(named.slot);
    for (const double beyond : {ends.below, ends.above})
      EXPECT_FALSE(is_read(named.path, beyond, whole)) << named.path << " = " << beyond;
  }
  EXPECT_EQ(walked, consumers().size()) << "a consumer of a field that does not exist";
}

TEST(Limits, AJobThatNoMessageCanCarryIsRefused) {
  std::string labels;
  for (int i = 0; i < 300; ++i)
    labels += (i == 0 ? "\"" : ", \"") + std::to_string(i) + std::string(4000, 'x') + "\"";
  const auto parsed =
      parse_job(samples::with(samples::kJob, "\"yes\", \"no\"", labels), "job.json");
  const auto* errors = std::get_if<ConfigErrors>(&parsed);
  ASSERT_NE(errors, nullptr);
  EXPECT_NE(errors->joined().find("at most 1048576 bytes can be offered"), std::string::npos)
      << errors->joined();
}

}  // namespace
}  // namespace sotto::config
