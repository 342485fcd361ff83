#include "common/job/starting_job.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

#include <nlohmann/json.hpp>

#include "common/config/colluders.h"
#include "common/job/public_epsilon.h"

namespace sotto::job {
namespace {

using nlohmann::json;

/// Most examples that a step is expected to draw at a site. More examples a step cost time and
/// hardly change the ratio of signal to noise, because the noise for a given epsilon grows with the
/// sampling rate.
constexpr double kLargestBatch = 4096;
/// Between the noise of banking at epsilon 4 (63 % of its accuracy without privacy) and at epsilon
/// 2 (47 %); docs/accuracy.md.
constexpr double kLargeNoise = 2.5e-3;

/// Returns the largest power of ten that is at most `bound`.
double power_of_ten(double bound) {
  return std::stod("1e" + std::to_string(std::lround(std::floor(std::log10(bound) + 1e-9))));
}

/// Returns `value` with two significant digits, so that a person can read and change it.
double two_digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2g", value);
  return std::stod(text);
}

/// Returns a value as JSON writes it.
template <class T>
std::string shown(const T& value) {
  return json(value).dump();
}

/// The worked examples of width 64 were tuned: 0.04 for a whole classifier, 0.01 for LoRA and for
/// language models, 0.003 for tags. Published DP fine-tuning of width 768 uses 5e-4 for a whole
/// model (Li et al. 2022, arXiv 2110.05679) and 1e-3 for LoRA (Yu et al. 2022, arXiv 2110.06500).
/// The rule is a power of the width between these two points.
double learning_rate(const StartingFacts& facts) {
  const double width = std::max<double>(facts.hidden_size, 64) / 64;
  if (facts.lora_rank > 0) return two_digits(0.01 * std::pow(width, -0.93));
  const bool is_tagging = facts.task.type == "token_classification";
  const bool is_language = facts.task.type == "causal_language_modeling";
  const double at_64 = is_tagging ? 0.003 : is_language ? 0.01 : 0.04;
  const double at_768 = 5e-4;
  const double power = std::log(at_768 / at_64) / std::log(12.0);
  return two_digits(at_64 * std::pow(width, power));
}

std::uint32_t min_available(std::uint32_t participants) {
  const std::uint32_t least = config::default_min_cohort(config::default_colluders(participants));
  if (participants <= least) return participants;
  return std::max(least, participants - std::max(1U, participants / 10));
}

}  // namespace

StartingSettings starting_settings(const StartingFacts& facts) {
  const auto n = static_cast<double>(facts.examples);
  StartingSettings out;
  out.max_length = std::min<std::uint32_t>(facts.positions, 128);
  out.rounds = facts.pretrained ? 20 : 60;
  out.local_steps = 2;
  out.min_available = min_available(facts.participants);
  out.sampling_rate = two_digits(std::min(0.5, kLargestBatch / n));
  out.physical_batch = std::clamp(
      256 * 64 / std::max(out.max_length, 64U) * 64 / std::max(facts.hidden_size, 64U), 8U, 256U);
  out.learning_rate = learning_rate(facts);
  out.delta = facts.delta.value_or(std::min(1e-5, power_of_ten(0.1 / n)));
  return out;
}

std::string starting_job_text(const StartingFacts& facts, const StartingSettings& s) {
  const tasks::TaskSettings& task = facts.task;
  std::string text =
      "// Written by `sotto-participant job init`; docs/your-data.md explains the choices and\n"
      "// docs/configuration.md every key. Change what you like.\n"
      "{\n"
      "  \"name\": " +
      shown(facts.name) +
      ",\n"
      "  \"model\": {\n"
      "    \"path\": " +
      shown(facts.model_path) + ",\n" +
      (facts.pretrained ? "" : "    \"initial\": \"random\",  // the folder holds no weights\n") +
      "    \"max_length\": " + shown(s.max_length) +
      "  // tokens; longer texts are cut\n"
      "  },\n"
      "  \"task\": {\n"
      "    \"type\": " +
      shown(task.type);
  if (!task.labels.empty()) text += ",\n    \"labels\": " + shown(task.labels);
  if (task.target_max > task.target_min)
    text += ",\n    \"target_min\": " + shown(task.target_min) +
            ",\n    \"target_max\": " + shown(task.target_max);
  text += "\n  },\n  \"rounds\": {\n    // ";
  text += facts.pretrained ? "The model begins with trained weights, so few rounds suffice.\n"
                           : "The model begins at random and needs many rounds.\n";
  text += "    \"num_server_rounds\": " + shown(s.rounds) +
          ",\n"
          "    \"min_available_participants\": " +
          shown(s.min_available) + "  // of " + shown(facts.participants) +
          "\n"
          "  },\n";
  if (facts.lora_rank > 0)
    text +=
        "  // Only adapters of this rank and the head are trained and sent.\n"
        "  \"lora\": {\"r\": " +
        shown(facts.lora_rank) + ", \"alpha\": " + shown(2 * facts.lora_rank) +
        ", \"target_modules\": [\"all-linear\"]},\n";
  return text +
         "  \"differential_privacy\": {\n"
         "    // Each site computes the noise for this epsilon and delta. Delta is well below one "
         "over\n"
         "    // the number of examples of a site.\n"
         "    \"target_epsilon\": " +
         shown(facts.epsilon) +
         ",\n"
         "    \"target_delta\": " +
         shown(s.delta) +
         ",\n"
         "    \"clipping_norm\": 1.0  // with Adam the result hardly depends on it\n"
         "  },\n"
         "  \"local_training\": {\n"
         "    \"local_steps\": " +
         shown(s.local_steps) +
         ",\n"
         "    // A large rate averages many examples; the noise for an epsilon grows only as "
         "fast.\n"
         "    \"sampling_rate\": " +
         shown(s.sampling_rate) +
         ",\n"
         "    \"physical_batch_size\": " +
         shown(s.physical_batch) +
         ",\n"
         "    \"optimizer\": \"adam\",\n"
         "    \"learning_rate\": " +
         shown(s.learning_rate) + ",  // for a model of width " + shown(facts.hidden_size) +
         "\n"
         "    \"learning_rate_schedule\": \"linear\"\n"
         "  },\n"
         "  \"seed\": 1\n"
         "}\n";
}

Result<StartingCost> starting_cost(const config::JobConfig& job, const StartingFacts& facts) {
  SOTTO_ASSIGN_OR_RETURN(const auto steps, covered_steps_of(job, facts.examples));
  SOTTO_CHECK(steps.has_value(), "a starting job has differential privacy and a sampling rate");
  StartingCost out{.noise_multiplier = steps->noise_multiplier, .steps = steps->steps};
  const double mean_of = steps->sampling_rate * static_cast<double>(facts.examples);
  // Every site adds noise of the same deviation; the mean over n sites has it over sqrt(n).
  out.noise_of_mean = out.noise_multiplier / mean_of / std::sqrt(facts.participants);
  out.is_large = out.noise_of_mean > kLargeNoise;
  return out;
}

}  // namespace sotto::job
