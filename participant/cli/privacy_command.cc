#include "participant/cli/privacy_command.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "common/cli/output.h"
#include "common/config/parse.h"
#include "common/job/privacy_statement.h"
#include "common/privacy/accounting/selection.h"
#include "common/storage/atomic_file.h"
#include "participant/privacy/privacy_batch.h"
#include "participant/privacy/privacy_questions.h"
#include "participant/training/dp_steps.h"

namespace sotto::participant {

namespace {

using cli::or_stop;

using nlohmann::json;

struct PrivacyArguments {
  std::string job;
  std::vector<std::string> overrides;
  std::uint64_t examples = 0, persons = 0;
  double sampling_rate = 0;
  double noise_multiplier = 0;
  std::uint64_t steps = 0;
  double delta = 1e-5;
  double target_epsilon = 0;
  std::string accountant = "pld";
  double tries = 0;  // 0: not requested
  std::string tries_law = "geometric";
  std::string plot;
  bool force = false;  // replaces a file at `plot`
  bool json = false;
  bool batch = false;

  /// Returns the declared size in the job's unit, of which at most one is given.
  [[nodiscard]] std::uint64_t units() const { return examples > 0 ? examples : persons; }
};

std::string shown(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

/// Answers each line of the input at once, so that a program can send one question after another.
void answer_batch() {
  std::string line;
  std::uint64_t number = 1;
  for (int c = std::getchar(); c != EOF || !line.empty(); c = std::getchar()) {
    if (c != '\n' && c != EOF) {
      line.push_back(static_cast<char>(c));
      continue;
    }
    if (line.find_first_not_of(" \t\r") != std::string::npos) {
      std::printf("%s\n", answer_line(line, number).c_str());
      std::fflush(stdout);
    }
    line.clear();
    ++number;
    if (c == EOF) return;
  }
}

PrivacyQuestion question_of_job(const config::JobConfig& job, PrivacyArguments& args) {
  if (!job.differential_privacy.enabled)
    throw StartupError(
        args.job + ": differential_privacy.enabled is false, so that no epsilon bounds the job");
  const bool persons = job.protects_persons();
  if ((persons ? args.examples : args.persons) > 0)
    throw StartupError(args.job +
                       (persons ? ": the job protects persons; give --persons instead of --examples"
                                : ": the job protects single examples; give --examples instead of "
                                  "--persons"));
  if (args.units() == 0 && job.local_training.sampling_rate <= 0)
    throw StartupError(args.job +
                       ": local_training.expected_batch_size is set, so that the sampling rate "
                       "follows from the declared number of " +
                       (persons ? "persons; give --persons" : "examples; give --examples"));
  args.delta = job.differential_privacy.target_delta;
  privacy::DpSgdSteps steps =
      or_stop(training::dp_steps_per_round(job, std::max<std::uint64_t>(1, args.units())));
  steps.steps = job.covered_steps();
  return {.parts = {steps}, .delta = args.delta};
}

PrivacyQuestion question_of_flags(const PrivacyArguments& args) {
  PrivacyQuestion out{.parts = {{.sampling_rate = args.sampling_rate,
                                 .noise_multiplier = args.noise_multiplier,
                                 .steps = args.steps}},
                      .delta = args.delta};
  if (args.target_epsilon != 0) out.target_epsilon = args.target_epsilon;
  if (out.target_epsilon.has_value() == (args.noise_multiplier != 0))
    throw StartupError(
        "give a job.json, or --sampling-rate and --steps with either --noise-multiplier or "
        "--target-epsilon");
  return out;
}

/// Returns epsilon of publishing the best of a random number of such runs, if it was requested.
std::optional<double> epsilon_of_tries(const PrivacyArguments& args,
                                       const privacy::DpSgdSteps& one_try) {
  if (args.tries == 0) return std::nullopt;
  const privacy::TriesLaw law = args.tries_law == "poisson"       ? privacy::TriesLaw::kPoisson
                                : args.tries_law == "logarithmic" ? privacy::TriesLaw::kLogarithmic
                                                                  : privacy::TriesLaw::kGeometric;
  return or_stop(
      privacy::epsilon_of_selection(one_try, {.law = law, .mean = args.tries}, args.delta));
}

/// Returns the privacy statement of the job. For a run that only the options describe, returns what
/// holds for every job.
std::vector<job::StatementParagraph> statement_of(const std::optional<config::JobConfig>& job,
                                                  const PrivacyArguments& args) {
  if (!job) return {{"Privacy statement", std::string(job::general_privacy_statement())}};
  job::StatementFacts facts;
  if (args.units() > 0) facts.declared_units = args.units();
  return job::privacy_statement(*job, facts);
}

struct Answered {
  PrivacyAnswer found;
  double epsilon_rdp = 0;
  std::vector<job::StatementParagraph> statement;
  privacy::ProtectedUnit unit = privacy::ProtectedUnit::kExample;
};

void print_json(const PrivacyArguments& args, const Answered& answered) {
  const PrivacyAnswer& found = answered.found;
  const auto finite = [](double v) { return std::isfinite(v) ? json(v) : json(nullptr); };
  const std::optional<double> tries = epsilon_of_tries(args, found.parts[0]);
  const privacy::DpSgdSteps& steps = found.parts[0];
  std::printf("%s\n", json{{"epsilon", finite(found.epsilon)},
                           {"epsilon_rdp", finite(answered.epsilon_rdp)},
                           {"epsilon_of_tries", tries ? finite(*tries) : json(nullptr)},
                           {"delta", args.delta},
                           {"adjacency", job::adjacency_of(answered.unit)},
                           {"accountant", args.accountant},
                           {"sampling_rate", steps.sampling_rate},
                           {"noise_multiplier", steps.noise_multiplier},
                           {"steps", steps.steps},
                           {"privacy_statement", json::parse(job::to_json(answered.statement))}}
                          .dump()
                          .c_str());
}

Answered answers_of(const PrivacyQuestion& question, const std::optional<config::JobConfig>& job,
                    const PrivacyArguments& args) {
  const PrivacyAnswer found = or_stop(answer(question));
  return {.found = found,
          .epsilon_rdp =
              or_stop(privacy::epsilon_of(found.parts, args.delta, privacy::accountants::rdp)),
          .statement = statement_of(job, args),
          .unit = job ? job->unit() : privacy::ProtectedUnit::kExample};
}

std::vector<std::string> accountant_names() {
  std::vector<std::string> out;
  for (const privacy::AccountantKind* kind : privacy::accountant_kinds())
    out.emplace_back(kind->name);
  return out;
}

void run_command(PrivacyArguments args) {
  if (args.batch) return answer_batch();
  if (!args.plot.empty()) cli::require_new_file(args.plot, args.force);
  std::optional<config::JobConfig> job;
  if (!args.job.empty()) job = config::load_job(args.job, args.overrides);
  PrivacyQuestion question = job ? question_of_job(*job, args) : question_of_flags(args);
  question.accountant = privacy::find_accountant(args.accountant);
  const Answered answered = answers_of(question, job, args);
  const PrivacyAnswer& found = answered.found;
  if (args.units() > 0 && args.delta * static_cast<double>(args.units()) >= 1)
    std::fprintf(
        stderr,
        "warning: delta %s is not below one over the number of %s; a mechanism that publishes "
        "one of them outright could have this (epsilon, delta)\n",
        shown(args.delta).c_str(),
        answered.unit == privacy::ProtectedUnit::kPerson ? "persons" : "examples");
  if (!args.plot.empty()) {
    PrivacyCurve drawn = or_stop(curve(found, args.delta, 60));
    drawn.unit = answered.unit;
    const std::string svg = plot_svg(drawn);
    if (auto written = storage::write_file_atomically(args.plot, {view_of(svg)},
                                                      storage::FileAccess::kEveryoneReads);
        !written.ok())
      throw StartupError(written.error().message);
  }
  if (args.json) return print_json(args, answered);
  const privacy::DpSgdSteps& steps = found.parts[0];
  const std::optional<double> tries = epsilon_of_tries(args, steps);
  std::printf(
      "epsilon %s at delta %s, for adding or removing %s\n  sampling rate %s, noise "
      "multiplier %s, %llu steps\n  by the Rényi bound alone: %s\n",
      shown(found.epsilon).c_str(), shown(args.delta).c_str(),
      job && job->protects_persons() ? job::unit_of(*job).c_str() : "one example",
      shown(steps.sampling_rate).c_str(), shown(steps.noise_multiplier).c_str(),
      static_cast<unsigned long long>(steps.steps), shown(answered.epsilon_rdp).c_str());
  if (tries)
    std::printf("  the best of a %s number of tries, %s on average: epsilon %s\n",
                args.tries_law.c_str(), shown(args.tries).c_str(), shown(*tries).c_str());
  if (args.plot.empty())
    std::printf("%s", plot_text(or_stop(curve(found, args.delta, 48))).c_str());
  std::printf("\n%s", job::to_text(answered.statement).c_str());
}

}  // namespace

void add_privacy_command(cli::Command& app) {
  auto args = std::make_shared<PrivacyArguments>();
  cli::Command* sub = app.add_subcommand(
      "privacy",
      "Compute the cost of a run, or the noise that reaches a target: epsilon for adding or "
      "removing one example, or one person if the job protects persons. Nothing is charged");
  sub->add_option("job", args->job, "job.json; or describe the run by the options below");
  sub->add_option("--set", args->overrides, "Override a key of the job")->allow_extra_args(false);
  sub->add_option("--examples", args->examples,
                  "Declared number of training examples, for a job with expected_batch_size and "
                  "for the warning about a large delta");
  sub->add_option("--persons", args->persons,
                  "Declared number of persons, instead of --examples, for a job that protects "
                  "persons");
  sub->add_option("--sampling-rate", args->sampling_rate, "Poisson sampling rate, in (0, 1]");
  sub->add_option("--noise-multiplier", args->noise_multiplier,
                  "Standard deviation of the noise over the clipping norm");
  sub->add_option("--steps", args->steps, "Number of DP-SGD steps of all rounds");
  sub->add_option("--delta", args->delta, "Without a job")->capture_default_str();
  sub->add_option(
      "--target-epsilon", args->target_epsilon,
      "Target for which the smallest noise multiplier is computed, instead of --noise-multiplier");
  sub->add_option("--tries", args->tries,
                  "Also compute the cost of a random number of such runs, with this average, of "
                  "which only the best one is released");
  sub->add_option("--tries-law", args->tries_law, "Distribution of that number")
      ->one_of({"geometric", "logarithmic", "poisson"})
      ->capture_default_str();
  sub->add_option("--accountant", args->accountant,
                  "Accountant: pld is the one that is charged; rdp is the Rényi bound")
      ->one_of(accountant_names())
      ->capture_default_str();
  sub->add_option("--plot", args->plot,
                  "Write epsilon as a function of the steps to this SVG file");
  cli::add_force_option(*sub, args->force);
  sub->add_flag("--json", args->json, "One JSON object");
  sub->add_flag(
      "--batch", args->batch,
      "One JSON object a line from standard input, answers in order. A run is "
      "\"sampling_rate\", \"noise_multiplier\", \"steps\"; \"parts\" is a list of runs. "
      "Epsilon: {\"sampling_rate\":0.01,\"noise_multiplier\":1,\"steps\":1000,\"delta\":1e-5}. "
      "Delta: \"epsilon\":2 instead of \"delta\". Noise: \"target_epsilon\":2 instead of "
      "\"noise_multiplier\". A person with ten examples: \"examples\":10. Replacing one: "
      "\"adjacency\":\"replace_one\". The Rényi curve: \"orders\":[2,8,32] instead of "
      "\"delta\"; the Rényi bound: \"accountant\":\"rdp\". Other noise: "
      "{\"mechanism\":\"laplace\",\"scale\":2,\"steps\":1,\"delta\":1e-5}, "
      "\"discrete_laplace\" with \"decay\" and \"sensitivity\", \"discrete_gaussian\" with "
      "\"sigma\" and \"sensitivity\", \"distributed_discrete_gaussian\" or "
      "\"distributed_skellam\" with \"deviation\", \"unknown_noises\", "
      "\"squared_sensitivity\", \"dimension\". docs/privacy.md has an example of each");
  sub->callback([args] { run_command(*args); });
}

}  // namespace sotto::participant
