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
      {"model.path",
       &s.path,
       kOptional,
       {},
       "Folder with the model's config.json and vocab.txt, relative to this file. Not part of the "
       "shared job: the hashes of the two files are.",
       Scope::kLocal},
      {"model.max_length", &s.max_length, kRequired, within(ModelSection::kMaxLength),
       "Token positions used of each text; at most the model's own number of positions."},
      {"model.config_hash",
       &s.config_hash,
       kOptional,
       {},
       "Hash of the model's config.json. Filled in when the job is loaded; when it is given, the "
       "file must fit it."},
      {"model.vocab_hash",
       &s.vocab_hash,
       kOptional,
       {},
       "Hash of the model's vocab.txt. As model.config_hash."},
      {"model.weights_hash",
       &s.weights_hash,
       kOptional,
       {},
       "Hash of the model's weights, which every site needs where LoRA leaves them alone; zero "
       "without LoRA. As model.config_hash."},
  };
}

std::vector<Field> task_fields(TaskSection& s) {
  return {
      {"task.type", &s.type, kRequired, one_of(tasks::task_names()), "What is learnt."},
      {"task.labels", &s.labels, kOptional, items(0, kMaxLabels),
       "Classification: the names of the classes in the order of their numbers, two at least, all "
       "different. Token classification: the kinds of entities, without B- and I-, one at least. "
       "Each takes three of the counters in which an evaluation is summed."},
      {"task.target_min", &s.target_min, kOptional, from_to(-1e9, 1e9),
       "Sequence regression: the smallest target. Smaller targets in the data, and smaller "
       "predictions in an evaluation, count as this, so that what one example adds to the counters "
       "is bounded. The range is public."},
      {"task.target_max", &s.target_max, kOptional, from_to(-1e9, 1e9),
       "Sequence regression: the largest target, above task.target_min."},
  };
}

std::vector<Field> rounds_fields(RoundsSection& s) {
  return {
      {"rounds.num_server_rounds", &s.num_server_rounds, kRequired, from_to(1, 1000000),
       "Rounds of training; a closing evaluation follows."},
      {"rounds.min_available_participants", &s.min_available_participants, kRequired,
       from_to(1, kMaxMembers),
       "A round starts when so many participants are connected and have "
       "accepted the job. With secure aggregation at least max_colluders + 2."},
      {"rounds.fraction_train", &s.fraction_train, kOptional, above_to(0, 1),
       "Part of the available participants that a round takes; 1 takes all, which is the safest."},
      {"rounds.phase_timeout_s", &s.phase_timeout_s, kOptional, from_to(1, 86400),
       "Seconds that each of the phases advertise, share, check, endorse and unmask may last."},
      {"rounds.training_timeout_s", &s.training_timeout_s, kOptional, from_to(1, 604800),
       "Seconds that training and upload together may last."},
      {"rounds.attempts_per_round", &s.attempts_per_round, kOptional, from_to(1, 1000),
       "How often a lost round is tried again before the run stops. Attempts that convict a member "
       "or look for one that spoils sums are not counted."},
      {"rounds.answer_every_s", &s.answer_every_s, kOptional, from_to(0, 86400),
       "Participants finish training, and answer the job, at multiples of so many seconds after "
       "they began, so that the time of an answer does not tell how long the data took. Choose it "
       "longer than training takes anywhere. 0: they answer at once."},
  };
}

std::vector<Field> secure_aggregation_fields(SecureAggregationSection& s) {
  return {
      {"secure_aggregation.enabled",
       &s.enabled,
       kOptional,
       {},
       "Whether updates are masked, so that the coordinator sees only their sum. A site refuses a "
       "job without it unless its policy says otherwise."},
      {"secure_aggregation.max_colluders", &s.max_colluders, kOptional, from_to(0, kMaxColluders),
       "C: the number of participants that may work together with the coordinator without learning "
       "another one's update. 0 takes max(1, ceil(n/3) - 1), n being the participants of the "
       "roster when the run begins; the job that is offered names the number."},
      {"secure_aggregation.quantization_bits", &s.quantization_bits, kOptional,
       within(encoding::kQuantizationBits),
       "Bits of a value before summation; the sum over n participants adds log2(n)."},
      {"secure_aggregation.value_range", &s.value_range, kOptional, within(encoding::kValueRange),
       "Each value of an update is clamped to plus or minus this."},
      {"secure_aggregation.max_update_norm", &s.max_update_norm, kOptional,
       within(encoding::kMaxUpdateNorm),
       "Bound on the L2 norm of a participant's whole update. A sum that is longer than all of "
       "them "
       "can be together is refused."},
      {"secure_aggregation.full_graph_max", &s.full_graph_max, kOptional,
       within(secagg::GraphRules::kFullGraphMax),
       "Up to so many participants in a round everybody masks against everybody. Above, each masks "
       "against some neighbours on a ring that nobody chose, and the run begins with a genesis."},
      {"secure_aggregation.cohort_size", &s.cohort_size, kOptional, from_to(0, kMaxMembers),
       "Draw so many participants for each round, out of all and by nobody's choice; 0 takes "
       "everyone, which is the safest."},
      {"secure_aggregation.expected_dropout_percent", &s.expected_dropout_percent, kOptional,
       within(secagg::GraphRules::kDropoutPercent),
       "Of a round's participants, so many percent may be missing; above full_graph_max this "
       "decides the number of neighbours, and with distributed_privacy a sum needs all the "
       "others."},
      {"secure_aggregation.model_lineage",
       &s.model_lineage,
       kOptional,
       {},
       "Every participant makes the first model from its own files and each later one from the sum "
       "of a round, so that nobody can send weights of its own choice. Participants then see the "
       "sums, those of the metrics too, and one that joins late fetches all of them."},
  };
}

std::vector<Field> privacy_fields(DifferentialPrivacySection& s) {
  return {
      {"differential_privacy.enabled",
       &s.enabled,
       kOptional,
       {},
       "DP-SGD at every participant: the statement is about one training example of one site. A "
       "site refuses a job without it unless its policy says otherwise."},
      {"differential_privacy.target_epsilon", &s.target_epsilon, kOptional, above_to(0, 1000),
       "Epsilon of the whole job at each site, adding or removing one example."},
      {"differential_privacy.target_delta", &s.target_delta, kOptional, within(privacy::kDelta),
       "Delta of the same statement; choose it well below one over the number of examples."},
      {"differential_privacy.clipping_norm", &s.clipping_norm, kOptional, above_to(0, 1e6),
       "L2 bound on the gradient of one example."},
      {"differential_privacy.clipping",
       &s.clipping,
       kOptional,
       {},
       "\"flat\" scales down the gradients that are longer than clipping_norm (Abadi et al. 2016), "
       "\"automatic\" brings all of them near it, short ones too (Bu et al. 2023, AUTO-S), so that "
       "clipping_norm and learning rate need no tuning against each other. \"per_layer\" is flat "
       "within each of the model's L modules, at clipping_norm / sqrt(L). \"adaptive\" begins at "
       "clipping_norm and follows a quantile of the gradients' norms (Andrew et al. 2021); what it "
       "learns about them is noised and within the same epsilon."},
      {"differential_privacy.clipping_quantile", &s.clipping_quantile, kOptional, from_to(0, 1),
       "Part of the gradients that \"adaptive\" leaves as they are."},
      {"differential_privacy.clipping_rate", &s.clipping_rate, kOptional, above_to(0, 10),
       "How fast \"adaptive\" follows: the norm's logarithm moves by at most this in a step."},
      {"differential_privacy.count_noise_multiplier", &s.count_noise_multiplier, kOptional,
       within(privacy::kCountNoiseMultiplier),
       "\"adaptive\": the noise on the number of gradients within the norm, in units of the noise "
       "multiplier. At 10 the gradients' noise grows by 0.13 %, at 1 by 15 %."},
      {"differential_privacy.noise_multiplier", &s.noise_multiplier, kOptional, from_to(0, 1000),
       "Noise in units of clipping_norm. 0: each site computes what target_epsilon needs for its "
       "declared number of examples."},
      {"differential_privacy.spare_rounds", &s.spare_rounds, kOptional, from_to(0, 1'000'000),
       "Attempts lost after updates may have left that target_epsilon covers beside the rounds. "
       "With 0, a site that allows no more than target_epsilon leaves the job at the first one "
       "that it was charged for. Each one costs a little noise: calibration is for rounds + "
       "spare_rounds."},
  };
}

std::vector<Field> distributed_privacy_fields(DistributedPrivacySection& s) {
  return {
      {"distributed_privacy.enabled",
       &s.enabled,
       kOptional,
       {},
       "Noise from every participant inside the masked sum: the statement is about everything that "
       "one participant sent, against the coordinator and max_colluders others. Apart from "
       "differential_privacy and never added to it. secure_aggregation.quantization_bits, "
       "value_range and max_update_norm are then without meaning."},
      {"distributed_privacy.mechanism",
       &s.mechanism,
       kOptional,
       {},
       "What each participant draws; \"skellam\" where a discrete Gaussian would have a deviation "
       "below 2 steps."},
      {"distributed_privacy.clipping_norm", &s.clipping_norm, kOptional,
       within(privacy::NoiseTarget::kClippingNorm),
       "L2 bound on a participant's whole update of a round."},
      {"distributed_privacy.noise_multiplier", &s.noise_multiplier, kOptional, from_to(0, 1000),
       "Noise in the smallest sum that is allowed, without the colluders' part, in units of "
       "clipping_norm. 0: what target_epsilon needs."},
      {"distributed_privacy.target_epsilon", &s.target_epsilon, kOptional, above_to(0, 1000),
       "Epsilon of all rounds together, of what a participant sent against its having sent zero."},
      {"distributed_privacy.target_delta", &s.target_delta, kOptional, within(privacy::kDelta),
       "Delta of the same statement."},
  };
}

std::vector<Field> training_fields(LocalTrainingSection& s) {
  return {
      {"local_training.local_steps", &s.local_steps, kOptional, from_to(1, 1000000),
       "Optimizer steps a round."},
      {"local_training.expected_batch_size", &s.expected_batch_size, kOptional,
       from_to(0, 10000000),
       "Expected number of examples in a step; the sampling rate follows from the site's declared "
       "size. "
       "Exactly one of this and sampling_rate is set (0 = not set)."},
      {"local_training.sampling_rate", &s.sampling_rate, kOptional, from_to(0, 1),
       "Probability of each example to be in a step. Exactly one of this and expected_batch_size "
       "is set (0 = not set)."},
      {"local_training.physical_batch_size", &s.physical_batch_size, kOptional, from_to(1, 1000000),
       "Examples computed at once; bounds memory, changes no result."},
      {"local_training.optimizer",
       &s.optimizer,
       kOptional,
       {},
       "The participant's own optimizer; its moments stay at the site from round to round."},
      {"local_training.learning_rate", &s.learning_rate, kOptional, above_to(0, 1000),
       "Learning rate at the first step."},
      {"local_training.momentum", &s.momentum, kOptional, from_below(0, 1), "Momentum of \"sgd\"."},
      {"local_training.weight_decay", &s.weight_decay, kOptional, from_to(0, 100),
       "What a step takes off each value, times the learning rate, apart from the gradient; "
       "\"adam\" "
       "with it is AdamW."},
      {"local_training.proximal_mu", &s.proximal_mu, kOptional, from_to(0, 1000),
       "FedProx: pull towards the round's model, for sites whose data differ much and that take "
       "many "
       "local steps. Needs no data, so it costs no privacy."},
      {"local_training.learning_rate_schedule",
       &s.learning_rate_schedule,
       kOptional,
       {},
       "How the learning rate falls over all rounds: not, straight to 0, or along a half cosine."},
  };
}

std::vector<Field> lora_fields(LoraSection& s) {
  return {
      {"lora.r", &s.r, kOptional, from_to(0, 4096),
       "Rank of the low-rank adapters, which alone are then trained, sent and accounted (with the "
       "head of a classification). 0: the whole model is."},
      {"lora.alpha", &s.alpha, kOptional, above_to(0, 1e6),
       "The output of an adapter is scaled by alpha / r."},
      {"lora.dropout", &s.dropout, kOptional, from_below(0, 1),
       "Part of an adapter's input that is left out while training."},
      {"lora.target_modules", &s.target_modules, kOptional, items(0, 100),
       "Modules to adapt by the last part of their name, for example \"query\", \"c_attn\" or "
       "\"q_proj\"; \"all-linear\" is every linear in the layers."},
      {"lora.layers_to_transform",
       &s.layers_to_transform,
       kOptional,
       {.range = {.min = 0, .max = 10000}, .max_items = 10000},
       "Layers to adapt, from 0; none given is all."},
  };
}

std::vector<Field> evaluation_fields(EvaluationSection& s) {
  return {
      {"evaluation.counter_noise_multiplier", &s.counter_noise_multiplier, kOptional,
       from_to(0, 100),
       "Noise from every participant on the summed counters of the evaluations, in units of what "
       "one "
       "example of an evaluation split changes them by. With it the figures of a round are "
       "(epsilon, "
       "delta)-private for one such example, against the coordinator and max_colluders others; "
       "docs/privacy.md has the formula. 0: the sums are exact."},
  };
}

std::vector<Field> stopping_fields(StoppingSection& s) {
  return {
      {"stopping.metric", &s.metric, kOptional, one_of(tasks::figure_names()),
       "The federated metric that target and patience look at, and by which the best model is "
       "kept."},
      {"stopping.target", &s.target, kOptional, from_to(0, 1e9),
       "The run ends after the round in which the metric is found to be as good as this; 0 sets no "
       "target."},
      {"stopping.patience", &s.patience, kOptional, from_to(0, 1000000),
       "The run ends when the metric has not improved for so many rounds; 0 never does."},
      {"stopping.min_improvement", &s.min_improvement, kOptional, from_to(0, 1e9),
       "What counts as an improvement of the metric, at least."},
      {"stopping.max_wall_time_s", &s.max_wall_time_s, kOptional, from_to(0, 31536000),
       "No round begins after so many seconds, counted over all processes of the run; 0 sets no "
       "bound."},
      {"stopping.when_budget_spent",
       &s.when_budget_spent,
       kOptional,
       {},
       "Whether the run ends when a participant withdraws because its budget is spent; else it "
       "goes "
       "on without that one while enough are left."},
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
       "How the mean update changes the model."},
      {"server_optimizer.learning_rate", &p.learning_rate, kOptional,
       within(Parameters::kLearningRate),
       "Factor on the mean update; 1 with \"fedavg\" is plain averaging."},
      {"server_optimizer.beta1", &p.beta1, kOptional, within(Parameters::kBeta),
       "Decay of the first moment of the adaptive optimizers, which are all but \"fedavg\"."},
      {"server_optimizer.beta2", &p.beta2, kOptional, within(Parameters::kBeta),
       "Decay of the second moment of the adaptive optimizers."},
      {"server_optimizer.tau", &p.tau, kOptional, within(Parameters::kTau),
       "Degree of adaptivity of the adaptive optimizers: added to the root of the second moment."},
  };
}

}  // namespace

std::vector<Field> fields_of(JobConfig& job) {
  std::vector<Field> all = {
      {"name", &job.name, kRequired, name_text(), "Name of the job, in reports and file names."},
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
                 "Makes the initial model; noise and sampling never depend on it."});
  return all;
}

std::vector<Field> used_fields_of(JobConfig& job) {
  std::vector<Field> fields = fields_of(job);
  const std::vector<std::string_view> own = job.make_task()->own_settings();
  std::erase_if(fields, [&](const Field& field) {
    return field.path.starts_with("task.") && field.path != "task.type" &&
           field.path != "task.labels" && std::ranges::find(own, field.path) == own.end();
  });
  return fields;
}

std::vector<Field> fields_of(FederationConfig& federation) {
  Roster& roster = federation.roster;
  return {
      {"name", &federation.name, kRequired, name_text(), "Name of the federation."},
      {"endpoint", &federation.endpoint, kRequired, endpoint_text(),
       "What participants connect to."},
      {"listen", &federation.listen, kOptional, endpoint_text(),
       "What the coordinator binds; the endpoint when it is not given. The signature covers "
       "neither "
       "this nor last_member_id, revoked_keys and successions."},
      {"last_member_id", &federation.last_member_id, kOptional, from_to(0, 4294967295),
       "The highest id that was ever given out, so that none is given twice after a removal."},
      {"revoked_keys", &federation.revoked_keys, kOptional, items(0, kMaxRevokedKeys),
       "Keys that were revoked or replaced, in hexadecimal: none of them is ever enrolled again. A "
       "site accepts no file without one that it has pinned."},
      {"successions", &federation.successions, kOptional, items(0, kMaxSuccessions),
       "Cards of members that took the place of their own older cards, oldest first. Each is "
       "signed "
       "by the key that it replaces, so a site that has pinned that key accepts the new one."},
      {"roster.version", &roster.version, kRequired, from_to(0, 4294967295),
       "Rises with every change; 0 = nobody is enrolled yet."},
      {"roster.expiry_unix_s", &roster.expiry_unix_s, kRequired, from_to(0, kMaxExactInteger),
       "The roster is good until then, in seconds since 1970."},
      {"roster.coordinator_signing_key",
       &roster.coordinator_signing_key,
       kRequired,
       {},
       "Ed25519 key that signs this file and every round."},
      {"roster.coordinator_transport_key",
       &roster.coordinator_transport_key,
       kRequired,
       {},
       "CURVE key of the coordinator's socket."},
      {"roster.members", &roster.members, kRequired, items(0, kMaxMembers),
       "Who is in, by ascending id."},
      {"signature",
       &federation.signature,
       kRequired,
       {},
       "The coordinator's, over name, endpoint and the hash of the roster."},
  };
}

std::vector<Field> fields_of(RosterMember& member) {
  return {
      {"id", &member.id, kRequired, from_to(1, 4294967295),
       "Number of the member in the protocol; stays when the roster grows."},
      {"role", &member.role, kOptional, from_to(0, 0), "0 = participant."},
      {"name", &member.name, kRequired, name_text(), "Name on the member's card."},
      {"signing_key", &member.signing_key, kRequired, {}, "Ed25519 key that signs its messages."},
      {"transport_key", &member.transport_key, kRequired, {}, "CURVE key of its socket."},
  };
}

}  // namespace sotto::config
