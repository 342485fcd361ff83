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
       "Lifetime privacy budget of the data set, over all jobs."},
      {"policy.delta", &s.delta, kOptional, within(privacy::kDelta),
       "Delta at which the lifetime budget is counted. A job may not request a larger delta."},
      {"policy.max_epsilon_per_job", &s.max_epsilon_per_job, kRequired, above_to(0, 1e6),
       "Largest epsilon that a single job may use, at most max_epsilon. All runs of the same job "
       "and all attempts at their rounds count together."},
      {"policy.max_lost_epsilon_per_job", &s.max_lost_epsilon_per_job, kOptional, from_to(0, 1e6),
       "Largest epsilon that a single job may use for lost attempts, which are the second and "
       "further charges for the same round. With 0, only max_epsilon_per_job limits it."},
      {"policy.min_cohort", &s.min_cohort, kOptional, from_to(0, kMaxMembers),
       "Smallest number of participants in a sum that this site takes part in, in every kind of "
       "round. If secure aggregation is required, it is at least max_colluders + 2. The value 0 "
       "stands for max(3, max_colluders + 2)."},
      {"policy.max_colluders", &s.max_colluders, kOptional, from_to(0, kMaxColluders),
       "C: the number of colluding participants that this site requires protection against. The "
       "value 0 stands for max(1, ceil(n/3) - 1), where n is the number of participants in the "
       "pinned roster."},
      {"policy.require_secure_aggregation", &s.require_secure_aggregation, kOptional, kNoLimits,
       "Decline jobs whose updates are not masked."},
      {"policy.require_differential_privacy", &s.require_differential_privacy, kOptional, kNoLimits,
       "Decline jobs without differential privacy. If this is false, the epsilon limits apply only "
       "to the jobs that have differential privacy."},
      {"policy.required_unit", &s.required_unit, kOptional, kNoLimits,
       "The least that a job must protect. \"person\": decline jobs unless their "
       "differential_privacy.unit is \"person\". \"example\": jobs with either unit are permitted. "
       "A data set that was charged for one unit accepts no job for the other one."},
      {"policy.require_model_lineage", &s.require_model_lineage, kOptional, kNoLimits,
       "Decline jobs without secure_aggregation.model_lineage, in which the coordinator could send "
       "weights of its own choice."},
      {"policy.require_small_delta", &s.require_small_delta, kOptional, kNoLimits,
       "Decline jobs whose delta is one over data.training_examples or more (data.training_persons "
       "for a job that protects persons). If this is false, such a delta causes a warning in this "
       "site's log."},
      {"policy.min_noise_multiplier", &s.min_noise_multiplier, kOptional, from_to(0, 1000),
       "Smallest permitted noise in units of the clipping norm. With 0, only the budget determines "
       "the noise."},
      {"policy.max_participant_epsilon", &s.max_participant_epsilon, kOptional, from_to(0, 1e6),
       "Lifetime budget, at the same delta, of everything that this site sends about the data set. "
       "A job without distributed_privacy is then declined. The value 0 means that this site keeps "
       "no such budget."},
      {"policy.min_participant_noise_multiplier", &s.min_participant_noise_multiplier, kOptional,
       from_to(0, 1000),
       "Smallest permitted noise in the smallest sum, in units of "
       "distributed_privacy.clipping_norm. With 0, no such noise is required."},
  };
}

/// Returns the fields about the use of the data: for what, by whom, when and how long.
std::vector<Field> use_fields(SitePolicy& s) {
  return {
      {"policy.allowed_tasks", &s.allowed_tasks, kRequired, items(1, 100, tasks::task_names()),
       "Tasks for which this data may be used."},
      {"policy.allowed_models", &s.allowed_models, kOptional, items(0, 100),
       "Models that may be trained on this data: families (the model_type of config.json, for "
       "example \"bert\"), or digests of single models (64 hexadecimal digits), which "
       "`sotto-participant policy explain` shows. An empty list permits any model in model.path."},
      {"policy.allowed_modules", &s.allowed_modules, kOptional, items(0, 1000),
       "Modules whose parameters or adapters may be trained and sent, named by the last part of "
       "their name, for example \"query\" or \"classifier\". \"adapters\" stands for every LoRA "
       "adapter, \"all\" for every module. An empty list permits every module."},
      {"policy.allowed_coordinators", &s.allowed_coordinators, kOptional, items(0, 100),
       "Signing keys of the coordinators for which this data may be used in training, in "
       "hexadecimal digits as `join` shows them; blanks are ignored. An empty list permits the "
       "pinned coordinator."},
      {"policy.hours", &s.hours, kOptional, items(0, 100),
       "Times at which training may begin, in the site's local time: days and two times, for "
       "example \"Mon-Fri 20:00-06:00\", \"Sat,Sun 00:00-24:00\" or \"daily 01:00-05:00\". A "
       "window whose end is before its beginning ends on the next day. Outside the windows the "
       "site joins no round; it finishes a round that began inside one, at most max_round_s later. "
       "An empty list permits every time."},
      {"policy.max_server_rounds", &s.max_server_rounds, kOptional, from_to(1, 1000000),
       "Largest number of rounds of a job."},
      {"policy.max_round_s", &s.max_round_s, kOptional, from_to(1, 604800),
       "Longest duration of a round in seconds. The secrets of a round are erased at this time at "
       "the latest."},
      {"policy.max_run_hours", &s.max_run_hours, kOptional, from_to(0, 1e6),
       "Longest duration of a job in hours, if every round takes all the time and all the attempts "
       "that the job allows, or until its stopping.max_wall_time_s. The value 0 sets no limit."},
      {"policy.max_model_mb", &s.max_model_mb, kOptional, from_to(0, 1e9),
       "Largest amount of parameters that may be fetched for a round, in megabytes (10^6 bytes). "
       "The value 0 sets no limit."},
      {"policy.max_update_mb", &s.max_update_mb, kOptional, from_to(0, 1e9),
       "Largest amount of data that may be sent for a round, in megabytes (10^6 bytes). The value "
       "0 sets no limit."},
      {"policy.max_jobs_judged_per_day", &s.max_jobs_judged_per_day, kOptional, from_to(1, 100000),
       "Number of different jobs that this site evaluates in 24 hours. Further jobs are postponed "
       "without an evaluation. Each evaluation is recorded in the audit log."},
      {"policy.answer_every_s", &s.answer_every_s, kOptional, from_to(0, 86400),
       "Interval of answers in seconds, like rounds.answer_every_s of a job; the longer of the two "
       "applies. With 0, answers have fixed times only if the job asks for them."},
      {"policy.require_approval", &s.require_approval, kOptional, kNoLimits,
       "Whether a person of this site must approve before anything is trained: each new kind of "
       "job (task and labels, model, trained modules, what is protected, coordinator), or every "
       "job. `sotto-participant policy approve` records the approval."},
  };
}

}  // namespace

std::vector<Field> fields_of(SiteConfig& site) {
  std::vector<Field> all = {
      {"label", &site.label, kOptional, kNoLimits,
       "Label of the site in reports, for example \"demonstration\" for a site that was made by a "
       "script."},
      {"model.path", &site.model_path, kRequired, kNoLimits,
       "Folder with this site's own copy of the model's config.json and vocab.txt, relative to "
       "this file. A job whose hashes differ is declined."},
      {"data.dataset_id", &site.data.dataset_id, kRequired, name_text(),
       "Permanent identity of the protected data in the privacy ledger. The same data keep this "
       "identity under every job."},
      {"data.train", &site.data.train, kRequired, kNoLimits,
       "File with the protected examples, relative to this file: CSV, TSV or JSONL whose columns "
       "data.columns names; or one example a line (label TAB text, or for language modelling the "
       "text alone); or for token classification one word a line, with the word first and its tag "
       "(IOB2) last, and an empty line after each sentence. A record store made by `data import` "
       "is also permitted. `sotto-participant data inspect` shows what is in a file."},
      {"data.evaluation", &site.data.evaluation, kRequired, kNoLimits,
       "File with the declared evaluation split, in the same format. The guarantee does not cover "
       "it, so it must contain no protected example."},
      {"data.format", &site.data.layout.format, kOptional, kNoLimits,
       "Format of the two files. With \"auto\" the ending of a file decides: .csv, .jsonl and "
       ".conll are those formats; with data.columns.text, .tsv and .tab are tsv, .json is jsonl "
       "and any other ending is csv; otherwise a file has the lines that the task reads. \"csv\" "
       "and \"tsv\" begin with a header line, \"lines\" has a text in each line, \"labelled\" a "
       "label TAB text."},
      {"data.delimiter", &site.data.layout.delimiter, kOptional, kNoLimits,
       "Character between the cells of CSV: \"comma\", \"semicolon\", \"tab\", \"bar\" or the "
       "character itself. Empty: detected from the header line."},
      {"data.columns.text", &site.data.layout.text, kOptional, kNoLimits,
       "Column (CSV, TSV) or key (JSONL) of the text. For token classification in JSONL it is the "
       "key of a list of words. Other columns are not kept."},
      {"data.columns.label", &site.data.layout.label, kOptional, kNoLimits,
       "Column or key of the label, or of the number for regression. For token classification in "
       "JSONL it is the key of a list of tags (IOB2), one for each word."},
      {"data.columns.person", &site.data.layout.person, kOptional, kNoLimits,
       "Column or key of the person whom a record is about. If it is empty, each record counts as "
       "a person of its own."},
      {"data.training_examples", &site.data.training_examples, kOptional,
       from_to(0, static_cast<double>(kMaxDeclaredExamples)),
       "Number of training examples that this site declares. It may be rounded and it is public. "
       "The sampling rate, the calibration of the noise and the answers use this number and no "
       "other size. Jobs that protect single examples need it. Do not change it when records are "
       "added or removed: the guarantee compares data sets with the same declared size."},
      {"data.training_persons", &site.data.training_persons, kOptional,
       from_to(0, static_cast<double>(kMaxDeclaredExamples)),
       "Number of persons with training examples that this site declares, for jobs with "
       "differential_privacy.unit \"person\", which need it. It is to those jobs what "
       "data.training_examples is to the others, which do not use it: public, possibly rounded, "
       "and "
       "unchanged when records are added or removed."},
      {"data.evaluation_examples", &site.data.evaluation_examples, kOptional,
       from_to(0, static_cast<double>(kMaxDeclaredExamples)),
       "Declared size of the evaluation split, which is also public. At most this many of its "
       "examples are evaluated. With 0, all examples of the file are evaluated."},
      {"data.labels", &site.data.labels, kOptional, items(0, 10000),
       "Labels (for token classification the kinds of entities) that the records may have, which "
       "are also public. A job that does not name all of them is declined. Records with another "
       "label are skipped, with a warning in this site's log. If the list is empty, records whose "
       "label the job does not name are skipped."},
  };
  append(all, policy_fields(site.policy));
  append(all, use_fields(site.policy));
  append(all, {
                  {"resources.device", &site.resources.device, kOptional, kNoLimits,
                   "Device on which training runs."},
                  {"resources.threads", &site.resources.threads, kOptional, from_to(1, 1024),
                   "Number of threads for training on the CPU."},
                  {"resources.precision", &site.resources.precision, kOptional, kNoLimits,
                   "Precision of the matrix products of training. The norms and sums of gradients, "
                   "the model and its evaluation always use float32. \"bfloat16\" is for GPUs; "
                   "most CPUs are slower with it."},
                  {"resources.gradient_checkpointing", &site.resources.gradient_checkpointing,
                   kOptional, kNoLimits,
                   "Layers keep only their inputs and are computed again in the backward pass. "
                   "This takes less memory and more time, and the update is the same to the bit."},
              });
  return all;
}

}  // namespace sotto::config
