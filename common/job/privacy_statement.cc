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
  std::optional<double> epsilon;             // of these, for one unit
};

Guarantee guarantee_of(const config::JobConfig& job, const StatementFacts& facts) {
  const config::DifferentialPrivacySection& dp = job.differential_privacy;
  Guarantee out{.delta = dp.target_delta};
  if (const auto steps = covered_steps_of(job, facts.declared_units); steps.ok())
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
  const std::string title = "Scope of the protection";
  if (job.differential_privacy.enabled)
    return {title, std::string(general_privacy_statement(job.unit()))};
  return {title,
          "This job trains without differential privacy. No epsilon bounds the information that "
          "the updates and the models reveal about a training example, about a person or about a "
          "site, and the ledger of the data set records a privacy loss without bound."};
}

std::string definition_of_example(const config::JobConfig& job) {
  const auto task = job.make_task();
  return "In this job (" + std::string(task->title()) + ") one training example is " +
         std::string(task->example_description()) + ". Each training example is truncated to " +
         counted(job.model.max_length, "token") + ". ";
}

StatementParagraph unit(const config::JobConfig& job) {
  if (!job.protects_persons())
    return {"Definition of a training example",
            definition_of_example(job) +
                "Several examples from one person or one document count as several examples, "
                "because records are not grouped by person."};
  return {"Definition of a person",
          "A person is whom the column data.columns.person of a site names; a record that names "
          "nobody counts as a person of its own. " +
              definition_of_example(job) + "Of each person at most " +
              counted(job.differential_privacy.examples_per_person, "example") +
              " at a site are used, the same ones in all steps and rounds. A step draws persons, "
              "each with all of her used examples, and the clipped gradients of her n used "
              "examples count 1/n each, so that she adds at most one clipping norm to the sum. A "
              "record about several persons protects the person that it names."};
}

StatementParagraph adjacency_of_persons(const StatementFacts& facts) {
  return {"Neighbouring data sets",
          "The guarantee compares two data sets that differ by one person with all of her "
          "examples, who is added or removed while the declared number of persons stays the same. "
          "The comparison with a data set in which all examples of the person are replaced by "
          "empty ones (zero-out) is equivalent. The declared number of persons is the one that "
          "site.json states (data.training_persons). It is public and it may be rounded. The "
          "sampling rate, the calibration of the noise, the divisor and the answers use the "
          "declared number and not the number of persons in the records. The number of examples of "
          "a person is covered by the guarantee." +
              (facts.declared_units ? " The declared number of persons of this data set is " +
                                          std::to_string(*facts.declared_units) + "."
                                    : std::string())};
}

StatementParagraph adjacency(const config::JobConfig& job, const StatementFacts& facts) {
  if (job.protects_persons()) return adjacency_of_persons(facts);
  return {"Neighbouring data sets",
          "The guarantee compares two data sets that differ by one training example, which is "
          "added or removed while the declared size stays the same. The comparison with a data set "
          "in which the example is replaced by an empty one (zero-out) is equivalent. The declared "
          "size is the number of training examples that site.json states. It is public and it may "
          "be rounded. The sampling rate, the calibration of the noise, the divisor and the "
          "answers use the declared size and not the number of records." +
              (facts.declared_units ? " The declared size of this data set is " +
                                          std::to_string(*facts.declared_units) + "."
                                    : std::string())};
}

/// Returns the declared size by name.
std::string size_of(const config::JobConfig& job) {
  return job.protects_persons() ? "number of persons" : "size of the data set";
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
           " follows from the sampling rate, and therefore from the declared " + size_of(job) + ".";
  std::string out = "For " + unit_of(job) + ", " + all + " together are " +
                    figures(*g.epsilon, g.delta) + "-differentially private.";
  if (job.differential_privacy.noise_multiplier <= 0)
    out += " Each site calibrates its noise to these values.";
  if (g.steps)
    out += " The sampling rate is " + shown(g.steps->sampling_rate) +
           " and the noise multiplier is " + shown(g.steps->noise_multiplier) + ".";
  return out;
}

std::string lost_rounds(std::uint64_t spare) {
  if (spare == 0) return "The ledger of a site may therefore exceed this figure. ";
  return "The figure covers " + counted(spare, "such round") +
         ". With more of them the ledger of a site may exceed it. ";
}

StatementParagraph guarantee(const config::JobConfig& job, const StatementFacts& facts,
                             const Guarantee& g) {
  return {"Epsilon and delta of this job",
          job_figures(job, g) +
              (facts.epsilon_spent
                   ? " The run has reached epsilon " + shown(*facts.epsilon_spent) + " so far."
                   : std::string()) +
              " If a round fails after the site was charged for its update, the site is charged "
              "again when it trains again. " +
              lost_rounds(job.differential_privacy.spare_rounds) +
              "The ledger composes the charges of all jobs on a data set, and it refuses a charge "
              "that would exceed the budget in site.json."};
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

StatementParagraph person(const config::JobConfig& job, const Guarantee& g) {
  if (job.protects_persons())
    return {"Persons under several names or at several sites",
            "Epsilon and delta are stated for one person of the data set of one site. If the "
            "records of one person have several names, or if several sites have records of her, "
            "each name and each site has these values for itself, and for the person they add up."};
  const std::string title = "Persons with more than one training example";
  std::string text =
      "Epsilon and delta are stated for one training example. For all examples of one person in "
      "the data set of one site together, they are larger. ";
  if (!g.steps && !g.epsilon)
    return {title, text + "Their values follow from the declared size of the data set."};
  text += g.steps ? "The bounds for the steps of this job are: " + person_figures(g) + "."
                  : "The general bounds of group privacy are: " + person_figures(g) +
                        ". Smaller bounds can be computed with the declared size of a data set.";
  return {title, text + " A bound above epsilon " + shown(privacy::kMeaninglessEpsilon) +
                     " excludes almost nothing: it permits an observer to determine almost with "
                     "certainty whether the records of this person were used."};
}

/// Returns, for example, "at most 2 other participants".
std::string colluders(const config::JobConfig& job) {
  const std::uint32_t most = job.secure_aggregation.max_colluders;
  return most > 0 ? "at most " + counted(most, "other participant")
                  : "the number of other participants that follows from the size of the federation";
}

std::string evaluation_split(const config::JobConfig& job) {
  const std::string sums =
      "The guarantee does not cover the declared evaluation split: counts over it are summed over "
      "the participants of a round, the coordinator sees the sums, and figures computed from the "
      "sums are published";
  const double multiplier = job.evaluation.counter_noise_multiplier;
  if (!(multiplier > 0))
    return sums + ". The split must therefore contain no record that needs protection. ";
  const double delta = job.differential_privacy.target_delta;
  return sums +
         ". The participants add noise inside the sums. This noise makes the sums of all rounds "
         "together " +
         figures(counter_epsilon(multiplier, job.rounds.num_server_rounds + 1, delta), delta) +
         "-differentially private for one example of the split, against the coordinator together "
         "with " +
         colluders(job) + ". ";
}

StatementParagraph exceptions(const config::JobConfig& job) {
  return {"Exclusions",
          evaluation_split(job) +
              "The guarantee does not cover participation: other parties learn that the site takes "
              "part and when it answers. It does not cover declarations: the declared sizes and "
              "labels in site.json are public. It does not cover decisions: the answers to offers "
              "follow from the job, site.json and the ledger, and reveal information about these."};
}

StatementParagraph timing(const config::JobConfig& job, const StatementFacts& facts) {
  const std::string title = "The timing of answers";
  if (const auto every = std::max(job.rounds.answer_every_s, facts.answer_every_s); every > 0)
    return {title, "Answers leave the site at multiples of " + counted(every, "second") +
                       " after they were requested. The duration of training is visible only as "
                       "the number of these intervals that it needs."};
  return {title,
          "The duration of training depends on the examples that were drawn, and the coordinator "
          "can measure it. The guarantee does not cover this timing channel. Answers at fixed "
          "times close the channel: rounds.answer_every_s in the job or policy.answer_every_s in "
          "site.json sets an interval, which must be longer than training takes."};
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
        "This job does not use secure aggregation: the coordinator sees the update and the "
        "evaluation counts of every single site.";
  text += job.differential_privacy.enabled
              ? " The guarantee for " + unit_of(job) +
                    " still holds, because each site adds its full noise before an update leaves "
                    "the site."
              : std::string(
                    " No bound limits what an update reveals about the training data of its site.");
  if (job.distributed_privacy.enabled)
    text += " The guarantee for a whole participant holds only while the masks are not broken.";
  return {"If the masks are broken", text};
}

}  // namespace

std::string unit_of(const config::JobConfig& job) {
  if (!job.protects_persons()) return "one training example";
  return "one person (with at most " +
         counted(job.differential_privacy.examples_per_person, "training example") + " of hers)";
}

std::string_view adjacency_of(privacy::ProtectedUnit unit) {
  return unit == privacy::ProtectedUnit::kPerson ? "add or remove one person"
                                                 : "add or remove one example";
}

std::string_view general_privacy_statement(privacy::ProtectedUnit unit) {
  if (unit == privacy::ProtectedUnit::kPerson)
    return "This statement covers everything that leaves the site of a participant because of a "
           "job that protects persons, over all rounds and attempts of the job, apart from the "
           "exclusions that the last sentence names. For every participant and every single person "
           "whose training examples it has, all of this together is (epsilon, "
           "delta)-differentially private. Two data sets are neighbouring if they differ by one "
           "person with all of her training examples, who is added or removed while the declared "
           "number of persons stays the same (adjacency: add or remove one person; zero-out is "
           "equivalent). It holds against all parties outside the site acting together: the "
           "coordinator, which chooses the jobs and the weights of every model, all other "
           "participants, and every party that sees a model. It does not depend on secure "
           "aggregation. It does not cover the declared evaluation split, the fact that the site "
           "takes part, the declared sizes and labels, the decisions of the site's policy and "
           "ledger, and the time that training takes unless answers leave at fixed times.";
  return "This statement covers everything that leaves the site of a participant because of a job, "
         "over all rounds and attempts of the job, apart from the exclusions that the last "
         "sentence names. For every participant and every single training example of it, all of "
         "this together is (epsilon, delta)-differentially private. Two data sets are neighbouring "
         "if they differ by one training example, which is added or removed while the declared "
         "size of the data set stays the same (adjacency: add or remove one; zero-out is "
         "equivalent). The guarantee protects the persons whose records are in the training data. "
         "It holds against all parties outside the site acting together: the coordinator, which "
         "chooses the jobs and the weights of every model, all other participants, and every party "
         "that sees a model. It does not depend on secure aggregation. It does not cover the "
         "declared evaluation split, the fact that the site takes part, the declared sizes and "
         "labels, the decisions of the site's policy and ledger, and the time that training takes "
         "unless answers leave at fixed times.";
}

StatementParagraph participant_statement(const config::JobConfig& job) {
  const std::string title = "The guarantee for a whole participant";
  const config::DistributedPrivacySection& sums = job.distributed_privacy;
  if (!sums.enabled)
    return {title,
            "The job adds no noise inside the masked sums (distributed_privacy is off). There is "
            "therefore no guarantee for everything that one participant sends. With few "
            "participants, a sum reveals much about each of them."};
  const std::string bound =
      sums.noise_multiplier > 0
          ? "(epsilon, delta)-differentially private, with noise multiplier " +
                shown(sums.noise_multiplier) + " in the smallest sum and delta " +
                shown(sums.target_delta)
          : figures(sums.target_epsilon, sums.target_delta) + "-differentially private";
  return {title,
          "Compared with the same participant sending zeros, everything that one participant sends "
          "in this job is " +
              bound + ". This guarantee holds against the coordinator together with " +
              colluders(job) +
              " and every party that sees a model, and it requires no trust in the coordinator. "
              "Its noise is the noise of the other participants inside the masked sums. It does "
              "not hide that the participant took part, and it does not cover the sums over the "
              "declared evaluation splits. It is stated separately from the guarantee for " +
              unit_of(job) + ", and the two are never added."};
}

std::vector<StatementParagraph> privacy_statement(const config::JobConfig& job,
                                                  const StatementFacts& facts) {
  std::vector<StatementParagraph> out = {protection(job)};
  if (job.differential_privacy.enabled) {
    const Guarantee g = guarantee_of(job, facts);
    out.insert(out.end(),
               {unit(job), adjacency(job, facts), guarantee(job, facts, g), person(job, g)});
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
    const std::string noun(job.make_task()->example_noun());
    sentence = "for " + unit_of(job) +
               (job.protects_persons() ? " of a site, an example being " + noun + ","
                                       : " (" + noun + ") of a site,") +
               " added or removed while the declared size stays the same, over all rounds of the "
               "job: " +
               (g.epsilon ? "epsilon " + shown(*g.epsilon)
                          : "epsilon that follows from the declared size, noise multiplier " +
                                shown(job.differential_privacy.noise_multiplier)) +
               ", delta " + shown(g.delta);
  }
  if (job.distributed_privacy.enabled)
    sentence += "; a second guarantee covers everything that one participant sends";
  return {{"privacy", std::move(sentence)},
          {"privacy_statement_hash", to_hex(statement_hash(privacy_statement(job)))}};
}

}  // namespace sotto::job
