#include "common/config/fields.h"

#include <algorithm>

#include "common/config/field_limits.h"
#include "common/encoding/quantizer.h"
#include "common/privacy/accounting/distributed_privacy.h"
#include "common/privacy/accounting/mechanism.h"
#include "common/privacy/mechanisms/adaptive_clip.h"
#include "common/secagg/shared/graph.h"
#include "common/tasks/registry.h"

namespace sotto::config {

namespace {

/// With so many labels the counters of an evaluation, three and three more for each label, fit in a
/// round.
constexpr std::size_t kMaxLabels = (encoding::kMaxMetrics - 3) / 3;

std::vector<Field> model_fields(ModelSection& s) {
  return {
      {"model.path", &s.path, kOptional, kNoLimits,
       "Folder with the model's config.json and vocab.txt, relative to this file. The path is not "
       "part of the shared job, which contains the hashes of the two files instead.",
       Scope::kLocal},
      {"model.max_length", &s.max_length, kRequired, within(ModelSection::kMaxLength),
       "Largest number of token positions used of each text, at most the number of positions of "
       "the model."},
      {"model.initial", &s.initial, kOptional, kNoLimits,
       "Model that the run begins with. \"weights\": the weights in the model folder, which must "
       "be there and in the safetensors format; what they lack, such as a new head, begins at "
       "random. \"random\": random weights from the job's seed, whatever the folder has.",
       Scope::kSharedUnlessDefault},
      {"model.new_head", &s.new_head, kOptional, kNoLimits,
       "Begin with a new head for the labels of the task, even if the weights have a head. If this "
       "is false, the head of the weights is taken with its labels, which must be those of the "
       "task.",
       Scope::kSharedUnlessDefault},
      {"model.config_hash", &s.config_hash, kOptional, kNoLimits,
       "Hash of the model's config.json. It is filled in when the job is loaded; if it is given, "
       "the file must match it."},
      {"model.vocab_hash", &s.vocab_hash, kOptional, kNoLimits,
       "Hash of the model's vocab.txt, treated like model.config_hash."},
      {"model.weights_hash", &s.weights_hash, kOptional, kNoLimits,
       "Hash of the model's weights, treated like model.config_hash. Every site needs these "
       "weights if the job uses LoRA, which does not change them. Without LoRA the value is zero."},
  };
}

std::vector<Field> task_fields(TaskSection& s) {
  return {
      {"task.type", &s.type, kRequired, one_of(tasks::task_names()),
       "Task that the model is trained for."},
      {"task.labels", &s.labels, kOptional, items(0, kMaxLabels),
       "For classification: the names of the classes in the order of their numbers, at least two, "
       "all different. For token classification: the kinds of entities without the prefixes B- and "
       "I-, at least one. Each label takes three of the counters in which an evaluation is "
       "summed."},
      {"task.target_min", &s.target_min, kOptional, from_to(-1e9, 1e9),
       "For sequence regression: the smallest target. Smaller targets in the data and smaller "
       "predictions in an evaluation are replaced by this value, which bounds what one example "
       "adds to the counters. The range is public."},
      {"task.target_max", &s.target_max, kOptional, from_to(-1e9, 1e9),
       "For sequence regression: the largest target, which must be above task.target_min."},
  };
}

std::vector<Field> rounds_fields(RoundsSection& s) {
  return {
      {"rounds.num_server_rounds", &s.num_server_rounds, kRequired, from_to(1, 1000000),
       "Number of training rounds. A closing evaluation follows the last one."},
      {"rounds.min_available_participants", &s.min_available_participants, kRequired,
       from_to(1, kMaxMembers),
       "Number of participants that must be connected and have accepted the job before a round "
       "starts. With secure aggregation it is at least max_colluders + 2."},
      {"rounds.fraction_train", &s.fraction_train, kOptional, above_to(0, 1),
       "Fraction of the available participants that take part in a round. The value 1 takes all of "
       "them and is the safest."},
      {"rounds.phase_timeout_s", &s.phase_timeout_s, kOptional, from_to(1, 86400),
       "Longest duration of each of the phases advertise, share, check, endorse and unmask, in "
       "seconds."},
      {"rounds.training_timeout_s", &s.training_timeout_s, kOptional, from_to(1, 604800),
       "Longest duration of training and upload together, in seconds."},
      {"rounds.attempts_per_round", &s.attempts_per_round, kOptional, from_to(1, 1000),
       "Number of times that a lost round is tried again before the run stops. Attempts that prove "
       "a violation by a member, or that search for the member that caused a lost sum, are not "
       "counted."},
      {"rounds.answer_every_s", &s.answer_every_s, kOptional, from_to(0, 86400),
       "Interval in seconds. Participants send the result of training and the answer to the job at "
       "multiples of this interval after they began, so that the time of an answer does not reveal "
       "how long the data took. Choose an interval longer than training takes at any site. With 0 "
       "they answer at once."},
  };
}

std::vector<Field> secure_aggregation_fields(SecureAggregationSection& s) {
  return {
      {"secure_aggregation.enabled", &s.enabled, kOptional, kNoLimits,
       "Mask updates, so that the coordinator learns only their sum. A site declines a job without "
       "secure aggregation unless its policy permits it."},
      {"secure_aggregation.max_colluders", &s.max_colluders, kOptional, from_to(0, kMaxColluders),
       "C: the largest number of participants that may collude with the coordinator without "
       "learning the update of another participant. The value 0 stands for max(1, ceil(n/3) - 1), "
       "where n is the number of participants in the roster when the run begins; the job that is "
       "offered contains the resulting number."},
      {"secure_aggregation.quantization_bits", &s.quantization_bits, kOptional,
       within(encoding::kQuantizationBits),
       "Number of bits of a value before summation. The sum over n participants needs log2(n) bits "
       "more."},
      {"secure_aggregation.value_range", &s.value_range, kOptional, within(encoding::kValueRange),
       "Bound to which each value of an update is clamped, from minus to plus this value."},
      {"secure_aggregation.max_update_norm", &s.max_update_norm, kOptional,
       within(encoding::kMaxUpdateNorm),
       "Bound on the L2 norm of a participant's whole update. A sum is rejected if it is longer "
       "than all updates within this bound can be together."},
      {"secure_aggregation.full_graph_max", &s.full_graph_max, kOptional,
       within(secagg::GraphRules::kFullGraphMax),
       "Largest number of participants in a round for which every pair shares masks. In larger "
       "rounds each participant shares masks with some neighbours on a randomly drawn ring, and "
       "the run begins with the generation of shared randomness."},
      {"secure_aggregation.cohort_size", &s.cohort_size, kOptional, from_to(0, kMaxMembers),
       "Number of participants that are drawn for each round from all participants by the shared "
       "randomness, so that no party chooses them. The value 0 takes all participants and is the "
       "safest."},
      {"secure_aggregation.expected_dropout_percent", &s.expected_dropout_percent, kOptional,
       within(secagg::GraphRules::kDropoutPercent),
       "Percentage of a round's participants that may be missing. If a round is larger than "
       "full_graph_max, this value determines the number of neighbours. With distributed_privacy, "
       "a sum needs the remaining participants."},
      {"secure_aggregation.model_lineage", &s.model_lineage, kOptional, kNoLimits,
       "Each participant computes the first model from its own files and each later model from the "
       "sum of a round, so that no party can send weights of its own choice. Participants then see "
       "the sums, including those of the metrics, and a participant that joins late fetches all of "
       "them."},
  };
}

std::vector<Field> privacy_fields(DifferentialPrivacySection& s) {
  return {
      {"differential_privacy.enabled", &s.enabled, kOptional, kNoLimits,
       "Train with DP-SGD at every participant. The guarantee is about one unit of one site, see "
       "differential_privacy.unit. A site declines a job without differential privacy unless its "
       "policy permits it."},
      {"differential_privacy.unit", &s.unit, kOptional, kNoLimits,
       "What epsilon and delta protect. \"example\": one training example; a person with several "
       "examples is protected less. \"person\": one person with all of her examples at a site. "
       "Steps then draw persons instead of examples, each with all of her used examples. A site "
       "needs data.columns.person and data.training_persons for such a job."},
      {"differential_privacy.examples_per_person", &s.examples_per_person, kOptional,
       within(DifferentialPrivacySection::kExamplesPerPerson),
       "For the unit \"person\": the most examples of one person that are used. Of a person with "
       "more, the same ones are used in every step, round and job. The gradients of a person's n "
       "used examples count 1/n each, so that a person counts as much as one example."},
      {"differential_privacy.target_epsilon", &s.target_epsilon, kOptional, above_to(0, 1000),
       "Epsilon of the whole job at each site, for adding or removing one unit."},
      {"differential_privacy.target_delta", &s.target_delta, kOptional, within(privacy::kDelta),
       "Delta of the same guarantee. Choose a value well below one over the number of units."},
      {"differential_privacy.clipping_norm", &s.clipping_norm, kOptional, above_to(0, 1e6),
       "Bound on the L2 norm of the gradient of one example, and of what one unit adds to a sum."},
      {"differential_privacy.clipping", &s.clipping, kOptional, kNoLimits,
       "Clipping rule. \"flat\" scales down the gradients that are longer than clipping_norm "
       "(Abadi et al. 2016). \"automatic\" brings the norms of all gradients, including short "
       "ones, near clipping_norm (Bu et al. 2023, AUTO-S), so that clipping_norm and the learning "
       "rate need not be tuned together. \"per_layer\" is flat clipping within each of the model's "
       "L modules at clipping_norm / sqrt(L). \"adaptive\" begins at clipping_norm and follows a "
       "quantile of the gradient norms (Andrew et al. 2021); what it learns about the norms is "
       "noised and covered by the same epsilon."},
      {"differential_privacy.clipping_quantile", &s.clipping_quantile, kOptional, from_to(0, 1),
       "Fraction of the gradients that \"adaptive\" leaves unchanged."},
      {"differential_privacy.clipping_rate", &s.clipping_rate, kOptional, above_to(0, 10),
       "Speed of \"adaptive\": the largest change of the norm's logarithm in one step."},
      {"differential_privacy.count_noise_multiplier", &s.count_noise_multiplier, kOptional,
       within(privacy::kCountNoiseMultiplier),
       "For \"adaptive\": the noise on the number of gradients within the norm, in units of the "
       "noise multiplier. At 10 the noise of the gradients grows by 0.13 %, at 1 by 15 %."},
      {"differential_privacy.noise_multiplier", &s.noise_multiplier, kOptional, from_to(0, 1000),
       "Standard deviation of the noise in units of clipping_norm. With 0, each site computes the "
       "noise that target_epsilon needs for its declared number of units."},
      {"differential_privacy.spare_rounds", &s.spare_rounds, kOptional, from_to(0, 1'000'000),
       "Number of attempts, beside the rounds, that target_epsilon covers if they are lost after "
       "updates may have left a site. With 0, a site that allows no more than target_epsilon "
       "leaves the job at the first lost attempt that it was charged for. Each spare round "
       "increases the noise a little, because the noise is calibrated for rounds + spare_rounds."},
  };
}

std::vector<Field> distributed_privacy_fields(DistributedPrivacySection& s) {
  return {
      {"distributed_privacy.enabled", &s.enabled, kOptional, kNoLimits,
       "Add noise from every participant inside the masked sum. The guarantee is about everything "
       "that one participant sends, against the coordinator and max_colluders other participants. "
       "It is separate from differential_privacy and is never added to it. "
       "secure_aggregation.quantization_bits, value_range and max_update_norm then have no "
       "effect."},
      {"distributed_privacy.mechanism", &s.mechanism, kOptional, kNoLimits,
       "Distribution of the noise that each participant draws. Use \"skellam\" where a discrete "
       "Gaussian would have a standard deviation below 2 steps."},
      {"distributed_privacy.clipping_norm", &s.clipping_norm, kOptional,
       within(privacy::NoiseTarget::kClippingNorm),
       "Bound on the L2 norm of a participant's whole update of a round."},
      {"distributed_privacy.noise_multiplier", &s.noise_multiplier, kOptional, from_to(0, 1000),
       "Standard deviation of the noise in the smallest permitted sum, without the colluders' "
       "part, in units of clipping_norm. With 0, it is the noise that target_epsilon needs."},
      {"distributed_privacy.target_epsilon", &s.target_epsilon, kOptional, above_to(0, 1000),
       "Epsilon of all rounds together, for what a participant sends compared with its sending "
       "zeros."},
      {"distributed_privacy.target_delta", &s.target_delta, kOptional, within(privacy::kDelta),
       "Delta of the same guarantee."},
  };
}

std::vector<Field> training_fields(LocalTrainingSection& s) {
  return {
      {"local_training.local_steps", &s.local_steps, kOptional, from_to(1, 1000000),
       "Number of optimizer steps in a round."},
      {"local_training.expected_batch_size", &s.expected_batch_size, kOptional,
       from_to(0, 10000000),
       "Expected number of units (examples, or persons for differential_privacy.unit \"person\") "
       "in "
       "a step. The sampling rate follows from it and the site's declared size. Exactly one of "
       "expected_batch_size and sampling_rate is set (0 = not set)."},
      {"local_training.sampling_rate", &s.sampling_rate, kOptional, from_to(0, 1),
       "Probability with which each unit is included in a step. Exactly one of sampling_rate "
       "and expected_batch_size is set (0 = not set)."},
      {"local_training.physical_batch_size", &s.physical_batch_size, kOptional, from_to(1, 1000000),
       "Number of examples computed at once. It bounds the memory and does not change the result."},
      {"local_training.optimizer", &s.optimizer, kOptional, kNoLimits,
       "Optimizer of the participant. Its moments stay at the site from round to round."},
      {"local_training.learning_rate", &s.learning_rate, kOptional, above_to(0, 1000),
       "Learning rate at the first step."},
      {"local_training.momentum", &s.momentum, kOptional, from_below(0, 1),
       "Momentum of the optimizer \"sgd\"."},
      {"local_training.weight_decay", &s.weight_decay, kOptional, from_to(0, 100),
       "Weight decay: each step reduces each value by this factor times the learning rate, "
       "independently of the gradient. \"adam\" with weight decay is AdamW."},
      {"local_training.proximal_mu", &s.proximal_mu, kOptional, from_to(0, 1000),
       "FedProx: strength of the pull towards the round's model, for sites whose data differ much "
       "and that take many local steps. It uses no data and therefore costs no privacy."},
      {"local_training.learning_rate_schedule", &s.learning_rate_schedule, kOptional, kNoLimits,
       "Course of the learning rate over all rounds: constant, linear to 0, or along a half "
       "cosine."},
  };
}

std::vector<Field> lora_fields(LoraSection& s) {
  return {
      {"lora.r", &s.r, kOptional, from_to(0, 4096),
       "Rank of the low-rank adapters. Only the adapters and the head of a classification are then "
       "trained, sent and accounted for. With 0, the whole model is trained."},
      {"lora.alpha", &s.alpha, kOptional, above_to(0, 1e6),
       "Scale of an adapter: its output is multiplied by alpha / r."},
      {"lora.dropout", &s.dropout, kOptional, from_below(0, 1),
       "Fraction of an adapter's input that is dropped during training."},
      {"lora.target_modules", &s.target_modules, kOptional, items(0, 100),
       "Modules that get adapters, named by the last part of their name, for example \"query\", "
       "\"c_attn\" or \"q_proj\". \"all-linear\" stands for every linear module in the layers."},
      {"lora.layers_to_transform",
       &s.layers_to_transform,
       kOptional,
       {.range = {.min = 0, .max = 10000}, .max_items = 10000},
       "Numbers of the layers that get adapters, counted from 0. An empty list means all layers."},
  };
}

std::vector<Field> evaluation_fields(EvaluationSection& s) {
  return {
      {"evaluation.counter_noise_multiplier", &s.counter_noise_multiplier, kOptional,
       from_to(0, 100),
       "Noise from every participant on the summed counters of the evaluations, in units of the "
       "change that one example of an evaluation split causes. With it the figures of a round are "
       "(epsilon, delta)-differentially private for one such example, against the coordinator and "
       "max_colluders other participants; docs/privacy.md has the formula. With 0, the sums are "
       "exact."},
  };
}

std::vector<Field> stopping_fields(StoppingSection& s) {
  return {
      {"stopping.metric", &s.metric, kOptional, one_of(tasks::figure_names()),
       "Federated metric that target and patience refer to and that selects the best model, which "
       "is kept."},
      {"stopping.target", &s.target, kOptional, from_to(0, 1e9),
       "Value of the metric at which the run ends, after the round in which it is reached. The "
       "value 0 sets no target."},
      {"stopping.patience", &s.patience, kOptional, from_to(0, 1000000),
       "Number of rounds without an improvement of the metric after which the run ends. With 0, "
       "the run never ends for this reason."},
      {"stopping.min_improvement", &s.min_improvement, kOptional, from_to(0, 1e9),
       "Smallest change of the metric that counts as an improvement."},
      {"stopping.max_wall_time_s", &s.max_wall_time_s, kOptional, from_to(0, 31536000),
       "Time in seconds, counted over all processes of the run, after which no round begins. The "
       "value 0 sets no bound."},
      {"stopping.when_budget_spent", &s.when_budget_spent, kOptional, kNoLimits,
       "Whether the run ends when a participant withdraws because its privacy budget is spent. "
       "Otherwise the run continues without that participant as long as enough participants "
       "remain."},
  };
}

std::vector<std::string_view> server_optimizer_names() {
  std::vector<std::string_view> out;
  for (const ServerOptimizerKind* kind : server_optimizer_kinds())
    out.push_back(kind->name);
  return out;
}

std::vector<Field> server_optimizer_fields(ServerOptimizerSpec& s) {
  using Parameters = ServerOptimizerParameters;
  Parameters& p = s.parameters;
  return {
      {"server_optimizer.type", &s.type, kOptional, one_of(server_optimizer_names()),
       "Rule by which the mean update changes the model."},
      {"server_optimizer.learning_rate", &p.learning_rate, kOptional,
       within(Parameters::kLearningRate),
       "Factor on the mean update. The value 1 with \"fedavg\" is plain averaging."},
      {"server_optimizer.beta1", &p.beta1, kOptional, within(Parameters::kBeta),
       "Decay of the first moment of the adaptive optimizers, which are all except \"fedavg\"."},
      {"server_optimizer.beta2", &p.beta2, kOptional, within(Parameters::kBeta),
       "Decay of the second moment of the adaptive optimizers."},
      {"server_optimizer.tau", &p.tau, kOptional, within(Parameters::kTau),
       "Degree of adaptivity of the adaptive optimizers, which is added to the root of the second "
       "moment."},
  };
}

}  // namespace

std::vector<Field> fields_of(JobConfig& job) {
  std::vector<Field> all = {
      {"name", &job.name, kRequired, name_text(), "Name of the job in reports and file names."},
  };
  append(all, model_fields(job.model));
  append(all, task_fields(job.task));
  append(all, rounds_fields(job.rounds));
  append(all, secure_aggregation_fields(job.secure_aggregation));
  append(all, privacy_fields(job.differential_privacy));
  append(all, distributed_privacy_fields(job.distributed_privacy));
  append(all, training_fields(job.local_training));
  append(all, lora_fields(job.lora));
  append(all, server_optimizer_fields(job.server_optimizer));
  append(all, evaluation_fields(job.evaluation));
  append(all, stopping_fields(job.stopping));
  all.push_back({"seed", &job.seed, kOptional, from_to(0, kMaxExactInteger),
                 "Seed of the initial model. Noise and sampling never depend on it."});
  return all;
}

std::vector<Field> used_fields_of(JobConfig& job) {
  std::vector<Field> fields = fields_of(job);
  const std::vector<std::string_view> own = job.make_task()->own_settings();
  std::erase_if(fields, [&](const Field& field) {
    return field.path.starts_with("task.") && field.path != "task.type" &&
           field.path != "task.labels" && std::ranges::find(own, field.path) == own.end();
  });
  // The jobs that protect examples keep the hashes that they had before there was another unit.
  if (job.differential_privacy.unit == privacy::ProtectedUnit::kExample)
    std::erase_if(fields, [](const Field& field) {
      return field.path == "differential_privacy.unit" ||
             field.path == "differential_privacy.examples_per_person";
    });
  return fields;
}

std::vector<Field> canonical_fields_of(JobConfig& job) {
  static JobConfig defaults;
  static const std::vector<Field> unset = fields_of(defaults);
  std::vector<Field> fields = used_fields_of(job);
  std::erase_if(fields, [](const Field& field) {
    const auto is_this = [&](const Field& other) { return other.path == field.path; };
    return field.scope == Scope::kSharedUnlessDefault &&
           canonical_text(value_of(field)) ==
               canonical_text(value_of(*std::ranges::find_if(unset, is_this)));
  });
  return fields;
}

std::vector<Field> fields_of(FederationConfig& federation) {
  Roster& roster = federation.roster;
  return {
      {"name", &federation.name, kRequired, name_text(), "Name of the federation."},
      {"endpoint", &federation.endpoint, kRequired, endpoint_text(),
       "Address that participants connect to."},
      {"listen", &federation.listen, kOptional, endpoint_text(),
       "Address that the coordinator binds, which is the endpoint unless it is given. The "
       "signature does not cover this key, last_member_id, revoked_keys and successions."},
      {"last_member_id", &federation.last_member_id, kOptional, from_to(0, 4294967295),
       "Highest member id that was ever assigned, so that no id is assigned twice after a "
       "removal."},
      {"revoked_keys", &federation.revoked_keys, kOptional, items(0, kMaxRevokedKeys),
       "Keys that were revoked or replaced, in hexadecimal. None of them is ever enrolled again. A "
       "site rejects a file that lacks a revoked key which the site has pinned."},
      {"successions", &federation.successions, kOptional, items(0, kMaxSuccessions),
       "Cards of members that replaced their own older cards, oldest first. Each card is signed by "
       "the key that it replaces, so that a site which has pinned that key accepts the new one."},
      {"roster.version", &roster.version, kRequired, from_to(0, 4294967295),
       "Version of the roster. It rises with every change; 0 means that no participant is enrolled "
       "yet."},
      {"roster.expiry_unix_s", &roster.expiry_unix_s, kRequired, from_to(0, kMaxExactInteger),
       "Time until which the roster is valid, in seconds since 1970."},
      {"roster.coordinator_signing_key", &roster.coordinator_signing_key, kRequired, kNoLimits,
       "Ed25519 key with which the coordinator signs this file and every round."},
      {"roster.coordinator_transport_key", &roster.coordinator_transport_key, kRequired, kNoLimits,
       "CURVE key of the coordinator's socket."},
      {"roster.members", &roster.members, kRequired, items(0, kMaxMembers),
       "Members of the roster in ascending order of their ids."},
      {"signature", &federation.signature, kRequired, kNoLimits,
       "Signature of the coordinator over name, endpoint and the hash of the roster."},
  };
}

std::vector<Field> fields_of(RosterMember& member) {
  return {
      {"id", &member.id, kRequired, from_to(1, 4294967295),
       "Number of the member in the protocol. It stays the same when the roster grows."},
      {"role", &member.role, kOptional, from_to(0, 0), "Role of the member; 0 means participant."},
      {"name", &member.name, kRequired, name_text(), "Name on the member's card."},
      {"signing_key", &member.signing_key, kRequired, kNoLimits,
       "Ed25519 key with which the member signs its messages."},
      {"transport_key", &member.transport_key, kRequired, kNoLimits,
       "CURVE key of the member's socket."},
  };
}

}  // namespace sotto::config
