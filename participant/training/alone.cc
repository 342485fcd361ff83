#include "participant/training/alone.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "common/crypto/secure_random.h"
#include "common/job/plan.h"
#include "participant/admission/policy.h"
#include "participant/privacy/account.h"

namespace sotto::participant {

namespace {

/// By label, or by tag where words are tagged.
Result<std::vector<std::size_t>> count_labels(const learning::Examples& examples,
                                              const config::JobConfig& job) {
  std::vector<std::size_t> counts(std::max<std::size_t>(job.classes().size(), 1), 0);
  const auto reader = examples.source().reader(records::Purpose::kCheck);
  for (std::size_t i = 0; i < examples.size(); ++i) {
    SOTTO_ASSIGN_OR_RETURN(const auto example, reader->read(i));
    if (!example.misfit.empty()) continue;
    for (const std::int64_t tag : example.tags)
      ++counts[static_cast<std::size_t>(tag)];
    if (!job.is_token_classification()) ++counts[static_cast<std::size_t>(example.label)];
  }
  return counts;
}

/// On the held-out split, of always answering what is most frequent in training; of calling no
/// word an entity where words are tagged; 0 for texts without classes.
Result<double> majority_accuracy(const learning::SiteExamples& examples,
                                 const config::JobConfig& job) {
  if (job.classes().empty()) return 0.0;
  SOTTO_ASSIGN_OR_RETURN(const auto train, count_labels(examples.train, job));
  SOTTO_ASSIGN_OR_RETURN(const auto evaluation, count_labels(examples.evaluation, job));
  const auto most = job.is_token_classification()
                        ? 0
                        : std::max_element(train.begin(), train.end()) - train.begin();
  const auto all = std::accumulate(evaluation.begin(), evaluation.end(), std::size_t{0});
  const std::size_t right = evaluation[static_cast<std::size_t>(most)];
  return all == 0 ? 0 : static_cast<double>(right) / static_cast<double>(all);
}

}  // namespace

Result<AloneResult> train_alone(const config::JobConfig& job, const config::SiteConfig& site,
                                SiteRecords& records, training::ModelProvider& models,
                                privacy::PrivacyLedger& ledger) {
  if (const auto missing = undeclared(site.data, job)) return Error{missing->detail};
  SOTTO_ASSIGN_OR_RETURN(auto examples, records.examples(job, site));
  SOTTO_ASSIGN_OR_RETURN(const double majority, majority_accuracy(examples, job));
  AloneResult result{.accuracy_majority = majority, .delta = job.differential_privacy.target_delta};
  SOTTO_ASSIGN_OR_RETURN(auto trainer,
                         models.make_trainer(job, site.resources, std::move(examples)));
  SOTTO_ASSIGN_OR_RETURN(auto model, models.initial_model(job));

  crypto::OsRandom random;
  RunId run{};
  random.fill(run);
  const SiteAccount account = account_of(site, job, run, trainer->steps_per_round());
  result.warnings = trainer->data_warnings();
  for (std::string& line : delta_warnings(site.policy, job, trainer->training_examples()))
    result.warnings.push_back(std::move(line));
  for (std::uint64_t r = 1; r <= job.rounds.num_server_rounds; ++r) {
    auto trained = trainer->train(model, r, random, [](training::TrainingProgress) {});
    const std::string place = "round " + std::to_string(r) + ": ";
    if (!trained.ok()) return Error{place + trained.error().message};
    for (const std::string& line : trained->warnings)
      result.warnings.push_back(place + line);
    // No sum, so no noise of others: where the site keeps a participant-level budget, it refuses.
    SOTTO_ASSIGN_OR_RETURN(
        auto released,
        ledger.charge_and_release(training_charge(account, RoundNumber::of(r, 0), {}, std::nullopt),
                                  account.budget, std::move(trained->update)));
    trainer->keep();
    for (std::size_t i = 0; i < model.values.size(); ++i)
      model.values[i] += released.get().values[i];
  }

  SOTTO_ASSIGN_OR_RETURN(auto counts, trainer->evaluate(model));
  const run::Evaluation evaluation = run::summarise(job, counts);
  result.accuracy = evaluation.accuracy;
  result.macro_f1 = evaluation.macro_f1;
  result.perplexity = evaluation.perplexity;
  if (evaluation.entities) result.entity_f1 = evaluation.entities->micro.f1;
  result.epsilon = std::numeric_limits<double>::infinity();
  if (account.steps) {
    privacy::DpSgdSteps all = *account.steps;
    all.steps *= job.rounds.num_server_rounds;
    SOTTO_ASSIGN_OR_RETURN(auto epsilon, privacy::epsilon_of(all, result.delta));
    result.epsilon = epsilon;
  }
  return result;
}

}  // namespace sotto::participant
