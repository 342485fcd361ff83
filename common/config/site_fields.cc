// The table of fields of site.json.
#include "common/base/ids.h"
#include "common/config/field_limits.h"
#include "common/privacy/accounting/mechanism.h"
#include "common/tasks/registry.h"

namespace sotto::config {

namespace {

std::vector<Field> policy_fields(SitePolicy& s) {
  return {
      {"policy.max_epsilon", &s.max_epsilon, kRequired, above_to(0, 1e6),
       "Lifetime budget of the data set over all jobs."},
      {"policy.delta", &s.delta, kOptional, within(privacy::kDelta),
       "The delta at which the lifetime is counted; a job may not ask for a larger one."},
      {"policy.max_epsilon_per_job", &s.max_epsilon_per_job, kRequired, above_to(0, 1e6),
       "What a single job may use, at most max_epsilon. All runs of the same job, with all "
       "attempts "
       "at their rounds, count together."},
      {"policy.max_lost_epsilon_per_job", &s.max_lost_epsilon_per_job, kOptional, from_to(0, 1e6),
       "What a single job may use for attempts that were lost: for the second and further times "
       "that it is charged for the same round. 0 = no more than max_epsilon_per_job leaves."},
      {"policy.min_cohort", &s.min_cohort, kOptional, from_to(0, kMaxMembers),
       "Fewest participants in a sum that this site takes part in, in every kind of round. With "
       "secure aggregation required at least max_colluders + 2; 0 takes max(3, max_colluders + "
       "2)."},
      {"policy.max_colluders", &s.max_colluders, kOptional, from_to(0, kMaxColluders),
       "C: the number of colluding participants that this site wants protection against. 0 takes "
       "max(1, ceil(n/3) - 1), n being the participants of the pinned roster."},
      {"policy.require_secure_aggregation",
       &s.require_secure_aggregation,
       kOptional,
       {},
       "Refuse jobs whose updates are not masked."},
      {"policy.require_differential_privacy",
       &s.require_differential_privacy,
       kOptional,
       {},
       "Refuse jobs without differential privacy. Where this is false the epsilon limits bind only "
       "the jobs that have it."},
      {"policy.require_model_lineage",
       &s.require_model_lineage,
       kOptional,
       {},
       "Refuse jobs without secure_aggregation.model_lineage, in which the coordinator could send "
       "weights of its own choice."},
      {"policy.require_small_delta",
       &s.require_small_delta,
       kOptional,
       {},
       "Refuse jobs whose delta is one over data.training_examples or more, which else is a "
       "warning "
       "in this site's log."},
      {"policy.min_noise_multiplier", &s.min_noise_multiplier, kOptional, from_to(0, 1000),
       "Least noise in units of the clipping norm; 0 = whatever the budget needs."},
      {"policy.max_participant_epsilon", &s.max_participant_epsilon, kOptional, from_to(0, 1e6),
       "Lifetime budget, at the same delta, of everything that this site sends about the data set. "
       "A job without distributed_privacy is then refused. 0 = this site keeps no such budget."},
      {"policy.min_participant_noise_multiplier", &s.min_participant_noise_multiplier, kOptional,
       from_to(0, 1000),
       "Least noise in the smallest sum, in units of distributed_privacy.clipping_norm; 0 = none "
       "is "
       "required."},
  };
}

/// Returns the fields about the use of the data: for what, by whom, when and how long.
std::vector<Field> use_fields(SitePolicy& s) {
  return {
      {"policy.allowed_tasks", &s.allowed_tasks, kRequired, items(1, 100, tasks::task_names()),
       "Tasks that this data may be used for."},
      {"policy.allowed_models", &s.allowed_models, kOptional, items(0, 100),
       "Models that may be trained on this data: families (the model_type of config.json, for "
       "example \"bert\"), or digests of single models (64 hexadecimal digits), which "
       "`sotto-participant policy explain` shows. None given: any that lies in model.path."},
      {"policy.allowed_modules", &s.allowed_modules, kOptional, items(0, 1000),
       "Modules whose parameters, or adapters, may be trained and sent, by the last part of their "
       "name, for example \"query\" or \"classifier\"; \"adapters\" is every LoRA adapter, \"all\" "
       "is "
       "everything. None given: any."},
      {"policy.allowed_coordinators", &s.allowed_coordinators, kOptional, items(0, 100),
       "Signing keys of coordinators that this data may be trained for, in hexadecimal digits as "
       "`join` shows them (blanks do not count). None given: the one that is pinned."},
      {"policy.hours", &s.hours, kOptional, items(0, 100),
       "When training may begin, in the site's local time: days and two times, for example "
       "\"Mon-Fri 20:00-06:00\", \"Sat,Sun 00:00-24:00\" or \"daily 01:00-05:00\". A window whose "
       "end "
       "is before its beginning ends on the next day. No round is joined outside; one that began "
       "inside is finished, so it ends at the latest max_round_s later. None given: always."},
      {"policy.max_server_rounds", &s.max_server_rounds, kOptional, from_to(1, 1000000),
       "Most rounds of a job."},
      {"policy.max_round_s", &s.max_round_s, kOptional, from_to(1, 604800),
       "Seconds that a round may last; its secrets are wiped at the latest then."},
      {"policy.max_run_hours", &s.max_run_hours, kOptional, from_to(0, 1e6),
       "Hours that a job may last when every round takes all the time and all the attempts that "
       "the "
       "job allows, or until its stopping.max_wall_time_s. 0 = not limited."},
      {"policy.max_model_mb", &s.max_model_mb, kOptional, from_to(0, 1e9),
       "Megabytes (10^6 bytes) of parameters that may be fetched for a round. 0 = not limited."},
      {"policy.max_update_mb", &s.max_update_mb, kOptional, from_to(0, 1e9),
       "Megabytes that may be sent for a round. 0 = not limited."},
      {"policy.max_jobs_judged_per_day", &s.max_jobs_judged_per_day, kOptional, from_to(1, 100000),
       "Different jobs that this site judges in 24 hours; further ones are postponed without a "
       "look. Each judgement is in the audit log."},
      {"policy.answer_every_s", &s.answer_every_s, kOptional, from_to(0, 86400),
       "As rounds.answer_every_s of a job; the longer of the two holds. 0: only where the job asks "
       "for it."},
      {"policy.require_approval",
       &s.require_approval,
       kOptional,
       {},
       "Whether a person of this site agrees before anything is trained: to each new kind of job "
       "(task and labels, model, trained modules, what is protected, coordinator), or to every "
       "job. "
       "`sotto-participant policy approve` records it."},
  };
}

}  // namespace

std::vector<Field> fields_of(SiteConfig& site) {
  std::vector<Field> all = {
      {"label",
       &site.label,
       kOptional,
       {},
       "Shown in reports, for example \"demonstration\" for a site that a script made."},
      {"model.path",
       &site.model_path,
       kRequired,
       {},
       "Folder with this site's own copy of the model's config.json and vocab.txt, relative to "
       "this file. A job whose hashes do not fit is refused."},
      {"data.dataset_id", &site.data.dataset_id, kRequired, name_text(),
       "Identity of the protected data in the privacy ledger, for ever: the same data keeps its "
       "identity under every job."},
      {"data.train",
       &site.data.train,
       kRequired,
       {},
       "The protected examples, relative to this file: a line each, label TAB text; for language "
       "modeling the text alone; for token classification a line a word, the word first and its "
       "tag (IOB2) last, and an empty line after each sentence. Or a record store, as data import "
       "makes one."},
      {"data.evaluation",
       &site.data.evaluation,
       kRequired,
       {},
       "The declared evaluation split in the same form. It is outside the privacy statement: no "
       "protected example may be in it."},
      {"data.training_examples", &site.data.training_examples, kOptional,
       from_to(0, static_cast<double>(kMaxDeclaredExamples)),
       "The number of training examples that this site declares; it may be rounded, it is public, "
       "and it is the only one that sampling rate, calibration and answers follow from. Jobs with "
       "differential privacy need it. Leave it as it is when records come and go: the privacy "
       "statement is about records beside a fixed declared size."},
      {"data.evaluation_examples", &site.data.evaluation_examples, kOptional,
       from_to(0, static_cast<double>(kMaxDeclaredExamples)),
       "The declared size of the evaluation split, also public: at most so many of its examples "
       "are "
       "evaluated. 0: as many as the file has."},
      {"data.labels", &site.data.labels, kOptional, items(0, 10000),
       "The labels (for token classification the kinds of entities) that the records may have, "
       "also public. A job that does not name all of them is declined, and records with another "
       "label are skipped with a warning in this site's log. Not given: records whose label the "
       "job does not name are skipped."},
  };
  append(all, policy_fields(site.policy));
  append(all, use_fields(site.policy));
  append(all,
         {
             {"resources.device", &site.resources.device, kOptional, {}, "Where training runs."},
             {"resources.threads", &site.resources.threads, kOptional, from_to(1, 1024),
              "Threads for training on the CPU."},
             {"resources.precision",
              &site.resources.precision,
              kOptional,
              {},
              "Of the matrix products of training. Norms and sums of gradients, the model and "
              "its evaluation are float32 always. \"bfloat16\" is for GPUs; most CPUs are "
              "slower with it."},
             {"resources.gradient_checkpointing",
              &site.resources.gradient_checkpointing,
              kOptional,
              {},
              "Layers keep only what goes into them and are computed again on the way back: "
              "less memory, more time, the same update to the bit."},
         });
  return all;
}

}  // namespace sotto::config
