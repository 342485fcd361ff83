#include "participant/admission/assessment.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/config/model_files.h"
#include "common/job/participant_privacy.h"
#include "common/job/plan.h"
#include "common/secagg/shared/noisy_round.h"

namespace sotto::participant {

namespace {

constexpr double kMegabyte = 1e6;

/// Returns the module of a parameter, such as "bert.encoder.layer.0.attention.self.query (adapter)"
/// for its "lora_A.weight".
std::string module_of(std::string_view parameter) {
  for (const std::string_view ending : {".lora_A.weight", ".lora_B.weight"})
    if (parameter.ends_with(ending))
      return std::string(parameter.substr(0, parameter.size() - ending.size())) +
             std::string(kAdapterOf);
  return std::string(parameter.substr(0, parameter.rfind('.')));
}

std::vector<std::string> modules_of(const std::vector<ParameterShape>& layout) {
  std::vector<std::string> out;
  for (const ParameterShape& parameter : layout)
    if (std::string module = module_of(parameter.name);
        std::find(out.begin(), out.end(), module) == out.end())
      out.push_back(std::move(module));
  return out;
}

/// Returns the most bytes that a round sends. A larger cohort makes each value wider.
Result<double> update_bytes(const config::JobConfig& job,
                            const std::optional<encoding::NoiseTerms>& noise, std::uint64_t values,
                            const std::optional<FederationFacts>& federation) {
  const std::uint32_t drawn = job.secure_aggregation.cohort_size;
  const std::uint32_t all = std::max<std::uint32_t>(federation ? federation->participants : 0,
                                                    job.rounds.min_available_participants);
  const std::uint32_t n = std::max<std::uint32_t>(2, drawn > 0 ? std::min(drawn, all) : all);
  SOTTO_ASSIGN_OR_RETURN(
      const auto encoding,
      secagg::round_encoding(job::encoding_of(job), noise, job::graph_rules(job),
                             {.n = n, .C = std::min(job.secure_aggregation.max_colluders, n - 2)}));
  double bytes = 0;
  for (const encoding::LaneSpec& lane : encoding::lane_specs(encoding.spec, values, n))
    bytes += static_cast<double>(lane.packed_bytes());
  return bytes;
}

class AssessmentBuilder {
 public:
  AssessmentBuilder(const config::JobConfig& job, const AdmissionContext& site_context, Depth depth)
      : job_(job), site_context_(site_context), depth_(depth) {
    out_.context = {.federation = site_context.federation,
                    .now = site_context.now,
                    .consent = site_context.consent};
  }

  Assessment take() {
    // Rules that need no file come first, so that a job that is declined opens none.
    if (evaluated() && masked() && declared() && model() && evaluated() && data() && evaluated())
      answer(Answer::kAccept, {});
    return std::move(out_);
  }

 private:
  /// Records the answer unless there is one already. Returns false if the assessment is to stop.
  bool answer(Answer answer, std::string reason) {
    if (!answered_) {
      answered_ = true;
      out_.answer = answer;
      out_.reason = std::move(reason);
    }
    return depth_ == Depth::kWhole;
  }

  bool evaluated() {
    out_.policy_results = evaluate_policy(site_context_.site.policy, job_, out_.context);
    const Answer found = answer_of(out_.policy_results);
    return found == Answer::kAccept || answer(found, reasons_of(out_.policy_results));
  }

  /// Declines the job because of an obstacle that prevents any further evaluation, at any depth.
  /// Findings in files or data are not part of the reason that is sent.
  bool stopped_by(const Error& obstacle, std::string reason = std::string(kFilesDoNotFit)) {
    out_.obstacle = obstacle.message;
    answer(Answer::kDecline, std::move(reason));
    return false;
  }

  bool declared() {
    const auto missing = undeclared(site_context_.site.data, job_);
    if (!missing) return true;
    out_.obstacle = missing->detail;
    return answer(Answer::kDecline, missing->reason);
  }

  bool masked() {
    if (job_.secure_aggregation.enabled) return true;
    out_.obstacle = "this participant sends updates only through secure aggregation";
    return answer(Answer::kDecline, *out_.obstacle);
  }

  bool model() {
    if (Status same = config::check_model_files(job_, job_.model.path); !same.ok())
      return stopped_by(same.error());
    auto family = config::model_family(job_.model.path);
    if (!family.ok()) return stopped_by(family.error());
    auto initial = site_context_.models.initial_model(first_model_here());
    if (!initial.ok()) return stopped_by(initial.error());
    const std::uint64_t values = initial->values.size();
    auto noise = job::noise_terms(job_, values);
    if (!noise.ok()) return stopped_by(noise.error(), noise.error().message);
    const auto update = update_bytes(job_, *noise, values, site_context_.federation);
    if (!update.ok()) return stopped_by(update.error(), update.error().message);
    out_.context.model = ModelFacts{.family = std::move(family).value(),
                                    .modules = modules_of(initial->layout),
                                    .model_mb = 4 * static_cast<double>(values) / kMegabyte,
                                    .update_mb = *update / kMegabyte};
    out_.noise = std::move(noise).value();
    out_.initial = std::move(initial).value();
    return true;
  }

  /// Returns the job for the computation of its first model here. Without lineage the coordinator
  /// sends that model and only its layout is needed, so the weights need not be at this site.
  [[nodiscard]] config::JobConfig first_model_here() const {
    config::JobConfig job = job_;
    if (!job.secure_aggregation.model_lineage) job.model.initial = config::InitialModel::kRandom;
    return job;
  }

  bool data() {
    auto examples = site_context_.read_examples(job_, site_context_.site);
    if (!examples.ok()) return stopped_by(examples.error());
    out_.warnings = examples->warnings;
    auto trainer = site_context_.models.make_trainer(job_, site_context_.site.resources,
                                                     std::move(examples).value());
    if (!trainer.ok()) return stopped_by(trainer.error());
    out_.trainer = std::move(trainer).value();
    if (out_.trainer->protected_unit() != job_.unit())
      return stopped_by(Error{std::string(training::kOtherUnit)});
    out_.account =
        account_of(site_context_.site, job_, site_context_.run, out_.trainer->steps_per_round());
    auto cost = cost_of(site_context_.ledger, out_.account, job_, out_.noise);
    if (!cost.ok()) return stopped_by(cost.error());
    cost->training_units = out_.trainer->training_units();
    std::ranges::move(out_.trainer->data_warnings(), std::back_inserter(out_.warnings));
    std::ranges::move(delta_warnings(site_context_.site.policy, job_, cost->training_units),
                      std::back_inserter(out_.warnings));
    out_.context.cost = std::move(cost).value();
    return true;
  }

  const config::JobConfig& job_;
  const AdmissionContext& site_context_;
  Depth depth_;
  Assessment out_;
  bool answered_ = false;
};

}  // namespace

Assessment assess(const config::JobConfig& job, const AdmissionContext& site_context, Depth depth) {
  return AssessmentBuilder(job, site_context, depth).take();
}

}  // namespace sotto::participant
