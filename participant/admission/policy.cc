#include "participant/admission/policy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <utility>

#include "common/config/model_files.h"
#include "common/job/participant_privacy.h"

namespace sotto::participant {

namespace {

std::string text_of(double v) {
  std::array<char, 32> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), v);
  return {digits.data(), end};
}

std::string text_of(std::unsigned_integral auto v) {
  return std::to_string(v);
}

/// Formats a number for display, with six significant digits.
std::string short_text(double v) {
  std::array<char, 32> digits{};
  const auto [end, error] =
      std::to_chars(digits.data(), digits.data() + digits.size(), v, std::chars_format::general, 6);
  return {digits.data(), end};
}

/// Returns false for NaN, so that a value that cannot be compared is not accepted.
bool within(double asked, double allowed) {
  return asked <= allowed;
}

/// True if delta is 1 / `examples` or more. The guarantee is weak then: publishing an example
/// picked at random has no larger delta.
bool is_one_over(double delta, std::uint64_t examples) {
  return !(delta * static_cast<double>(examples) < 1);
}

/// Returns the noun of the units that the declared size counts.
std::string units_of(const config::JobConfig& job) {
  return job.protects_persons() ? "persons" : "training examples";
}

std::string list_of(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items)
    out += (out.empty() ? "" : ", ") + item;
  return out;
}

bool contains(const std::vector<std::string>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

bool holds_digest(const std::vector<std::string>& list, const Bytes32& digest) {
  return std::any_of(list.begin(), list.end(),
                     [&](const std::string& item) { return config::digest_in(item) == digest; });
}

/// Returns whether `allowed` names the module, its kind, or "all".
bool module_allowed(const std::vector<std::string>& allowed, std::string_view module) {
  const bool adapter = module.ends_with(kAdapterOf);
  if (adapter) module.remove_suffix(kAdapterOf.size());
  return std::any_of(allowed.begin(), allowed.end(), [&](const std::string& item) {
    return item == "all" || (adapter && item == "adapters") || module == item ||
           module.ends_with("." + item);
  });
}

constexpr const char* kAny = "any";
constexpr const char* kNotDone = "not used by the job";

class PolicyEvaluator {
 public:
  PolicyEvaluator(const config::SitePolicy& policy, const config::JobConfig& job,
                  const JobContext& context)
      : policy_(policy), job_(job), context_(context) {}

  std::vector<PolicyResult> take() {
    epsilons();
    delta();
    cohort();
    colluders();
    required();
    noise();
    participant_level();
    task();
    model();
    modules();
    coordinator();
    hours();
    rounds();
    sizes();
    answers();
    approval();
    return std::move(policy_results_);
  }

 private:
  /// The two values that a rule compares, as text.
  struct Values {
    std::string_view rule;
    std::string asked, allowed;
  };

  void decide(bool fits, Values values, std::string reason) {
    policy_results_.push_back({values.rule, fits ? RuleOutcome::kMet : RuleOutcome::kViolated,
                               std::move(values.asked), std::move(values.allowed),
                               fits ? std::string() : std::move(reason)});
  }

  void meets(Values values) { decide(true, std::move(values), {}); }

  void open(std::string_view rule, std::string allowed) {
    policy_results_.push_back({rule, RuleOutcome::kUndecided, {}, std::move(allowed), {}});
  }

  void not_now(Values values, std::string reason) {
    policy_results_.push_back({values.rule, RuleOutcome::kPostponed, std::move(values.asked),
                               std::move(values.allowed), std::move(reason)});
  }

  // The verdicts follow from declared sizes alone. The reasons name what the job and the policy
  // specify; the ledger's values are not sent.
  void epsilons() {
    const config::DifferentialPrivacySection& dp = job_.differential_privacy;
    const std::string lifetime = "at most " + text_of(policy_.max_epsilon);
    const std::string per_job = "at most " + text_of(policy_.max_epsilon_per_job);
    if (!dp.enabled) {
      meets({"max_epsilon", "no bound, without differential privacy", lifetime});
      meets({"max_epsilon_per_job", "no bound, without differential privacy", per_job});
      return lost_attempts();
    }
    const std::optional<PrivacyCost>& cost = context_.cost;
    if (cost)
      decide(within(cost->epsilon_after_job, policy_.max_epsilon) && !cost->beyond_lifetime,
             {"max_epsilon",
              short_text(cost->epsilon_after_job) + " after the job, " +
                  short_text(cost->epsilon_spent) + " before",
              lifetime},
             cost->lifetime_reason.empty()
                 ? "the job would exceed the lifetime budget of this site's data, epsilon " +
                       text_of(policy_.max_epsilon)
                 : cost->lifetime_reason);
    else
      open("max_epsilon", lifetime);
    if (!within(dp.target_epsilon, policy_.max_epsilon_per_job))
      decide(false, {"max_epsilon_per_job", "target " + text_of(dp.target_epsilon), per_job},
             "the job asks for epsilon " + text_of(dp.target_epsilon) +
                 "; this site allows at most " + text_of(policy_.max_epsilon_per_job) +
                 " for a job");
    else if (cost) {
      const bool fits = within(cost->job_epsilon, policy_.max_epsilon_per_job);
      decide(fits && !cost->beyond_job,
             {"max_epsilon_per_job", short_text(cost->job_epsilon) + " at this site", per_job},
             (fits ? "with the earlier charges of this job,"
                   : "with the job's noise multiplier " + text_of(dp.noise_multiplier) + ",") +
                 " this site's data would be charged more than epsilon " +
                 text_of(policy_.max_epsilon_per_job) + ", which is what this site allows a job");
    } else
      open("max_epsilon_per_job", per_job);
    lost_attempts();
  }

  void lost_attempts() {
    const double most = policy_.max_lost_epsilon_per_job;
    if (most > 0 && !context_.cost)
      return open("max_lost_epsilon_per_job", "at most " + text_of(most));
    limited("max_lost_epsilon_per_job", most > 0 ? context_.cost->lost_epsilon_after_job : 0, most,
            "rounds of this job were charged before and would be charged again");
  }

  void delta() {
    const config::DifferentialPrivacySection& dp = job_.differential_privacy;
    const std::string allowed = "at most " + text_of(policy_.delta);
    if (!dp.enabled) return meets({"delta", kNotDone, allowed});
    decide(within(dp.target_delta, policy_.delta), {"delta", text_of(dp.target_delta), allowed},
           "the job asks for delta " + text_of(dp.target_delta) + "; this site allows at most " +
               text_of(policy_.delta));
  }

  void cohort() {
    if (policy_.min_cohort == 0)
      return open("min_cohort", "a value that follows from the federation");
    const std::string least = text_of(policy_.min_cohort);
    // If a round has at least min_cohort members, its header requires sums of at least that many,
    // or the site rejects the offer.
    const std::uint32_t smallest = job::smallest_cohort(job_);
    const std::uint32_t sum = std::max(job::smallest_sum(job_), policy_.min_cohort);
    decide(smallest >= policy_.min_cohort,
           {"min_cohort",
            "sums of " + text_of(std::min(sum, smallest)) + " or more in rounds of " +
                text_of(smallest) + " or more",
            "at least " + least},
           "a round of the job may have only " + text_of(smallest) +
               " participants; this site takes part only in sums of at least " + least);
    if (!context_.federation) return open("min_cohort", "at least " + least + " in the federation");
    const std::string all = text_of(context_.federation->participants);
    decide(context_.federation->participants >= policy_.min_cohort,
           {"min_cohort", all + " in the federation", "at least " + least},
           "the federation has " + all +
               " participants; this site takes part only in sums of at least " + least);
  }

  void colluders() {
    const config::SecureAggregationSection& asked = job_.secure_aggregation;
    const std::string least = text_of(policy_.max_colluders);
    if (!asked.enabled) return meets({"max_colluders", kNotDone, "at least " + least});
    if (policy_.max_colluders == 0 || asked.max_colluders == 0)
      return open("max_colluders", "a value that follows from the federation");
    const std::string against = text_of(asked.max_colluders);
    decide(asked.max_colluders >= policy_.max_colluders,
           {"max_colluders", "protects against " + against, "at least " + least},
           "the job protects against " + against +
               " colluding participants; this site requires protection against at least " + least);
    // Above full_graph_max a run has shared randomness, and the coordinator does not choose
    // cohorts.
    if (job_.rounds.fraction_train >= 1) return;
    if (!context_.federation) return open("max_colluders", "cohorts that no party chooses");
    decide(context_.federation->participants <= asked.full_graph_max,
           {"max_colluders", "the coordinator chooses cohorts", "not with drawn graphs"},
           "the coordinator of the job chooses the participants of a round although the "
           "communication graphs are drawn at random; secure_aggregation.cohort_size selects them "
           "without such a choice");
  }

  void required() {
    const auto yes_no = [](bool v) { return std::string(v ? "yes" : "no"); };
    const bool masked = job_.secure_aggregation.enabled, dp = job_.differential_privacy.enabled;
    decide(masked || !policy_.require_secure_aggregation,
           {"require_secure_aggregation", yes_no(masked),
            policy_.require_secure_aggregation ? "required" : kAny},
           "the job has no secure aggregation; this site requires it");
    decide(dp || !policy_.require_differential_privacy,
           {"require_differential_privacy", yes_no(dp),
            policy_.require_differential_privacy ? "required" : kAny},
           "the job has no differential privacy; this site requires it");
    const bool persons = job_.protects_persons();
    const bool demanded = policy_.required_unit == privacy::ProtectedUnit::kPerson;
    decide(persons || !demanded,
           {"required_unit",
            persons ? "a person"
            : dp    ? "an example"
                    : "nothing",
            demanded ? "a person" : kAny},
           "the job does not protect persons (differential_privacy.unit \"person\"); this site "
           "requires it");
    const bool lineage = masked && job_.secure_aggregation.model_lineage;
    decide(lineage || !policy_.require_model_lineage,
           {"require_model_lineage", yes_no(lineage),
            policy_.require_model_lineage ? "required" : kAny},
           "the job has no model_lineage; this site requires it");
    const std::string delta = text_of(job_.differential_privacy.target_delta);
    if (!policy_.require_small_delta || !dp)
      return meets({"require_small_delta", dp ? delta : kNotDone, kAny});
    if (!context_.cost)
      return open("require_small_delta", "below one over the number of " + units_of(job_));
    decide(!is_one_over(job_.differential_privacy.target_delta, context_.cost->training_units),
           {"require_small_delta", delta, "below 1/" + text_of(context_.cost->training_units)},
           "the job's delta is one over the number of this site's " + units_of(job_) +
               " or more; this site requires a smaller delta");
  }

  void noise() {
    const std::string least = "at least " + text_of(policy_.min_noise_multiplier);
    if (!job_.differential_privacy.enabled) return meets({"min_noise_multiplier", kNotDone, least});
    if (!context_.cost) return open("min_noise_multiplier", least);
    decide(within(policy_.min_noise_multiplier, context_.cost->noise_multiplier),
           {"min_noise_multiplier", short_text(context_.cost->noise_multiplier), least},
           "the job would run at this site with less noise than the noise multiplier " +
               text_of(policy_.min_noise_multiplier) + " that this site requires");
  }

  // The cost of noise inside the sum follows from the job alone. What was spent before is not sent.
  void participant_level() {
    const bool budgeted = policy_.max_participant_epsilon > 0;
    const bool floor = policy_.min_participant_noise_multiplier > 0;
    const std::string most =
        budgeted ? "at most " + text_of(policy_.max_participant_epsilon) : std::string(kAny);
    const std::string least = "at least " + text_of(policy_.min_participant_noise_multiplier);
    const std::string without =
        "the job has no distributed_privacy; this site requires noise inside the sum";
    if (!job_.distributed_privacy.enabled) {
      decide(!budgeted, {"max_participant_epsilon", kNotDone, most}, without);
      return decide(!floor, {"min_participant_noise_multiplier", kNotDone, least}, without);
    }
    if (!context_.cost) {
      open("max_participant_epsilon", most);
      return open("min_participant_noise_multiplier", least);
    }
    const PrivacyCost& cost = *context_.cost;
    decide(!budgeted || within(cost.participant_epsilon_after_job, policy_.max_participant_epsilon),
           {"max_participant_epsilon",
            short_text(cost.participant_epsilon_after_job) + " after the job, " +
                short_text(cost.participant_epsilon_spent) + " before",
            most},
           "the job would exceed the participant-level budget of this site, epsilon " +
               text_of(policy_.max_participant_epsilon));
    decide(
        within(policy_.min_participant_noise_multiplier, cost.participant_noise_multiplier),
        {"min_participant_noise_multiplier", short_text(cost.participant_noise_multiplier), least},
        "the noise inside the job's sums has the noise multiplier " +
            text_of(cost.participant_noise_multiplier) + "; this site requires at least " +
            text_of(policy_.min_participant_noise_multiplier));
  }

  void task() {
    const std::string names = list_of(policy_.allowed_tasks);
    decide(contains(policy_.allowed_tasks, job_.task.type),
           {"allowed_tasks", job_.task.type, names.empty() ? "none" : names},
           "the job has the task " + job_.task.type + "; this site allows " +
               (names.empty() ? "none" : "only " + names));
  }

  void model() {
    const std::vector<std::string>& allowed = policy_.allowed_models;
    const Bytes32 digest = config::model_digest(job_.model);
    const std::string asked =
        (context_.model ? context_.model->family + ", " : std::string()) + to_hex(digest);
    if (allowed.empty()) return meets({"allowed_models", asked, kAny});
    if (holds_digest(allowed, digest)) return meets({"allowed_models", asked, list_of(allowed)});
    // If the list names no family, the digest alone decides.
    const bool by_family = std::any_of(allowed.begin(), allowed.end(), config::is_model_family);
    if (by_family && !context_.model) return open("allowed_models", list_of(allowed));
    decide(by_family && contains(allowed, context_.model->family),
           {"allowed_models", asked, list_of(allowed)},
           "the job has the model " + asked + "; this site allows only " + list_of(allowed));
  }

  void modules() {
    const std::vector<std::string>& allowed = policy_.allowed_modules;
    if (allowed.empty())
      return meets({"allowed_modules",
                    context_.model ? text_of(context_.model->modules.size()) + " modules" : "",
                    kAny});
    if (!context_.model) return open("allowed_modules", list_of(allowed));
    constexpr std::size_t kNamed = 3;
    std::string unauthenticated;
    std::size_t count = 0;
    for (const std::string& module : context_.model->modules)
      if (!module_allowed(allowed, module) && ++count <= kNamed)
        unauthenticated += (unauthenticated.empty() ? "" : ", ") + module;
    if (count > kNamed) unauthenticated += " and " + std::to_string(count - kNamed) + " more";
    decide(count == 0,
           {"allowed_modules",
            count == 0 ? text_of(context_.model->modules.size()) + " modules" : unauthenticated,
            list_of(allowed)},
           "the job trains and sends " + unauthenticated + "; this site allows only " +
               list_of(allowed));
  }

  void coordinator() {
    const std::vector<std::string>& allowed = policy_.allowed_coordinators;
    const std::string keys = allowed.empty() ? kAny : list_of(allowed);
    if (!context_.federation) {
      if (allowed.empty()) return meets({"allowed_coordinators", "", keys});
      return open("allowed_coordinators", keys);
    }
    const std::string key = to_hex(context_.federation->coordinator);
    decide(allowed.empty() || holds_digest(allowed, context_.federation->coordinator),
           {"allowed_coordinators", key, keys},
           "the coordinator has the signing key " + key + "; this site allows only " + keys);
  }

  void hours() {
    if (policy_.hours.empty()) return meets({"hours", "", "always"});
    const auto windows = config::Hours::parse(policy_.hours);
    if (!windows.ok())  // a file with this error would not have loaded
      return decide(false, {"hours", "", list_of(policy_.hours)}, windows.error().message);
    if (!context_.now) return open("hours", list_of(policy_.hours));
    const std::string now = to_text(*context_.now);
    if (windows->holds(*context_.now)) return meets({"hours", now, list_of(policy_.hours)});
    // The reason does not contain the present time, so that it stays the same until the next
    // window.
    not_now({"hours", now, list_of(policy_.hours)},
            "this site trains only at " + list_of(policy_.hours) +
                " of its local time; the next window begins at " +
                to_text(windows->next(*context_.now)));
  }

  void rounds() {
    const std::uint64_t rounds = job_.rounds.num_server_rounds;
    const std::string most = text_of(policy_.max_server_rounds);
    decide(rounds <= policy_.max_server_rounds,
           {"max_server_rounds", text_of(rounds), "at most " + most},
           "the job has " + text_of(rounds) + " rounds; this site allows at most " + most);
    const std::string longest = text_of(longest_round_s(job_));
    const std::string limit = text_of(policy_.max_round_s) + " s";
    decide(longest_round_s(job_) <= policy_.max_round_s,
           {"max_round_s", longest + " s", "at most " + limit},
           "a round of the job may last " + longest + " s; this site allows at most " + limit);
    const std::string hours = short_text(longest_run_s(job_) / 3600);
    limited("max_run_hours", longest_run_s(job_) / 3600, policy_.max_run_hours,
            "the job may last " + hours + " hours by its own limits");
  }

  /// Applies a limit; 0 means no limit.
  void limited(std::string_view rule, double asked, double most, const std::string& sentence) {
    decide(most == 0 || within(asked, most),
           {rule, short_text(asked), most == 0 ? kAny : "at most " + text_of(most)},
           sentence + "; this site allows at most " + text_of(most));
  }

  void sizes() {
    if (!context_.model) {
      for (const auto& [rule, most] : {std::pair{"max_model_mb", policy_.max_model_mb},
                                       std::pair{"max_update_mb", policy_.max_update_mb}})
        most == 0 ? meets({rule, "", kAny}) : open(rule, "at most " + text_of(most));
      return;
    }
    limited(
        "max_model_mb", context_.model->model_mb, policy_.max_model_mb,
        "a round of the job begins with fetching " + short_text(context_.model->model_mb) + " MB");
    limited("max_update_mb", context_.model->update_mb, policy_.max_update_mb,
            "a round of the job sends " + short_text(context_.model->update_mb) + " MB");
  }

  void answers() {
    meets({"max_jobs_judged_per_day", "", text_of(policy_.max_jobs_judged_per_day)});
    const std::uint32_t every = std::max(job_.rounds.answer_every_s, policy_.answer_every_s);
    meets({"answer_every_s", every == 0 ? "at once" : "every " + text_of(every) + " s", kAny});
  }

  void approval() {
    const std::string required(config::word_of(policy_.require_approval));
    if (policy_.require_approval == config::RequiredApproval::kNone)
      return meets({"require_approval", "", required});
    if (!context_.consent) return open("require_approval", required);
    const bool every = policy_.require_approval == config::RequiredApproval::kEveryJob;
    const bool given = context_.consent->to_job || (!every && context_.consent->to_kind);
    if (given) return meets({"require_approval", "approved", required});
    not_now({"require_approval", "not approved", required},
            std::string("a person at this site has to approve ") +
                (every ? "every job" : "the first job of a kind") +
                " and has not approved this job yet");
  }

  const config::SitePolicy& policy_;
  const config::JobConfig& job_;
  const JobContext& context_;
  std::vector<PolicyResult> policy_results_;
};

}  // namespace

std::vector<PolicyResult> evaluate_policy(const config::SitePolicy& policy,
                                          const config::JobConfig& job, const JobContext& context) {
  return PolicyEvaluator(policy, job, context).take();
}

Answer answer_of(const std::vector<PolicyResult>& policy_results) {
  Answer answer = Answer::kAccept;
  for (const PolicyResult& policy_result : policy_results) {
    if (policy_result.outcome == RuleOutcome::kViolated) return Answer::kDecline;
    if (policy_result.outcome == RuleOutcome::kPostponed) answer = Answer::kPostpone;
  }
  return answer;
}

std::string reasons_of(const std::vector<PolicyResult>& policy_results) {
  std::string out;
  for (const PolicyResult& r : policy_results)
    if (!r.reason.empty())
      out += (out.empty() ? "" : "; ") + r.reason + " (policy." + std::string(r.rule) + ")";
  return out;
}

std::optional<Undeclared> undeclared(const config::SiteData& data, const config::JobConfig& job) {
  if (job.protects_persons() && data.layout.person.empty())
    return Undeclared{
        "this site's records name no persons, but jobs that protect persons need them",
        "site.json names no column with the person whom a record is about. Add the line "
        "\"columns\": "
        "{\"text\": ..., \"label\": ..., \"person\": COLUMN} under \"data\""};
  if (job.protects_persons() && data.training_persons == 0)
    return Undeclared{
        "this site declares no number of persons, but jobs that protect persons need it",
        "site.json declares no number of persons. Add the line \"training_persons\": N under "
        "\"data\", where N is about the number of different persons with training examples. The "
        "number may be rounded, it becomes public, and it must not change when records are added "
        "or removed"};
  if (job.differential_privacy.enabled && !job.protects_persons() && data.training_examples == 0)
    return Undeclared{
        "this site declares no number of training examples, but jobs with differential privacy "
        "need it",
        "site.json declares no number of training examples. Add the line \"training_examples\": N "
        "under \"data\", where N is about the number that `sotto-participant data count` prints. "
        "The number may be rounded, it becomes public, and it must not change when records are "
        "added or removed"};
  for (const std::string& label : data.labels)
    if (!job.task.labels.empty() && !contains(job.task.labels, label))
      return Undeclared{
          "the job does not name all labels that this site declares",
          "data.labels of site.json has \"" + label + "\", which the job does not name"};
  return std::nullopt;
}

std::vector<std::string> delta_warnings(const config::SitePolicy& policy,
                                        const config::JobConfig& job,
                                        std::uint64_t training_units) {
  std::vector<std::string> out;
  if (!job.differential_privacy.enabled) return out;
  const double asked = job.differential_privacy.target_delta;
  for (const auto& [name, delta] : {std::pair{"the job's differential_privacy.target_delta", asked},
                                    std::pair{"this site's policy.delta", policy.delta}})
    if (is_one_over(delta, training_units))
      out.push_back(std::string(name) + " " + text_of(delta) +
                    " is 1/N or more for the N = " + text_of(training_units) + " " + units_of(job) +
                    " of this site, so that even the publication of " +
                    (job.protects_persons() ? "all examples of one person" : "a whole example") +
                    " would meet this guarantee; choose a delta well below 1/N");
  return out;
}

std::uint64_t longest_round_s(const config::JobConfig& job) {
  constexpr std::uint64_t kShortPhases = 5;  // advertise, share, check, endorse, unmask
  return kShortPhases * job.rounds.phase_timeout_s + job.rounds.training_timeout_s;
}

double longest_run_s(const config::JobConfig& job) {
  const auto round = static_cast<double>(longest_round_s(job));
  const double rounds = 1.0 + job.rounds.num_server_rounds;  // includes the closing evaluation
  const double all = round * rounds * job.rounds.attempts_per_round;
  const std::uint32_t wall = job.stopping.max_wall_time_s;
  // No round begins after that time. The one in progress and the closing evaluation are finished.
  return wall == 0 ? all : std::min(all, wall + 2 * round * job.rounds.attempts_per_round);
}

}  // namespace sotto::participant
