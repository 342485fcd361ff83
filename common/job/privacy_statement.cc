#include "common/job/privacy_statement.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "common/crypto/hash.h"
#include "common/job/counter_noise.h"
#include "common/job/public_epsilon.h"
#include "common/privacy/accounting/group_privacy.h"

namespace sotto::job {

namespace {

/// The numbers of examples of one person for which the statement gives figures.
constexpr std::array<std::uint32_t, 3> kPersonExamples = {2, 10, 40};

std::string shown(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4g", value);
  return std::isfinite(value) ? text.data() : "without bound";
}

std::string counted(std::uint64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

/// Returns, for example, "(epsilon 8, delta 1e-05)".
std::string figures(double epsilon, double delta) {
  return "(epsilon " + shown(epsilon) + ", delta " + shown(delta) + ")";
}

/// The known parameters and epsilon of the DP-SGD steps of a job with differential privacy.
struct Guarantee {
  double delta = 0;
  std::optional<privacy::DpSgdSteps> steps;  // of all rounds and spare rounds
  std::optional<double> epsilon;             // of these, for one example
};

Guarantee guarantee_of(const config::JobConfig& job, const StatementFacts& facts) {
  const config::DifferentialPrivacySection& dp = job.differential_privacy;
  Guarantee out{.delta = dp.target_delta};
  if (const auto steps = covered_steps_of(job, facts.declared_examples); steps.ok())
    out.steps = *steps;
  if (dp.noise_multiplier <= 0) {
    out.epsilon = dp.target_epsilon;
  } else if (out.steps) {
    if (const auto epsilon = privacy::epsilon_of(*out.steps, out.delta); epsilon.ok())
      out.epsilon = *epsilon;
  }
  return out;
}

StatementParagraph protection(const config::JobConfig& job) {
  const std::string title = "Who is protected, and against whom";
  if (job.differential_privacy.enabled) return {title, std::string(general_privacy_statement())};
  return {
      title,
      "This job trains without differential privacy. No epsilon bounds what the updates and the "
      "models tell about a training example, about a person or about a site, and the ledger of "
      "the data set records a loss without bound."};
}

StatementParagraph unit(const config::JobConfig& job) {
  const auto task = job.make_task();
  return {"What one training example is",
          "In this job (" + std::string(task->title()) + ") one training example is " +
              std::string(task->example_description()) + ". It is cut at " +
              counted(job.model.max_length, "token") +
              ". Several examples from one person or one document are several examples: records "
              "are not grouped by person."};
}

StatementParagraph adjacency(const StatementFacts& facts) {
  return {"Neighbouring data sets",
          "The guarantee compares two data sets that differ by one training example, which is "
          "added or removed while the declared size stays the same. Replacing the example by an "
          "empty one (zero-out) is equivalent. The declared size is a line of site.json, it is "
          "public and it may be rounded; sampling rate, calibration of the noise, divisor and "
          "answers use it and not the number of records." +
              (facts.declared_examples ? " The declared size of this data set is " +
                                             std::to_string(*facts.declared_examples) + "."
                                       : std::string())};
}

std::string job_figures(const config::JobConfig& job, const Guarantee& g) {
  const std::uint64_t spare = job.differential_privacy.spare_rounds;
  const std::string all = "all " + counted(job.covered_steps(), "step") + " of the " +
                          counted(job.rounds.num_server_rounds, "round") +
                          (spare > 0 ? " and of " + counted(spare, "spare round") : std::string());
  if (!g.epsilon)
    return "The job fixes the noise multiplier " +
           shown(job.differential_privacy.noise_multiplier) + " and delta " + shown(g.delta) +
           ". Epsilon of " + all +
           " follows from the sampling rate, hence from the declared size of the data set.";
  std::string out = "For one training example " + all + " together are " +
                    figures(*g.epsilon, g.delta) + "-differentially private";
  if (job.differential_privacy.noise_multiplier <= 0)
    out += "; each site calibrates its noise for that";
  if (g.steps)
    out += ", with sampling rate " + shown(g.steps->sampling_rate) + " and noise multiplier " +
           shown(g.steps->noise_multiplier);
  return out + ".";
}

std::string lost_rounds(std::uint64_t spare) {
  if (spare == 0) return "The ledger of a site may therefore exceed this figure. ";
  return "The figure covers " + counted(spare, "such round") +
         ", and with more of them the ledger of a site may exceed it. ";
}

StatementParagraph guarantee(const config::JobConfig& job, const StatementFacts& facts,
                             const Guarantee& g) {
  return {"Epsilon and delta of this job",
          job_figures(job, g) +
              (facts.epsilon_spent
                   ? " So far the run has come to epsilon " + shown(*facts.epsilon_spent) + "."
                   : std::string()) +
              " An update that was charged in a round that failed is charged again when the site "
              "trains again. " +
              lost_rounds(job.differential_privacy.spare_rounds) +
              "The ledger composes all jobs on a data set, and it refuses what exceeds the budget "
              "in site.json."};
}

/// Returns epsilon and delta for so many examples of one person; nothing when epsilon is above
/// kMeaninglessEpsilon or delta is not a probability.
std::optional<std::string> person_figure(const Guarantee& g, std::uint32_t examples) {
  if (g.steps) {
    const auto epsilon = privacy::epsilon_of_person(*g.steps, examples, g.delta);
    if (!epsilon.ok() || *epsilon > privacy::kMeaninglessEpsilon) return std::nullopt;
    return "epsilon " + shown(*epsilon) + " at delta " + shown(g.delta);
  }
  const privacy::GroupBound bound = privacy::general_group_bound(*g.epsilon, g.delta, examples);
  if (bound.epsilon > privacy::kMeaninglessEpsilon || bound.delta >= 1) return std::nullopt;
  return "epsilon " + shown(bound.epsilon) + " at delta " + shown(bound.delta);
}

/// Returns, for example, "2 examples: epsilon 3.1 at delta 1e-05; 10 examples: ...".
std::string person_figures(const Guarantee& g) {
  const std::string otherwise =
      g.steps ? "epsilon above " + shown(privacy::kMeaninglessEpsilon) : "no useful bound";
  std::string out;
  bool above = false;  // then more examples have no figure either, and computing it takes long
  for (const std::uint32_t examples : kPersonExamples) {
    const auto figure = above ? std::nullopt : person_figure(g, examples);
    above = !figure;
    out += (out.empty() ? "" : "; ") + counted(examples, "example") + ": " +
           figure.value_or(otherwise);
  }
  return out;
}

StatementParagraph person(const Guarantee& g) {
  const std::string title = "A person with more than one training example";
  std::string text =
      "Epsilon and delta are for one example. For all examples of one person in the data set of "
      "one site together they are larger. ";
  if (!g.steps && !g.epsilon)
    return {title, text + "The figures follow from the declared size of the data set."};
  text += g.steps ? "For the steps of this job: " + person_figures(g) + "."
                  : "By the general bound: " + person_figures(g) +
                        ". With the declared size of a data set smaller figures can be computed.";
  return {title, text + " An epsilon above " + shown(privacy::kMeaninglessEpsilon) +
                     " excludes next to nothing: the bound permits an observer to tell almost with "
                     "certainty whether the records of this person were used."};
}

/// Returns, for example, "at most 2 other participants".
std::string colluders(const config::JobConfig& job) {
  const std::uint32_t most = job.secure_aggregation.max_colluders;
  return most > 0 ? "at most " + counted(most, "other participant")
                  : "as many other participants as follow from the size of the federation";
}

std::string evaluation_split(const config::JobConfig& job) {
  const std::string sums =
      "The declared evaluation split: counts over it are summed over the participants of a round, "
      "the coordinator sees the sums, and figures made of them are published";
  const double multiplier = job.evaluation.counter_noise_multiplier;
  if (!(multiplier > 0)) return sums + ", so it must hold no record that needs protection. ";
  const double delta = job.differential_privacy.target_delta;
  return sums + ". Noise of the participants inside the sums makes those of all rounds together " +
         figures(counter_epsilon(multiplier, job.rounds.num_server_rounds + 1, delta), delta) +
         "-differentially private for one example of the split, against the coordinator together "
         "with " +
         colluders(job) + ". ";
}

StatementParagraph exceptions(const config::JobConfig& job) {
  return {
      "What is not covered",
      evaluation_split(job) +
          "Participation: others learn that the site takes part and when it answers. Declarations: "
          "the declared sizes and labels in site.json are public. Decisions: the answers to offers "
          "follow from the job, site.json and the ledger, and tell about these."};
}

StatementParagraph timing(const config::JobConfig& job, const StatementFacts& facts) {
  const std::string title = "The time of answers";
  if (const auto every = std::max(job.rounds.answer_every_s, facts.answer_every_s); every > 0)
    return {title,
            "Answers leave at multiples of " + counted(every, "second") +
                " after they were asked for. The time that training takes shows only as the number "
                "of these intervals that it needs."};
  return {title,
          "How long training takes depends on the examples that were drawn, and the coordinator "
          "can measure it. The guarantee does not cover this channel. It is closed by answers at "
          "fixed times: rounds.answer_every_s in the job or policy.answer_every_s in site.json, "
          "with an interval that is longer than training takes."};
}

StatementParagraph masks(const config::JobConfig& job) {
  std::string text;
  if (job.secure_aggregation.enabled)
    text =
        "Secure aggregation hides the update and the evaluation counts of a single site from "
        "the coordinator together with " +
        colluders(job) +
        ". If the masks are broken, because more participants collude or because of an error, "
        "both become visible.";
  else
    text =
        "Secure aggregation is off: the coordinator sees the update and the evaluation counts "
        "of every single site.";
  text += job.differential_privacy.enabled
              ? " The guarantee for one training example holds all the same, because each site "
                "adds its whole noise before an update leaves it."
              : " Nothing bounds what an update tells about the training data of its site.";
  if (job.distributed_privacy.enabled)
    text += " The guarantee for a whole participant holds only as long as the masks do.";
  return {"If the masks are broken", text};
}

}  // namespace

std::string_view general_privacy_statement() {
  return "For every participant and every single training example of it, everything that leaves "
         "the participant's site because of a job, over all its rounds and attempts, is (epsilon, "
         "delta)-differentially private, apart from what the last sentence names. Two data sets "
         "are "
         "neighbours if they differ by one training example, which is added or removed while the "
         "declared size of the data set stays the same (adjacency: add or remove one; zero-out is "
         "equivalent). The guarantee protects the people whose records are in the training data. "
         "It holds against everybody outside the site together: the coordinator, which chooses the "
         "jobs and the weights of every model, all other participants, and everybody who sees a "
         "model. It does not depend on secure aggregation. It does not cover the declared "
         "evaluation split, the fact that the site takes part, the declared sizes and labels, what "
         "the policy and the ledger of the site decide, and the time that training takes unless "
         "answers leave at fixed times.";
}

StatementParagraph participant_statement(const config::JobConfig& job) {
  const std::string title = "A participant as a whole";
  const config::DistributedPrivacySection& sums = job.distributed_privacy;
  if (!sums.enabled)
    return {title,
            "The job adds no noise inside the masked sums (distributed_privacy is off), so there "
            "is no guarantee for everything that one participant sends. With few participants a "
            "sum tells much about each of them."};
  const std::string bound =
      sums.noise_multiplier > 0
          ? "(epsilon, delta)-differentially private, with noise multiplier " +
                shown(sums.noise_multiplier) + " in the smallest sum and delta " +
                shown(sums.target_delta)
          : figures(sums.target_epsilon, sums.target_delta) + "-differentially private";
  return {title,
          "Everything that one participant sends in this job, compared with its having sent zero, "
          "is " +
              bound + ". This holds against the coordinator together with " + colluders(job) +
              " and everybody who sees a model, without trust in the coordinator. The noise is "
              "that of the other participants inside the masked sums. That the participant took "
              "part is visible, and the sums over the declared evaluation splits are not covered. "
              "This guarantee is reported apart from the one for a training example, and the two "
              "are never added."};
}

std::vector<StatementParagraph> privacy_statement(const config::JobConfig& job,
                                                  const StatementFacts& facts) {
  std::vector<StatementParagraph> out = {protection(job)};
  if (job.differential_privacy.enabled) {
    const Guarantee g = guarantee_of(job, facts);
    out.insert(out.end(), {unit(job), adjacency(facts), guarantee(job, facts, g), person(g)});
  }
  out.insert(out.end(),
             {participant_statement(job), exceptions(job), timing(job, facts), masks(job)});
  return out;
}

std::string to_text(const std::vector<StatementParagraph>& statement, std::size_t width) {
  constexpr std::string_view kIndent = "  ";
  std::string out;
  for (const StatementParagraph& paragraph : statement) {
    out += paragraph.title + "\n";
    std::string line(kIndent);
    for (std::size_t at = 0; at < paragraph.text.size();) {
      const std::size_t end = std::min(paragraph.text.find(' ', at), paragraph.text.size());
      const std::string word = paragraph.text.substr(at, end - at);
      if (line.size() > kIndent.size() && line.size() + 1 + word.size() > width) {
        out += line + "\n";
        line = kIndent;
      }
      line += (line.size() > kIndent.size() ? " " : "") + word;
      at = end + 1;
    }
    out += line + "\n";
  }
  return out;
}

std::string to_json(const std::vector<StatementParagraph>& statement) {
  nlohmann::json out = nlohmann::json::array();
  for (const StatementParagraph& paragraph : statement)
    out.push_back({{"title", paragraph.title}, {"text", paragraph.text}});
  return out.dump();
}

Bytes32 statement_hash(const std::vector<StatementParagraph>& statement) {
  return crypto::hash("SOTTO statement", {view_of(to_text(statement))});
}

std::vector<std::pair<std::string, std::string>> statement_audit_fields(
    const config::JobConfig& job) {
  std::string sentence = "no differential privacy for a training example";
  if (job.differential_privacy.enabled) {
    const Guarantee g = guarantee_of(job, {});
    sentence = "for one training example (" + std::string(job.make_task()->example_noun()) +
               ") of a site, added or removed beside "
               "the declared size, over all rounds of the job: " +
               (g.epsilon ? "epsilon " + shown(*g.epsilon)
                          : "epsilon by the declared size, noise multiplier " +
                                shown(job.differential_privacy.noise_multiplier)) +
               ", delta " + shown(g.delta);
  }
  if (job.distributed_privacy.enabled)
    sentence += "; a second guarantee, for everything that one participant sends";
  return {{"privacy", std::move(sentence)},
          {"privacy_statement_hash", to_hex(statement_hash(privacy_statement(job)))}};
}

}  // namespace sotto::job
