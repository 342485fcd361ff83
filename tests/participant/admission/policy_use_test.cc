// The rules about models, modules, coordinators, hours, sizes and approval: each just inside and
// just outside; and what holds of all rules together.
#include <functional>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "common/config/fields.h"
#include "common/config/model_files.h"
#include "participant/admission/job_kind.h"
#include "participant/admission/policy.h"

namespace sotto::participant {
namespace {

struct Case {
  config::SitePolicy policy;
  config::JobConfig job;
  JobContext context;

  [[nodiscard]] Answer answer() const { return answer_of(evaluate_policy(policy, job, context)); }

  [[nodiscard]] std::string reasons() const {
    return reasons_of(evaluate_policy(policy, job, context));
  }
};

Case accepted_case() {
  Case c;
  c.policy.max_epsilon = 10;
  c.policy.max_epsilon_per_job = 8;
  c.policy.allowed_tasks = {"sequence_classification"};
  c.job.task.type = "sequence_classification";
  c.job.model.config_hash = {1, 2, 3};
  c.job.rounds.min_available_participants = 4;
  c.job.rounds.num_server_rounds = 20;
  c.policy.min_cohort = 3;
  c.policy.max_colluders = c.job.secure_aggregation.max_colluders = 1;
  c.context = {
      .federation = FederationFacts{.participants = 4, .coordinator = {0xAB}},
      .now = config::LocalTime{.weekday = 1, .minute = 600},
      .consent = Consent{},
      .model = ModelFacts{.family = "bert",
                          .modules = {"bert.encoder.layer.0.attention.self.query (adapter)",
                                      "classifier"},
                          .model_mb = 12.5,
                          .update_mb = 9.5},
      .cost = PrivacyCost{.epsilon_after_job = 8, .job_epsilon = 8, .noise_multiplier = 1.5}};
  return c;
}

/// Refused for one reason, which names the rule and holds the part.
void expect_refused(const Case& c, const std::string& rule, const std::string& part) {
  EXPECT_EQ(c.answer(), Answer::kDecline);
  const std::string reasons = c.reasons();
  EXPECT_NE(reasons.find(part), std::string::npos) << reasons;
  EXPECT_TRUE(reasons.ends_with("(policy." + rule + ")")) << reasons;
  EXPECT_EQ(reasons.find(';'), reasons.rfind(';')) << "one sentence: " << reasons;
}

TEST(PolicyUse, AModelIsAllowedByItsFamilyOrItsDigest) {
  Case c = accepted_case();
  const std::string digest = to_hex(config::model_digest(c.job.model));
  c.policy.allowed_models = {"bert"};
  EXPECT_EQ(c.answer(), Answer::kAccept);
  c.policy.allowed_models = {digest};
  EXPECT_EQ(c.answer(), Answer::kAccept);
  c.context.model->family = "llama";
  EXPECT_EQ(c.answer(), Answer::kAccept);
  c.policy.allowed_models = {"bert", "gpt2"};
  expect_refused(c, "allowed_models", "llama, " + digest + "; this site allows only bert, gpt2");
  c.policy.allowed_models = {digest};
  c.job.model.vocab_hash = {9};
  expect_refused(c, "allowed_models", "this site allows only " + digest);
}

TEST(PolicyUse, ADigestIsEvaluatedBeforeAnyFileIsRead) {
  Case c = accepted_case();
  c.context.model.reset();
  c.context.cost.reset();
  c.policy.allowed_models = {std::string(64, '0')};
  EXPECT_EQ(c.answer(), Answer::kDecline);
  c.policy.allowed_models.push_back("bert");
  EXPECT_EQ(c.answer(), Answer::kAccept) << "open until the model's family is known";
}

TEST(PolicyUse, OnlyAllowedModulesAreTrainedAndSent) {
  Case c = accepted_case();
  for (const auto& [allowed, fits] :
       std::vector<std::pair<std::vector<std::string>, bool>>{{{"all"}, true},
                                                              {{"adapters", "classifier"}, true},
                                                              {{"query", "classifier"}, true},
                                                              {{"self.query", "classifier"}, true},
                                                              {{"query"}, false},
                                                              {{"adapters"}, false},
                                                              {{"uery", "classifier"}, false},
                                                              {{"value", "classifier"}, false}}) {
    c.policy.allowed_modules = allowed;
    EXPECT_EQ(c.answer() == Answer::kAccept, fits) << c.reasons();
  }
  expect_refused(c, "allowed_modules",
                 "trains and sends bert.encoder.layer.0.attention.self.query (adapter); this site "
                 "allows only value, classifier");
  c.policy.allowed_modules = {"adapters", "classifier"};
  c.context.model->modules.front() = "bert.encoder.layer.0.attention.self.query";
  EXPECT_EQ(c.answer(), Answer::kDecline) << "the module itself is no adapter";
}

TEST(PolicyUse, OnlyAllowedCoordinatorsAreWorkedFor) {
  Case c = accepted_case();
  const std::string key = to_hex(c.context.federation->coordinator);
  c.policy.allowed_coordinators = {std::string(64, '1'),
                                   key.substr(0, 8) + " " + key.substr(8, 56)};
  EXPECT_EQ(c.answer(), Answer::kAccept) << "as a fingerprint is shown, with blanks";
  c.policy.allowed_coordinators.pop_back();
  expect_refused(c, "allowed_coordinators", "signing key " + key);
}

TEST(PolicyUse, OutsideItsHoursASiteTakesNoPartForNow) {
  Case c = accepted_case();  // Tue 10:00
  c.policy.hours = {"Mon-Fri 09:00-10:01"};
  EXPECT_EQ(c.answer(), Answer::kAccept);
  c.policy.hours = {"Mon-Fri 09:00-10:00"};
  EXPECT_EQ(c.answer(), Answer::kPostpone);
  EXPECT_EQ(c.reasons(),
            "this site trains only at Mon-Fri 09:00-10:00 of its local time; the next window "
            "begins at Wed 09:00 "
            "(policy.hours)");
  c.policy.max_server_rounds = 1;
  EXPECT_EQ(c.answer(), Answer::kDecline) << "what is refused for good says so";
}

TEST(PolicyUse, LimitsOfTimeAndSizeHoldToTheirValue) {
  Case c = accepted_case();
  // 21 rounds with the evaluation, 5 attempts of 5 * 60 + 3600 s.
  const double hours = 21.0 * 5 * 3900 / 3600;
  EXPECT_DOUBLE_EQ(longest_run_s(c.job), hours * 3600);
  for (const auto& [limit, value, rule, sentence] :
       {std::tuple{&config::SitePolicy::max_run_hours, hours, "max_run_hours", "may last 113.75"},
        std::tuple{&config::SitePolicy::max_model_mb, 12.5, "max_model_mb", "fetching 12.5 MB"},
        std::tuple{&config::SitePolicy::max_update_mb, 9.5, "max_update_mb", "sends 9.5 MB"}}) {
    Case limited = c;
    limited.policy.*limit = value;
    EXPECT_EQ(limited.answer(), Answer::kAccept) << limited.reasons();
    limited.policy.*limit = value * 0.999;
    expect_refused(limited, rule, sentence);
    limited.policy.*limit = 0;
    EXPECT_EQ(limited.answer(), Answer::kAccept) << "0 is no limit";
  }
  c.job.stopping.max_wall_time_s = 3600;
  EXPECT_DOUBLE_EQ(longest_run_s(c.job), 3600 + 2 * 5 * 3900.0);
}

TEST(PolicyUse, WeightsOfTheCoordinatorsChoiceAreRefusedWhereLineageIsRequired) {
  Case c = accepted_case();
  c.policy.require_model_lineage = true;
  expect_refused(c, "require_model_lineage", "the job has no model_lineage");
  c.job.secure_aggregation.model_lineage = true;
  EXPECT_EQ(c.answer(), Answer::kAccept);
}

TEST(PolicyUse, AnApprovalOfTheKindOrOfTheJobIsAskedFor) {
  Case c = accepted_case();
  c.policy.require_approval = config::RequiredApproval::kFirstJobOfAKind;
  EXPECT_EQ(c.answer(), Answer::kPostpone);
  EXPECT_NE(c.reasons().find("a person at this site has to approve the first job of a kind"),
            std::string::npos);
  c.context.consent->to_kind = true;
  EXPECT_EQ(c.answer(), Answer::kAccept);
  c.policy.require_approval = config::RequiredApproval::kEveryJob;
  EXPECT_EQ(c.answer(), Answer::kPostpone) << "its kind is not enough";
  c.context.consent->to_job = true;
  EXPECT_EQ(c.answer(), Answer::kAccept);
  c.context.consent->to_kind = false;
  c.policy.require_approval = config::RequiredApproval::kFirstJobOfAKind;
  EXPECT_EQ(c.answer(), Answer::kAccept) << "this very job was approved";
}

TEST(PolicyUse, AKindIsWhatIsLearntWithWhatForWhom) {
  const Case c = accepted_case();
  const Bytes32 coordinator = c.context.federation->coordinator;
  const Bytes32 kind = kind_of(c.job, coordinator);
  config::JobConfig same = c.job;
  same.name = "another";
  same.rounds.num_server_rounds = 3;
  same.local_training.learning_rate = 0.5;
  same.differential_privacy.target_epsilon = 1;
  same.hash = {1};
  EXPECT_EQ(kind_of(same, coordinator), kind);
  const std::vector<std::function<void(config::JobConfig&)>> changes = {
      [](auto& j) { j.task.type = "token_classification"; },
      [](auto& j) {
        j.task.labels = {"a", "b"};
      },
      [](auto& j) { j.model.config_hash[31] = 1; },
      [](auto& j) { j.lora = {.r = 4, .target_modules = {"query"}}; },
      [](auto& j) {
        j.lora = {.r = 4, .target_modules = {"query", "value"}};
      },
      [](auto& j) { j.lora = {.r = 4, .target_modules = {"query"}, .layers_to_transform = {0}}; },
      [](auto& j) { j.differential_privacy.enabled = false; },
      [](auto& j) { j.distributed_privacy.enabled = true; },
      [](auto& j) { j.secure_aggregation.model_lineage = true; },
      [](auto& j) { j.secure_aggregation.enabled = false; }};
  std::set<Bytes32> kinds{kind, kind_of(c.job, {1})};
  for (const auto& change : changes) {
    config::JobConfig other = c.job;
    change(other);
    kinds.insert(kind_of(other, coordinator));
  }
  EXPECT_EQ(kinds.size(), changes.size() + 2) << "each of them asks another question";
  config::JobConfig narrow = c.job, wide = c.job;
  narrow.task = {.type = "sequence_regression", .target_max = 1};
  wide.task = {.type = "sequence_regression", .target_max = 100};
  EXPECT_NE(kind_of(narrow, coordinator), kind_of(wide, coordinator));
  config::JobConfig ordered = c.job, turned = c.job;
  ordered.lora = {.r = 4, .target_modules = {"query", "value"}};
  turned.lora = {.r = 8, .target_modules = {"value", "query", "query"}};
  EXPECT_EQ(kind_of(ordered, coordinator), kind_of(turned, coordinator));
}

TEST(PolicyUse, EveryKeyOfThePolicyIsEvaluated) {
  config::SiteConfig site;
  const Case c = accepted_case();
  for (const JobContext& context : {JobContext{}, c.context}) {
    std::set<std::string> evaluated;
    for (const PolicyResult& policy_result : evaluate_policy(c.policy, c.job, context))
      evaluated.insert("policy." + std::string(policy_result.rule));
    for (const config::Field& field : config::fields_of(site))
      if (field.path.starts_with("policy.")) {
        EXPECT_EQ(evaluated.erase(std::string(field.path)), 1u) << field.path;
      }
    EXPECT_TRUE(evaluated.empty()) << *evaluated.begin() << " is no key of site.json";
  }
}

// ---- tightening

using Random = std::mt19937_64;

double between(Random& random, double low, double high) {
  return std::uniform_real_distribution<double>(low, high)(random);
}

std::uint32_t below(Random& random, std::uint32_t limit) {
  return static_cast<std::uint32_t>(random() % limit);
}

bool coin(Random& random) {
  return (random() & 1U) != 0;
}

template <class T>
T pick(Random& random, const std::vector<T>& from) {
  return from[random() % from.size()];
}

Case random_case(Random& random) {
  Case c = accepted_case();
  c.policy.max_epsilon = between(random, 7, 12);
  c.policy.max_epsilon_per_job = between(random, 7, 10);
  c.policy.min_cohort = pick<std::uint32_t>(random, {2, 3, 4});
  c.policy.require_secure_aggregation = coin(random);
  c.policy.require_differential_privacy = coin(random);
  c.policy.require_small_delta = coin(random);
  c.policy.min_noise_multiplier = between(random, 0, 1.6);
  if (coin(random)) c.policy.max_participant_epsilon = between(random, 4, 12);
  if (coin(random)) c.policy.allowed_tasks.push_back("token_classification");
  if (coin(random)) c.policy.allowed_models = {"bert", "gpt2"};
  if (coin(random)) c.policy.allowed_modules = {"adapters", "classifier"};
  if (coin(random)) c.policy.allowed_coordinators = {to_hex(Bytes32{0xAB}), to_hex(Bytes32{0xCD})};
  if (coin(random)) c.policy.hours = {"Tue 09:00-11:00", "Sat 00:00-24:00"};
  if (coin(random)) c.policy.max_run_hours = between(random, 50, 300);
  c.policy.max_server_rounds = pick<std::uint32_t>(random, {20, 21, 30});
  c.policy.max_round_s = pick<std::uint64_t>(random, {3900, 4000});
  if (coin(random)) c.policy.require_approval = config::RequiredApproval::kFirstJobOfAKind;
  c.job.secure_aggregation.enabled = random() % 8 != 0;
  c.job.secure_aggregation.model_lineage = coin(random);
  c.job.differential_privacy.enabled = random() % 8 != 0;
  if (coin(random)) c.job.differential_privacy.unit = privacy::ProtectedUnit::kPerson;
  c.job.distributed_privacy.enabled = random() % 4 != 0;
  c.job.secure_aggregation.max_colluders = pick<std::uint32_t>(random, {1, 2});
  c.context.consent = Consent{.to_kind = random() % 4 != 0, .to_job = coin(random)};
  c.context.now->weekday = pick<std::uint32_t>(random, {1, 1, 5});
  c.context.cost->epsilon_after_job = between(random, 5, 10);
  c.context.cost->job_epsilon = between(random, 5, 9);
  c.context.cost->lost_epsilon_after_job = between(random, 0, 4);
  c.context.cost->participant_epsilon_after_job = between(random, 2, 8);
  c.context.cost->participant_noise_multiplier = between(random, 0, 3);
  c.context.cost->training_units = pick<std::uint64_t>(random, {500, 100000});
  if (random() % 8 == 0) c.context.cost.reset();
  if (random() % 8 == 0) c.context.model.reset();
  if (random() % 8 == 0) c.context.federation.reset();
  return c;
}

void lower(double& limit, double to) {
  limit = limit == 0 ? to : std::min(limit, to);
}

/// One way to tighten each key.
std::map<std::string, std::function<void(config::SitePolicy&, Random&)>> tightenings() {
  const auto shorter = [](std::vector<std::string>& list, const std::string& only) {
    if (list.empty())
      list = {only};
    else if (list.size() > 1)
      list.pop_back();
  };
  return {
      {"max_epsilon", [](auto& p, Random& r) { p.max_epsilon *= between(r, 0.3, 1); }},
      {"max_epsilon_per_job",
       [](auto& p, Random& r) { p.max_epsilon_per_job *= between(r, 0.3, 1); }},
      {"max_lost_epsilon_per_job",
       [](auto& p, Random& r) { lower(p.max_lost_epsilon_per_job, between(r, 0.5, 8)); }},
      {"delta", [](auto& p, Random& r) { p.delta *= between(r, 0.3, 1); }},
      {"min_cohort", [](auto& p, Random& r) { p.min_cohort += below(r, 4); }},
      {"max_colluders", [](auto& p, Random& r) { p.max_colluders += below(r, 3); }},
      {"require_secure_aggregation", [](auto& p, Random&) { p.require_secure_aggregation = true; }},
      {"require_differential_privacy",
       [](auto& p, Random&) { p.require_differential_privacy = true; }},
      {"required_unit",
       [](auto& p, Random&) { p.required_unit = privacy::ProtectedUnit::kPerson; }},
      {"require_model_lineage", [](auto& p, Random&) { p.require_model_lineage = true; }},
      {"require_small_delta", [](auto& p, Random&) { p.require_small_delta = true; }},
      {"min_noise_multiplier",
       [](auto& p, Random& r) { p.min_noise_multiplier += between(r, 0, 2); }},
      {"max_participant_epsilon",
       [](auto& p, Random& r) { lower(p.max_participant_epsilon, between(r, 1, 12)); }},
      {"min_participant_noise_multiplier",
       [](auto& p, Random& r) { p.min_participant_noise_multiplier += between(r, 0, 3); }},
      {"allowed_tasks",
       [](auto& p, Random& r) { coin(r) ? p.allowed_tasks.clear() : p.allowed_tasks.resize(1); }},
      {"allowed_models",
       [=](auto& p, Random& r) { shorter(p.allowed_models, coin(r) ? "bert" : "gpt2"); }},
      {"allowed_modules",
       [=](auto& p, Random& r) { shorter(p.allowed_modules, coin(r) ? "all" : "query"); }},
      {"allowed_coordinators",
       [=](auto& p, Random& r) {
         shorter(p.allowed_coordinators,
                 to_hex(Bytes32{coin(r) ? std::uint8_t{0xAB} : std::uint8_t{1}}));
       }},
      {"hours",
       [=](auto& p, Random& r) {
         shorter(p.hours, coin(r) ? "Tue 09:00-11:00" : "Sat 00:00-24:00");
       }},
      {"max_server_rounds", [](auto& p, Random& r) { p.max_server_rounds -= below(r, 12); }},
      {"max_round_s", [](auto& p, Random& r) { p.max_round_s -= below(r, 200); }},
      {"max_run_hours", [](auto& p, Random& r) { lower(p.max_run_hours, between(r, 50, 300)); }},
      {"max_model_mb", [](auto& p, Random& r) { lower(p.max_model_mb, between(r, 10, 15)); }},
      {"max_update_mb", [](auto& p, Random& r) { lower(p.max_update_mb, between(r, 8, 11)); }},
      {"require_approval", [](auto& p, Random& r) {
         p.require_approval = p.require_approval == config::RequiredApproval::kNone && coin(r)
                                  ? config::RequiredApproval::kFirstJobOfAKind
                                  : config::RequiredApproval::kEveryJob;
       }}};
}

/// How far an answer is from acceptance.
int distance(Answer answer) {
  switch (answer) {
    case Answer::kAccept:
      return 0;
    case Answer::kPostpone:
      return 1;
    case Answer::kDecline:
      return 2;
  }
  return 2;
}

TEST(PolicyUse, TighteningARuleNeverMakesARefusedJobWelcome) {
  Random random(20261122);
  const auto all = tightenings();
  std::map<std::string, int> stricter;
  std::map<Answer, int> before;
  for (int i = 0; i < 2000; ++i) {
    const Case loose = random_case(random);
    ++before[loose.answer()];
    for (const auto& [key, tighten] : all) {
      Case tight = loose;
      tighten(tight.policy, random);
      EXPECT_GE(distance(tight.answer()), distance(loose.answer()))
          << key << ": " << loose.reasons();
      stricter[key] += distance(tight.answer()) > distance(loose.answer()) ? 1 : 0;
    }
  }
  for (const Answer answer : {Answer::kAccept, Answer::kPostpone, Answer::kDecline})
    EXPECT_GT(before[answer], 10) << "of " << static_cast<int>(answer);
  for (const auto& [key, tighten] : all)
    EXPECT_GT(stricter[key], 0) << key << " decided nothing";
  config::SiteConfig site;
  // These say when and how often the site answers, not what.
  const std::set<std::string_view> of_time = {"policy.max_jobs_judged_per_day",
                                              "policy.answer_every_s"};
  for (const config::Field& field : config::fields_of(site))
    if (field.path.starts_with("policy.") && !of_time.contains(field.path)) {
      EXPECT_TRUE(all.contains(std::string(field.path.substr(7)))) << field.path;
    }
}

}  // namespace
}  // namespace sotto::participant
