#include "participant/training/local_only.h"

#include <limits>
#include <vector>

#include "common/crypto/secure_random.h"
#include "participant/admission/policy.h"
#include "participant/privacy/account.h"

namespace sotto::participant {

namespace {

/// Returns the labels of the examples, or of the words in them if words are tagged.
Result<std::vector<std::int64_t>> labels_of(const data::Examples& examples, bool tagged) {
  std::vector<std::int64_t> labels;
  const auto reader = examples.source().reader(data::Purpose::kCheck);
  for (std::size_t i = 0; i < examples.size(); ++i) {
    SOTTO_ASSIGN_OR_RETURN(const auto example, reader->read(i));
    if (!example.misfit.empty()) continue;
    labels.insert(labels.end(), example.tags.begin(), example.tags.end());
    if (!tagged) labels.push_back(example.label);
  }
  return labels;
}

Result<std::optional<double>> constant_answer(const data::SiteExamples& examples,
                                              const tasks::Task& task) {
  if (!task.constant_answer()) return std::optional<double>();
  const bool tagged = task.form() == tasks::RecordForm::kTaggedWords;
  SOTTO_ASSIGN_OR_RETURN(const auto train, labels_of(examples.train, tagged));
  SOTTO_ASSIGN_OR_RETURN(const auto evaluation, labels_of(examples.evaluation, tagged));
  return std::optional(task.figure_of_constant(train, evaluation));
}

}  // namespace

Result<LocalOnlyResult> train_local_only(const config::JobConfig& job,
                                         const config::SiteConfig& site, SiteRecords& records,
                                         training::ModelProvider& models,
                                         privacy::PrivacyLedger& ledger) {
  if (const auto missing = undeclared(site.data, job)) return Error{missing->detail};
  SOTTO_ASSIGN_OR_RETURN(auto examples, records.examples(job, site));
  const auto task = job.make_task();
  SOTTO_ASSIGN_OR_RETURN(const auto constant, constant_answer(examples, *task));
  LocalOnlyResult result{.constant_answer = constant,
                         .delta = job.differential_privacy.target_delta,
                         .warnings = examples.warnings};
  SOTTO_ASSIGN_OR_RETURN(auto trainer,
                         models.make_trainer(job, site.resources, std::move(examples)));
  if (trainer->protected_unit() != job.unit()) return Error{std::string(training::kOtherUnit)};
  SOTTO_ASSIGN_OR_RETURN(auto model, models.initial_model(job));

  crypto::OsRandom random;
  RunId run{};
  random.fill(run);
  const SiteAccount account = account_of(site, job, run, trainer->steps_per_round());
  for (std::string& line : trainer->data_warnings())
    result.warnings.push_back(std::move(line));
  for (std::string& line : delta_warnings(site.policy, job, trainer->training_units()))
    result.warnings.push_back(std::move(line));
  for (std::uint64_t r = 1; r <= job.rounds.num_server_rounds; ++r) {
    auto trained = trainer->train(model, r, random, [](training::TrainingProgress) {});
    const std::string place = "round " + std::to_string(r) + ": ";
    if (!trained.ok()) return Error{place + trained.error().message};
    for (const std::string& line : trained->warnings)
      result.warnings.push_back(place + line);
    // There is no sum and so no noise of other participants. If the site keeps a participant-level
    // budget, the ledger refuses the charge.
    SOTTO_ASSIGN_OR_RETURN(
        auto released,
        ledger.charge_and_release(training_charge(account, RoundNumber::of(r, 0), {}, std::nullopt),
                                  account.budget, std::move(trained->update)));
    trainer->keep();
    for (std::size_t i = 0; i < model.values.size(); ++i)
      model.values[i] += released.get().values[i];
  }

  SOTTO_ASSIGN_OR_RETURN(auto counts, trainer->evaluate(model));
  result.evaluation = task->summarise(counts, tasks::exact);
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
