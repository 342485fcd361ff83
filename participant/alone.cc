#include "participant/alone.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "common/crypto/secure_random.h"
#include "common/run/plan.h"
#include "participant/account.h"
#include "participant/learning/local_trainer.h"
#include "participant/policy.h"

namespace sotto::participant {

namespace {

/// Of calling no word an entity.
double outside_accuracy(const learning::SiteExamples& examples) {
  std::size_t outside = 0, words = 0;
  for (const learning::Example& e : examples.evaluation) {
    outside += static_cast<std::size_t>(std::count(e.tags.begin(), e.tags.end(), 0));
    words += e.tags.size();
  }
  return words == 0 ? 0 : static_cast<double>(outside) / static_cast<double>(words);
}

double majority_accuracy(const learning::SiteExamples& examples, const config::JobConfig& job) {
  if (job.is_token_classification()) return outside_accuracy(examples);
  const std::size_t labels = job.task.labels.size();
  if (labels == 0) return 0;  // texts without classes
  std::vector<std::size_t> count(labels, 0);
  for (const learning::Example& e : examples.train)
    ++count[static_cast<std::size_t>(e.label)];
  const auto most = std::max_element(count.begin(), count.end()) - count.begin();
  const auto right = std::count_if(examples.evaluation.begin(), examples.evaluation.end(),
                                   [most](const learning::Example& e) { return e.label == most; });
  return examples.evaluation.empty()
             ? 0
             : static_cast<double>(right) / static_cast<double>(examples.evaluation.size());
}

Result<learning::SiteExamples> read_site(const config::JobConfig& job,
                                         const config::SiteConfig& site) {
  auto train = learning::read_examples(site.data.train, job);
  if (!train.ok()) return train.error();
  auto evaluation = learning::read_examples(site.data.evaluation, job);
  if (!evaluation.ok()) return evaluation.error();
  return learning::SiteExamples{std::move(train).value(), std::move(evaluation).value()};
}

}  // namespace

Result<AloneResult> train_alone(const config::JobConfig& job, const config::SiteConfig& site,
                                privacy::PrivacyLedger& ledger) {
  auto examples = read_site(job, site);
  if (!examples.ok()) return examples.error();
  AloneResult result{.accuracy_majority = majority_accuracy(*examples, job),
                     .delta = job.differential_privacy.target_delta};
  auto trainer = learning::LocalTrainer::create(job, site.resources, std::move(examples).value());
  if (!trainer.ok()) return trainer.error();
  auto model = learning::initial_model(job);
  if (!model.ok()) return model.error();

  crypto::OsRandom random;
  RunId run{};
  random.fill(run);
  const SiteAccount account = account_of(site, job, run, (*trainer)->steps_per_round());
  result.warnings = delta_warnings(site.policy, job, (*trainer)->training_examples());
  for (std::uint64_t r = 1; r <= job.rounds.num_server_rounds; ++r) {
    auto trained = (*trainer)->train(*model, r, random, [](learning::TrainingProgress) {});
    const std::string place = "round " + std::to_string(r) + ": ";
    if (!trained.ok()) return Error{place + trained.error().message};
    for (const std::string& line : trained->warnings)
      result.warnings.push_back(place + line);
    // No sum, so no noise of others: where the site keeps a participant-level budget, it refuses.
    auto released =
        ledger.charge_and_release(training_charge(account, RoundNumber::of(r, 0), {}, std::nullopt),
                                  account.budget, std::move(trained->update));
    if (!released.ok()) return released.error();
    (*trainer)->keep();
    for (std::size_t i = 0; i < model->values.size(); ++i)
      model->values[i] += released->get().values[i];
  }

  auto counts = (*trainer)->evaluate(*model);
  if (!counts.ok()) return counts.error();
  const run::Evaluation evaluation = run::summarise(job, *counts);
  result.accuracy = evaluation.accuracy;
  result.macro_f1 = evaluation.macro_f1;
  result.perplexity = evaluation.perplexity;
  if (evaluation.entities) result.entity_f1 = evaluation.entities->micro.f1;
  result.epsilon = std::numeric_limits<double>::infinity();
  if (account.steps) {
    privacy::DpSgdSteps all = *account.steps;
    all.steps *= job.rounds.num_server_rounds;
    auto epsilon = privacy::epsilon_of(all, result.delta);
    if (!epsilon.ok()) return epsilon.error();
    result.epsilon = *epsilon;
  }
  return result;
}

}  // namespace sotto::participant
