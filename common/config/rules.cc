#include "common/config/rules.h"

#include <algorithm>
#include <set>
#include <string>

#include "common/config/hours.h"
#include "common/config/model_files.h"
#include "common/crypto/key_agreement.h"
#include "common/crypto/sign.h"
#include "common/model/architecture.h"
#include "common/tasks/registry.h"

namespace sotto::config {

namespace {

void check_labels(const JobConfig& job, Mistakes& mistakes) {
  std::set<std::string_view> seen;
  for (const std::string& label : job.task.labels) {
    if (!seen.insert(label).second)
      mistakes.add_unless_bad({"task.labels"}, "task.labels",
                              "\"" + label + "\" occurs twice; all labels must be different");
    if (label.find_first_of("\t\n\r") != std::string::npos)
      mistakes.add_unless_bad(
          {"task.labels"}, "task.labels",
          "a label contains a tab or a line break, so that data files could not name it");
  }
}

/// Reports settings of other tasks. They are not part of the canonical job, so they would otherwise
/// be ignored silently.
void check_settings_of_other_tasks(const JobConfig& job, Mistakes& mistakes) {
  JobConfig given = job, defaults;
  const std::vector<Field> all = fields_of(given), used = used_fields_of(given);
  const std::vector<Field> unset = fields_of(defaults);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto is_this = [&](const Field& field) { return field.path == all[i].path; };
    if (all[i].path.starts_with("task.") && std::ranges::none_of(used, is_this) &&
        canonical_text(value_of(all[i])) != canonical_text(value_of(unset[i])))
      mistakes.add_unless_bad({"task.type", all[i].path}, all[i].path,
                              "the task \"" + job.task.type + "\" does not have this setting");
  }
}

void check_task(const JobConfig& job, Mistakes& mistakes) {
  if (!tasks::is_task(job.task.type)) return;  // reported when the field was read
  check_settings_of_other_tasks(job, mistakes);
  for (const tasks::SettingMistake& mistake : job.make_task()->mistakes())
    mistakes.add_unless_bad({mistake.path}, mistake.path, mistake.text);
}

void check_unit(const JobConfig& job, Mistakes& mistakes) {
  const DifferentialPrivacySection& s = job.differential_privacy;
  if (s.unit == privacy::ProtectedUnit::kExample &&
      s.examples_per_person != DifferentialPrivacySection().examples_per_person)
    mistakes.add_unless_bad(
        {"differential_privacy.unit", "differential_privacy.examples_per_person"},
        "differential_privacy.examples_per_person",
        "only the unit \"person\" has this setting; set differential_privacy.unit to \"person\", "
        "or "
        "leave this key out");
}

void check_lora(const JobConfig& job, Mistakes& mistakes) {
  const LoraSection& s = job.lora;
  if (s.r > 0 && s.target_modules.empty())
    mistakes.add_unless_bad(
        {"lora.r", "lora.target_modules"}, "lora.target_modules",
        "lora.r requests adapters; needed: the modules that get them, or \"all-linear\"");
  if (s.r == 0 && !(s.target_modules.empty() && s.layers_to_transform.empty()))
    mistakes.add_unless_bad(
        {"lora.r", "lora.target_modules", "lora.layers_to_transform"}, "lora.r",
        "found 0, which trains the whole model; adapters need a rank of at least 1");
}

void check_model(const JobConfig& job, Mistakes& mistakes) {
  const bool hashes = job.model.config_hash != Bytes32{} && job.model.vocab_hash != Bytes32{} &&
                      (job.lora.r == 0 || job.model.weights_hash != Bytes32{});
  if (job.model.path.empty() && !hashes)
    mistakes.add_unless_bad(
        {"model.path", "model.config_hash", "model.vocab_hash", "model.weights_hash", "lora.r"},
        "model.path", "the key is missing; needed: a folder with config.json and vocab.txt");
  if (job.model.new_head && tasks::is_task(job.task.type) &&
      job.make_task()->form() == tasks::RecordForm::kTexts)
    mistakes.add_unless_bad({"model.new_head", "task.type"}, "model.new_head",
                            "the head of a language model belongs to its weights; allowed with "
                            "this task: false");
  if (job.lora.r > 0 && job.model.initial == InitialModel::kRandom)
    mistakes.add_unless_bad({"model.initial", "lora.r"}, "model.initial",
                            "found \"random\"; LoRA adapts the weights of the model folder; "
                            "allowed with lora.r above 0: \"weights\"");
}

/// Returns the number, or its minimum when it is 0 and follows from the federation (colluders.h).
std::uint32_t at_least(std::uint32_t max_colluders) {
  return std::max<std::uint32_t>(max_colluders, 1);
}

void check_secure_aggregation(const JobConfig& job, Mistakes& mistakes) {
  const SecureAggregationSection& s = job.secure_aggregation;
  if (s.enabled && at_least(s.max_colluders) + 2 > job.rounds.min_available_participants)
    mistakes.add_unless_bad({"secure_aggregation.enabled", "secure_aggregation.max_colluders",
                             "rounds.min_available_participants"},
                            "secure_aggregation.max_colluders",
                            "found " + std::to_string(at_least(s.max_colluders)) +
                                "; allowed: at most rounds.min_available_participants - 2 (here " +
                                std::to_string(job.rounds.min_available_participants) +
                                " - 2), so that two honest updates are always in the sum");
}

void check_drawn_cohorts(const JobConfig& job, Mistakes& mistakes) {
  const SecureAggregationSection& s = job.secure_aggregation;
  if (!s.enabled || s.cohort_size == 0) return;
  if (s.cohort_size < at_least(s.max_colluders) + 2)
    mistakes.add_unless_bad(
        {"secure_aggregation.cohort_size", "secure_aggregation.max_colluders"},
        "secure_aggregation.cohort_size",
        "found " + std::to_string(s.cohort_size) +
            "; allowed: 0, or at least secure_aggregation.max_colluders + 2 (here " +
            std::to_string(at_least(s.max_colluders)) + " + 2)");
  if (job.rounds.fraction_train < 1)
    mistakes.add_unless_bad({"rounds.fraction_train", "secure_aggregation.cohort_size"},
                            "rounds.fraction_train",
                            "the coordinator's choice of participants and "
                            "secure_aggregation.cohort_size exclude each other; allowed: 1");
}

void check_counter_noise(const JobConfig& job, Mistakes& mistakes) {
  if (job.evaluation.counter_noise_multiplier > 0 && !job.secure_aggregation.enabled)
    mistakes.add_unless_bad({"evaluation.counter_noise_multiplier", "secure_aggregation.enabled"},
                            "evaluation.counter_noise_multiplier",
                            "this needs secure_aggregation.enabled, because one participant's "
                            "share of the noise protects nothing outside a masked sum");
}

void check_distributed_privacy(const JobConfig& job, Mistakes& mistakes) {
  if (job.distributed_privacy.enabled && !job.secure_aggregation.enabled)
    mistakes.add_unless_bad({"distributed_privacy.enabled", "secure_aggregation.enabled"},
                            "distributed_privacy.enabled",
                            "this needs secure_aggregation.enabled, because one participant's "
                            "share of the noise protects nothing outside a masked sum");
}

void check_training(const JobConfig& job, Mistakes& mistakes) {
  const LocalTrainingSection& s = job.local_training;
  if ((s.expected_batch_size != 0) == (s.sampling_rate > 0))
    mistakes.add_unless_bad(
        {"local_training.expected_batch_size", "local_training.sampling_rate"}, "local_training",
        "exactly one of expected_batch_size and sampling_rate must be set (not 0); found " +
            std::string(s.sampling_rate > 0 ? "both" : "neither"));
  if (s.momentum > 0 && s.optimizer != LocalOptimizer::kSgd)
    mistakes.add_unless_bad({"local_training.momentum", "local_training.optimizer"},
                            "local_training.momentum",
                            "only \"sgd\" has a momentum; allowed with this optimizer: 0");
}

void check_stopping(const JobConfig& job, Mistakes& mistakes) {
  const std::string& metric = job.stopping.metric;
  if (!tasks::is_task(job.task.type)) return;
  for (const tasks::FigureKind& kind : job.make_task()->figures())
    if (kind.name == metric) return;
  mistakes.add_unless_bad({"stopping.metric", "task.type"}, "stopping.metric",
                          "found \"" + metric + "\", which is not a metric of this task");
}

void check_lists(const SitePolicy& policy, Mistakes& mistakes) {
  for (const std::string& model : policy.allowed_models)
    if (!is_model_family(model) && !digest_in(model))
      mistakes.add_unless_bad({"policy.allowed_models"}, "policy.allowed_models",
                              "found \"" + model + "\"; allowed: " + architecture_names() +
                                  ", or the 64 hexadecimal digits of a model");
  for (const std::string& key : policy.allowed_coordinators)
    if (!digest_in(key))
      mistakes.add_unless_bad(
          {"policy.allowed_coordinators"}, "policy.allowed_coordinators",
          "found \"" + key + "\"; allowed: the 64 hexadecimal digits of a signing key");
  if (const auto hours = Hours::parse(policy.hours); !hours.ok())
    mistakes.add_unless_bad({"policy.hours"}, "policy.hours", hours.error().message);
}

/// Reports a key of low order: it agrees on the same point, zero, with every other key.
void check_transport_key(const Bytes32& key, const std::string& path, Mistakes& mistakes) {
  if (crypto::is_low_order(key))
    mistakes.add(path, "this is not a usable X25519 key, because it is a point of low order");
}

void check_members(const Roster& roster, Mistakes& mistakes) {
  std::set<std::string_view> names;
  std::set<Bytes32> keys = {roster.coordinator_signing_key, roster.coordinator_transport_key};
  if (keys.size() != 2)
    mistakes.add("roster.coordinator_transport_key",
                 "this key is the same as coordinator_signing_key");
  check_transport_key(roster.coordinator_transport_key, "roster.coordinator_transport_key",
                      mistakes);
  for (std::size_t i = 0; i < roster.members.size(); ++i) {
    const RosterMember& member = roster.members[i];
    const std::string path = "roster.members[" + std::to_string(i) + "]";
    if (i > 0 && roster.members[i - 1].id >= member.id)
      mistakes.add(path + ".id", "the ids must ascend; the id before this one is " +
                                     std::to_string(raw(roster.members[i - 1].id)));
    if (!names.insert(member.name).second)
      mistakes.add(path + ".name", "\"" + member.name + "\" is also the name of another member");
    if (!keys.insert(member.signing_key).second)
      mistakes.add(path + ".signing_key", "this key occurs twice in the roster");
    if (!keys.insert(member.transport_key).second)
      mistakes.add(path + ".transport_key", "this key occurs twice in the roster");
    check_transport_key(member.transport_key, path + ".transport_key", mistakes);
  }
}

void check_revoked(const FederationConfig& federation, Mistakes& mistakes) {
  const std::set<std::string> revoked(federation.revoked_keys.begin(),
                                      federation.revoked_keys.end());
  for (const RosterMember& member : federation.roster.members)
    for (const Bytes32& key : {member.signing_key, member.transport_key})
      if (revoked.contains(to_hex(key)))
        mistakes.add("revoked_keys", "the key " + to_hex(key) + " is revoked, but the member " +
                                         member.name + " has it");
}

bool has_predecessors_word(const Card& card) {
  return crypto::verify(card.replaces.signing_key, card.succession_bytes(),
                        card.replaces.signature);
}

void check_succession(const Card& card, const std::string& path, Mistakes& mistakes) {
  if (!crypto::verify(card.signing_key, card.signed_bytes(), card.signature))
    mistakes.add(path + ".signature",
                 "the signature was not made by the key on this card; the card was changed");
  if (!card.is_successor() || !has_predecessors_word(card))
    mistakes.add(path + ".replaces.signature",
                 "the signature was not made by the key that this card replaces");
}

}  // namespace

void check_rules(const JobConfig& job, Mistakes& mistakes) {
  check_model(job, mistakes);
  check_task(job, mistakes);
  check_labels(job, mistakes);
  check_lora(job, mistakes);
  check_unit(job, mistakes);
  check_secure_aggregation(job, mistakes);
  check_drawn_cohorts(job, mistakes);
  check_distributed_privacy(job, mistakes);
  check_counter_noise(job, mistakes);
  check_training(job, mistakes);
  check_stopping(job, mistakes);
}

void check_rules(const SiteConfig& site, Mistakes& mistakes) {
  const SitePolicy& policy = site.policy;
  check_lists(policy, mistakes);
  if (policy.max_epsilon_per_job > policy.max_epsilon)
    mistakes.add_unless_bad(
        {"policy.max_epsilon", "policy.max_epsilon_per_job"}, "policy.max_epsilon_per_job",
        "this is more than policy.max_epsilon, the budget of all jobs together");
  if (policy.require_secure_aggregation && policy.min_cohort != 0 &&
      policy.min_cohort < at_least(policy.max_colluders) + 2)
    mistakes.add_unless_bad(
        {"policy.min_cohort", "policy.max_colluders", "policy.require_secure_aggregation"},
        "policy.min_cohort",
        "found " + std::to_string(policy.min_cohort) +
            "; allowed: at least policy.max_colluders + 2 (here " +
            std::to_string(at_least(policy.max_colluders)) + " + 2)");
  if (policy.required_unit == privacy::ProtectedUnit::kPerson && site.data.layout.person.empty())
    mistakes.add_unless_bad({"policy.required_unit", "data.columns.person"}, "policy.required_unit",
                            "the protection of persons needs data.columns.person, the column that "
                            "names the person of a record");
  if (policy.min_noise_multiplier > 0 && !policy.require_differential_privacy)
    mistakes.add_unless_bad({"policy.min_noise_multiplier", "policy.require_differential_privacy"},
                            "policy.min_noise_multiplier",
                            "a smallest noise multiplier protects nothing without "
                            "require_differential_privacy; set that key to true");
  const bool about_sums =
      policy.max_participant_epsilon > 0 || policy.min_participant_noise_multiplier > 0;
  if (about_sums && !policy.require_secure_aggregation)
    mistakes.add_unless_bad(
        {"policy.max_participant_epsilon", "policy.min_participant_noise_multiplier",
         "policy.require_secure_aggregation"},
        "policy.require_secure_aggregation",
        "the noise that this policy requires protects only inside a masked sum; set this key to "
        "true");
  const config::SiteData& data = site.data;
  for (std::size_t i = 0; i < data.labels.size(); ++i)
    if (std::count(data.labels.begin(), data.labels.end(), data.labels[i]) > 1)
      mistakes.add("data.labels[" + std::to_string(i) + "]", "this label occurs twice");
  if (data.layout.text.empty() && !(data.layout.label.empty() && data.layout.person.empty()))
    mistakes.add_unless_bad({"data.columns.text", "data.columns.label", "data.columns.person"},
                            "data.columns.text",
                            "the key is missing; needed: the column or key of the text, because "
                            "other columns are named");
  if (site.data.train == site.data.evaluation)
    mistakes.add_unless_bad({"data.train", "data.evaluation"}, "data.evaluation",
                            "this is the same file as data.train; the guarantee does not cover the "
                            "evaluation split, which needs examples of its own");
}

void check_rules(const FederationConfig& federation, Mistakes& mistakes) {
  for (std::size_t i = 0; i < federation.revoked_keys.size(); ++i) {
    const auto key = from_hex(federation.revoked_keys[i]);
    if (!key.ok() || key->size() != sizeof(Bytes32) || to_hex(*key) != federation.revoked_keys[i])
      mistakes.add("revoked_keys[" + std::to_string(i) + "]",
                   "this is not a key; needed: 64 digits 0-9a-f");
  }
  check_members(federation.roster, mistakes);
  check_revoked(federation, mistakes);
  for (std::size_t i = 0; i < federation.successions.size(); ++i)
    check_succession(federation.successions[i], "successions[" + std::to_string(i) + "]", mistakes);
  if (!mistakes.lines().empty()) return;  // the signed content was not read completely
  if (!crypto::verify(federation.roster.coordinator_signing_key, federation.signed_bytes(),
                      federation.signature))
    mistakes.add("signature",
                 "this is not the coordinator's signature of this content; the file was changed "
                 "after it was signed, or another party signed it");
}

void check_rules(const Card& card, Mistakes& mistakes) {
  if (!mistakes.lines().empty()) return;
  if (card.signing_key == card.transport_key)
    mistakes.add("transport_key", "this key is the same as signing_key");
  check_transport_key(card.transport_key, "transport_key", mistakes);
  if (!crypto::verify(card.signing_key, card.signed_bytes(), card.signature))
    mistakes.add("signature",
                 "the signature was not made by the key on this card; the card was changed");
  if (card.is_successor() && !has_predecessors_word(card))
    mistakes.add("replaces.signature",
                 "the signature was not made by the key that this card replaces");
}

void check_rules(const Revocation& revocation, Mistakes& mistakes) {
  if (!mistakes.lines().empty()) return;
  if (!crypto::verify(revocation.signing_key, revocation.signed_bytes(), revocation.signature))
    mistakes.add("signature", "the signature was not made by the key that it revokes");
}

}  // namespace sotto::config
