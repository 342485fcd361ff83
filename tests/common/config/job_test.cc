// Claims about reading job.json and site.json (docs/configuration.md).
#include <gtest/gtest.h>

#include "common/crypto/hash.h"
#include "tests/common/config/samples.h"

namespace sotto::config {
namespace {

using samples::kJob;
using samples::kSite;
using samples::with;

std::vector<std::string> errors_of(std::string_view text,
                                   const std::vector<std::string>& overrides = {}) {
  const Parsed<JobConfig> parsed = parse_job(text, "job.json", overrides);
  const auto* errors = std::get_if<ConfigErrors>(&parsed);
  return errors == nullptr ? std::vector<std::string>{} : errors->lines;
}

JobConfig job_of(std::string_view text, const std::vector<std::string>& overrides = {}) {
  Parsed<JobConfig> parsed = parse_job(text, "job.json", overrides);
  if (const auto* errors = std::get_if<ConfigErrors>(&parsed)) {
    ADD_FAILURE() << errors->joined();
    return {};
  }
  return std::get<JobConfig>(std::move(parsed));
}

/// The one error of the text.
std::string error_of(std::string_view text, const std::vector<std::string>& overrides = {}) {
  const std::vector<std::string> errors = errors_of(text, overrides);
  EXPECT_EQ(errors.size(), 1u) << ConfigErrors{errors}.joined();
  return errors.empty() ? "" : errors.front();
}

void expect_contains(const std::string& text, std::string_view part) {
  EXPECT_NE(text.find(part), std::string::npos) << text << "\nlacks\n" << part;
}

TEST(JobFile, KeepsWhatItSaysAndTakesDefaultsForTheRest) {
  const JobConfig job = job_of(kJob);
  EXPECT_EQ(job.name, "intents");
  EXPECT_EQ(job.model.max_length, 32u);
  EXPECT_EQ(job.task.labels, (std::vector<std::string>{"yes", "no"}));
  EXPECT_EQ(job.rounds.num_server_rounds, 20u);
  EXPECT_TRUE(job.secure_aggregation.enabled);
  EXPECT_EQ(job.differential_privacy.target_epsilon, 8);
  EXPECT_EQ(job.local_training.optimizer, LocalOptimizer::kAdam);
}

TEST(JobFile, AllowsCommentsAndASchemaLine) {
  const std::string text =
      with(kJob, "{\n  \"name\"", "// why\n{\"$schema\": \"x\",\n  /* y */ \"name\"");
  EXPECT_EQ(job_of(text).canonical, job_of(kJob).canonical);
}

TEST(JobFile, SyntaxErrorsNameLineAndColumn) {
  expect_contains(error_of("{\n  \"name\": \"x\",\n  \"seed\" 3\n}"),
                  "job.json: line 3, column 10: ");
  expect_contains(error_of(""), "line 1, column 1: ");
  expect_contains(error_of("[1]"), "the file must hold one object");
}

TEST(JobFile, ARepeatedKeyIsAnErrorWithItsPath) {
  expect_contains(
      error_of(with(kJob, "\"max_length\": 32", "\"max_length\": 32, \"max_length\": 64")),
      "job.json: $.model.max_length: this key occurs twice");
  expect_contains(
      error_of(with(kJob, "\"name\": \"intents\"", "\"name\": \"intents\", \"name\": \"b\"")),
      "$.name: this key occurs twice");
}

TEST(JobFile, ARepeatedSectionIsAnError) {
  expect_contains(error_of(with(kJob, "\"local_training\"",
                                "\"rounds\": {\"num_server_rounds\": 1}, \"local_training\"")),
                  "$.rounds: this key occurs twice");
}

TEST(JobFile, AnUnknownKeyNamesTheNearestOne) {
  expect_contains(error_of(with(kJob, "\"expected_batch_size\"",
                                "\"learning_rat\": 1, \"expected_batch_size\"")),
                  "$.local_training.learning_rat: unknown key, did you mean "
                  "local_training.learning_rate?");
  expect_contains(error_of(with(kJob, "\"name\"", "\"target_epsilon\": 4, \"name\"")),
                  "did you mean differential_privacy.target_epsilon?");
  expect_contains(error_of(with(kJob, "\"name\"", "\"privacy_zzzzzzzzzzz\": 4, \"name\"")),
                  "the keys of this section are name, seed");
}

TEST(JobFile, AValueOutOfRangeNamesTheRange) {
  expect_contains(error_of(with(kJob, "20", "0")),
                  "$.rounds.num_server_rounds: found 0; allowed: an integer from 1 to 1000000");
  expect_contains(error_of(with(kJob, "20", "20.0")),
                  "found 20 with a point or an exponent; allowed: an integer");
  expect_contains(error_of(with(kJob, "20", "-1")), "found -1");
  expect_contains(error_of(with(kJob, "20", "\"20\"")), "found \"20\"");
  expect_contains(error_of(kJob, {"differential_privacy.target_delta=1"}),
                  "allowed: a number above 0 and below 1");
  expect_contains(error_of(kJob, {"differential_privacy.target_delta=0"}), "above 0");
  expect_contains(error_of(kJob, {"local_training.optimizer=adamw"}),
                  "found \"adamw\"; allowed: one of \"adam\", \"sgd\"");
  expect_contains(error_of(with(kJob, "20", "1e999")), "number overflow");
}

TEST(JobFile, ASectionMustBeAnObject) {
  expect_contains(
      error_of(with(kJob, "{\"expected_batch_size\": 64}", "64"), {"local_training.local_steps=2"}),
      "$.local_training: found 64; this key is a section");
}

TEST(JobFile, AllMistakesComeAtOnce) {
  const std::vector<std::string> errors = errors_of(R"({
    "nmae": "x",
    "model": {"path": "m", "max_length": 1},
    "task": {"type": "poetry", "labels": ["a"]},
    "rounds": {"num_server_rounds": 1, "num_server_rounds": 2},
    "local_training": {"expected_batch_size": 1, "sampling_rate": 0.5}
  })");
  EXPECT_EQ(errors.size(), 8u) << ConfigErrors{errors}.joined();
  for (const std::string& line : errors)
    EXPECT_EQ(line.rfind("job.json: $.", 0), 0u) << line;
}

TEST(JobFile, ExactlyOneOfBatchSizeAndSamplingRate) {
  expect_contains(error_of(with(kJob, "64}", "64, \"sampling_rate\": 0.1}")), "found both");
  expect_contains(error_of(with(kJob, "64}", "0}")), "found neither");
  EXPECT_EQ(job_of(with(kJob, "\"expected_batch_size\": 64", "\"sampling_rate\": 0.1"))
                .local_training.sampling_rate,
            0.1);
}

TEST(JobFile, TheServerOptimizerIsOneThatIsRegistered) {
  EXPECT_EQ(job_of(kJob, {"server_optimizer.type=fedyogi"}).server_optimizer.type, "fedyogi");
  expect_contains(error_of(kJob, {"server_optimizer.type=fedadagrad"}),
                  "allowed: one of \"fedavg\", \"fedadam\", \"fedyogi\"");
}

TEST(JobFile, LabelsAreDistinct) {
  expect_contains(error_of(with(kJob, "\"no\"", "\"yes\"")), "\"yes\" occurs twice");
}

TEST(JobFile, LanguageModelingHasNoLabelsAndClassificationTwo) {
  const std::string language =
      with(kJob, "\"type\": \"sequence_classification\"", "\"type\": \"causal_language_modeling\"");
  expect_contains(error_of(language), "$.task.labels: language modelling has no labels");
  const JobConfig job = job_of(with(language, ", \"labels\": [\"yes\", \"no\"]", ""));
  EXPECT_EQ(job.make_task()->title(), "causal language modelling");
  EXPECT_EQ(job_of(kJob).make_task()->title(), "sequence classification");
  expect_contains(error_of(with(kJob, ", \"labels\": [\"yes\", \"no\"]", "")),
                  "$.task.labels: found 0; needed: the names of at least 2 classes");
}

TEST(JobFile, TheMetricThatEndsARunIsOneThatTheTaskHas) {
  expect_contains(
      error_of(with(kJob, "\"name\"", "\"stopping\": {\"metric\": \"perplexity\"}, \"name\"")),
      "$.stopping.metric: found \"perplexity\", which is not a metric of this task");
  EXPECT_EQ(job_of(kJob, {"stopping.metric=macro_f1"}).stopping.metric, "macro_f1");
}

TEST(JobFile, TokenClassificationNamesKindsOfEntitiesAndNoTags) {
  const std::string tokens =
      with(kJob, "\"type\": \"sequence_classification\"", "\"type\": \"token_classification\"");
  const JobConfig job = job_of(tokens, {R"(task.labels=["PER"])"});
  EXPECT_EQ(job.make_task()->classes(), (std::vector<std::string>{"O", "B-PER", "I-PER"}));
  EXPECT_EQ(job_of(kJob).make_task()->classes(), job_of(kJob).task.labels);
  expect_contains(error_of(tokens, {"task.labels=[]"}),
                  "$.task.labels: found 0; needed: the kinds of entities");
  for (const char* tag : {"O", "B-PER", "I-PER"})
    expect_contains(error_of(tokens, {"task.labels=[\"LOC\",\"" + std::string(tag) + "\"]"}),
                    "$.task.labels: \"" + std::string(tag) + "\" is a tag");
  expect_contains(error_of(tokens, {R"(task.labels=["a b"])"}), "contains a blank");
}

TEST(JobFile, LoraNamesItsModulesAndItsRank) {
  const JobConfig job = job_of(kJob, {"lora.r=8", "lora.target_modules=[\"query\",\"value\"]",
                                      "lora.layers_to_transform=[0,3]"});
  EXPECT_EQ(job.lora.r, 8u);
  EXPECT_EQ(job.lora.target_modules, (std::vector<std::string>{"query", "value"}));
  EXPECT_EQ(job.lora.layers_to_transform, (std::vector<std::uint32_t>{0, 3}));
  expect_contains(job.canonical, R"("layers_to_transform":[0,3],"r":8)");
  expect_contains(error_of(kJob, {"lora.r=8"}), "$.lora.target_modules: lora.r requests adapters");
  expect_contains(error_of(kJob, {"lora.target_modules=[\"query\"]"}), "$.lora.r: found 0");
  expect_contains(error_of(kJob, {"lora.r=8", "lora.target_modules=[\"q\"]",
                                  "lora.layers_to_transform=[1,-1]"}),
                  "$.lora.layers_to_transform: found a list of 2; allowed: a list of at most");
  expect_contains(error_of(kJob, {"lora.dropout=1"}), "allowed: a number from 0 to below 1");
}

TEST(JobFile, CohortLeavesTwoBesideTheColludersUnderSecureAggregation) {
  expect_contains(error_of(kJob, {"secure_aggregation.max_colluders=3"}),
                  "$.secure_aggregation.max_colluders: found 3; allowed: at most");
  EXPECT_EQ(job_of(kJob, {"secure_aggregation.max_colluders=2"}).secure_aggregation.max_colluders,
            2u);
  EXPECT_FALSE(
      job_of(kJob, {"secure_aggregation.max_colluders=3", "secure_aggregation.enabled=false"})
          .secure_aggregation.enabled);
}

TEST(JobFile, NoiseInsideTheSumNeedsSecureAggregation) {
  const std::string on = "distributed_privacy.enabled=true";
  EXPECT_TRUE(job_of(kJob, {on}).distributed_privacy.enabled);
  expect_contains(error_of(kJob, {on, "secure_aggregation.enabled=false"}),
                  "$.distributed_privacy.enabled: this needs secure_aggregation.enabled");
  const std::string counters = "evaluation.counter_noise_multiplier=3";
  EXPECT_EQ(job_of(kJob, {counters}).evaluation.counter_noise_multiplier, 3);
  expect_contains(error_of(kJob, {counters, "secure_aggregation.enabled=false"}),
                  "$.evaluation.counter_noise_multiplier: this needs secure_aggregation.enabled");
  expect_contains(error_of(kJob, {on, "distributed_privacy.mechanism=laplace"}),
                  "found \"laplace\"; allowed: one of \"discrete_gaussian\", \"skellam\"");
  expect_contains(error_of(kJob, {on, "distributed_privacy.clipping_norm=0"}), "from 1e-30");
}

TEST(JobFile, ARuleBetweenFieldsIsSilentAboutFieldsThatAreWrongThemselves) {
  const std::string error = error_of(
      with(kJob, "\"min_available_participants\": 4", "\"min_available_participants\": \"four\""));
  expect_contains(error, "$.rounds.min_available_participants: found \"four\"");
}

TEST(JobFile, OverridesReplaceValuesAndAreCheckedLikeThem) {
  EXPECT_EQ(job_of(kJob, {"rounds.num_server_rounds=7"}).rounds.num_server_rounds, 7u);
  EXPECT_FALSE(job_of(kJob, {"differential_privacy.enabled=false"}).differential_privacy.enabled);
  EXPECT_EQ(job_of(kJob, {"name=123"}).name, "123");
  EXPECT_EQ(job_of(kJob, {R"(task.labels=["a","b","c"])"}).task.labels.size(), 3u);
  expect_contains(error_of(kJob, {"rounds.num_server_round=7"}),
                  "did you mean rounds.num_server_rounds?");
  expect_contains(error_of(kJob, {"rounds.num_server_rounds"}),
                  "--set needs an argument of the form path=value");
  expect_contains(error_of(kJob, {"rounds.num_server_rounds=many"}), "found \"many\"");
}

TEST(JobFile, TextThatIsNotUtf8IsRefusedFromFileAndOverride) {
  EXPECT_FALSE(errors_of(with(kJob, "\"no\"", "\"\xff\"")).empty());
  EXPECT_FALSE(errors_of(kJob, {"model.path=\xff"}).empty());
}

TEST(JobFile, DeepNestingIsRefused) {
  expect_contains(error_of(std::string(100000, '[')), "the nesting is deeper than 16 levels");
}

// Jobs that protect examples keep their hashes; a participant of an older version declines the
// others, because it does not know the keys.
TEST(CanonicalJob, HasTheUnitOnlyWhereItIsPersons) {
  const JobConfig examples = job_of(kJob);
  EXPECT_EQ(examples.unit(), privacy::ProtectedUnit::kExample);
  EXPECT_EQ(job_of(kJob, {"differential_privacy.unit=example"}).hash, examples.hash);
  const JobConfig persons = job_of(kJob, {"differential_privacy.unit=person"});
  EXPECT_TRUE(persons.protects_persons());
  EXPECT_EQ(persons.differential_privacy.examples_per_person, 10U);
  expect_contains(persons.canonical, R"("examples_per_person":10,)");
  expect_contains(persons.canonical, R"("unit":"person")");
  EXPECT_NE(job_of(kJob, {"differential_privacy.unit=person",
                          "differential_privacy.examples_per_person=5"})
                .hash,
            persons.hash);
  EXPECT_FALSE(
      job_of(kJob, {"differential_privacy.unit=person", "differential_privacy.enabled=false"})
          .protects_persons());
}

TEST(JobFile, OnlyPersonsHaveANumberOfExamples) {
  expect_contains(error_of(kJob, {"differential_privacy.examples_per_person=5"}),
                  "$.differential_privacy.examples_per_person: only the unit \"person\"");
  expect_contains(error_of(kJob, {"differential_privacy.unit=person",
                                  "differential_privacy.examples_per_person=0"}),
                  "from 1 to 1000");
  expect_contains(error_of(kJob, {"differential_privacy.unit=patient"}), "\"person\"");
}

TEST(CanonicalJob, HasSortedKeysNoSpaceAndEveryDefault) {
  const std::string zeros(64, '0');
  EXPECT_EQ(
      job_of(kJob).canonical,
      R"({"differential_privacy":{"clipping":"flat","clipping_norm":1,)"
      R"("clipping_quantile":0.5,"clipping_rate":0.2,"count_noise_multiplier":10,"enabled":true,)"
      R"("noise_multiplier":0,"spare_rounds":0,)"
      R"("target_delta":1e-05,"target_epsilon":8},"distributed_privacy":{"clipping_norm":1,)"
      R"("enabled":false,"mechanism":"discrete_gaussian","noise_multiplier":0,)"
      R"("target_delta":1e-05,"target_epsilon":8},)"
      R"("evaluation":{"counter_noise_multiplier":0},"local_training":{"expected_batch_size":64,)"
      R"("learning_rate":0.001,"learning_rate_schedule":"constant","local_steps":1,)"
      R"("momentum":0,"optimizer":"adam","physical_batch_size":64,"proximal_mu":0,)"
      R"("sampling_rate":0,"weight_decay":0},)"
      R"("lora":{"alpha":16,"dropout":0,"layers_to_transform":[],"r":0,"target_modules":[]},)"
      R"("model":{"config_hash":")" +
          zeros + R"(","max_length":32,"vocab_hash":")" + zeros + R"(","weights_hash":")" + zeros +
          R"("},"name":"intents","rounds":{"answer_every_s":0,"attempts_per_round":5,"fraction_train":1,)"
          R"("min_available_participants":4,"num_server_rounds":20,"phase_timeout_s":60,)"
          R"("training_timeout_s":3600},"secure_aggregation":{)"
          R"("cohort_size":0,"enabled":true,"expected_dropout_percent":10,"full_graph_max":256,)"
          R"("max_colluders":0,"max_update_norm":100,"model_lineage":false,)"
          R"("quantization_bits":16,"value_range":1},"seed":0,"server_optimizer":{)"
          R"("beta1":0.9,"beta2":0.99,"learning_rate":1,"tau":0.001,"type":"fedavg"},)"
          R"("stopping":{"max_wall_time_s":0,"metric":"loss","min_improvement":0,"patience":0,)"
          R"("target":0,"when_budget_spent":false},)"
          R"("task":{"labels":["yes","no"],"type":"sequence_classification"}})");
}

TEST(CanonicalJob, DependsOnMeaningAlone) {
  const std::string reordered = R"({"local_training": {"expected_batch_size": 64, "momentum": -0.0},
    "rounds": {"min_available_participants": 4, "num_server_rounds": 20, "fraction_train": 1},
    "task": {"labels": ["y\u0065s", "no"], "type": "sequence_classification"},
    "model": {"max_length": 32, "path": "/somewhere/else"},
    "differential_privacy": {"target_epsilon": 8.0, "target_delta": 0.00001}, "name": "intents"})";
  EXPECT_EQ(job_of(reordered).canonical, job_of(kJob).canonical);
  EXPECT_EQ(job_of(reordered).hash, job_of(kJob).hash);
}

TEST(CanonicalJob, EverySharedValueChangesTheHash) {
  const Bytes32 hash = job_of(kJob).hash;
  EXPECT_EQ(hash, crypto::hash("SOTTO job", {view_of(job_of(kJob).canonical)}));
  for (const char* change :
       {"seed=1", "differential_privacy.target_delta=1.0000000000000002e-05",
        "task.labels=[\"no\",\"yes\"]", "secure_aggregation.enabled=false", "name=intent"})
    EXPECT_NE(job_of(kJob, {change}).hash, hash) << change;
}

/// A job as load_job would make it: with the hashes of the model's files.
std::string sent_job() {
  return job_of(kJob,
                {"secure_aggregation.max_colluders=1", "model.config_hash=" + std::string(64, 'a'),
                 "model.vocab_hash=" + std::string(64, 'b')})
      .canonical;
}

TEST(ReceivedJob, IsReadFromItsCanonicalBytes) {
  const Parsed<JobConfig> parsed = parse_received_job(sent_job());
  ASSERT_TRUE(std::holds_alternative<JobConfig>(parsed)) << std::get<ConfigErrors>(parsed).joined();
  const auto& job = std::get<JobConfig>(parsed);
  EXPECT_EQ(job.canonical, sent_job());
  EXPECT_EQ(to_hex(job.model.config_hash), std::string(64, 'a'));
  EXPECT_EQ(to_hex(job.model.vocab_hash), std::string(64, 'b'));
  EXPECT_TRUE(job.model.path.empty());
}

TEST(ReceivedJob, OtherBytesOfTheSameJobAreRefused) {
  for (const std::string& other : {sent_job() + " ", with(sent_job(), "\"seed\":0,", ""),
                                   with(sent_job(), "\"seed\":0", "\"seed\":0 // x\n"),
                                   with(sent_job(), std::string(64, 'a'), std::string(64, 'A'))})
    EXPECT_TRUE(std::holds_alternative<ConfigErrors>(parse_received_job(other))) << other;
}

TEST(ReceivedJob, NeedsTheModelHashes) {
  // The weights' hash too where LoRA leaves them alone.
  const std::vector<std::string> hashes = {"model.config_hash=" + std::string(64, 'a'),
                                           "model.vocab_hash=" + std::string(64, 'b'), "lora.r=4",
                                           "lora.target_modules=[\"query\"]"};
  EXPECT_TRUE(
      std::holds_alternative<ConfigErrors>(parse_received_job(job_of(kJob, hashes).canonical)));
  EXPECT_TRUE(std::holds_alternative<ConfigErrors>(parse_received_job(job_of(kJob).canonical)));
}

TEST(SiteFile, IsReadWithItsPolicy) {
  const Parsed<SiteConfig> parsed = parse_site(kSite, "site.json");
  ASSERT_TRUE(std::holds_alternative<SiteConfig>(parsed))
      << std::get<ConfigErrors>(parsed).joined();
  const auto& site = std::get<SiteConfig>(parsed);
  EXPECT_EQ(site.model_path, "model");
  EXPECT_EQ(site.policy.max_epsilon_per_job, 4);
  EXPECT_TRUE(site.policy.require_secure_aggregation);
  EXPECT_EQ(site.policy.allowed_tasks, std::vector<std::string>{"sequence_classification"});
}

TEST(SiteFile, NamesTheColumnsOfItsData) {
  const std::vector<std::string> overrides = {"data.format=csv", "data.columns.text=question",
                                              "data.columns.label=intent",
                                              "data.columns.person=patient"};
  const auto site = std::get<SiteConfig>(parse_site(kSite, "site.json", overrides));
  EXPECT_EQ(site.data.layout.format, DataFormat::kCsv);
  EXPECT_EQ(site.data.layout.text, "question");
  EXPECT_EQ(site.data.layout.label, "intent");
  EXPECT_EQ(site.data.layout.person, "patient");
}

TEST(SiteFile, RefusesWhatContradictsItself) {
  for (const char* change :
       {"policy.max_epsilon_per_job=9", "policy.min_cohort=2", "data.evaluation=train.tsv",
        "policy.allowed_tasks=[\"poetry\"]", "policy.allowed_tasks=[]",
        "policy.allowed_models=[\"t5\"]", "policy.allowed_coordinators=[\"aurora\"]",
        "policy.hours=[\"at night\"]", "policy.require_approval=always", "data.format=xlsx",
        "data.columns.label=label", "data.columns.person=patient", "data.columns.pair=text_b"}) {
    const std::vector<std::string> overrides = {change};
    EXPECT_TRUE(std::holds_alternative<ConfigErrors>(parse_site(kSite, "site.json", overrides)))
        << change;
  }
  for (const auto& [one, other] :
       {std::pair{"policy.min_noise_multiplier=1", "policy.require_differential_privacy=false"},
        std::pair{"policy.max_participant_epsilon=4", "policy.require_secure_aggregation=false"}}) {
    const std::vector<std::string> overrides = {one, other};
    EXPECT_TRUE(std::holds_alternative<ConfigErrors>(parse_site(kSite, "site.json", overrides)))
        << one;
  }
}

}  // namespace
}  // namespace sotto::config
