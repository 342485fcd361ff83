// A trainer of one's own, in a whole federation. The model is a logistic regression over hashed
// words, without a learning library; coordinator, participants, secure aggregation, policies and
// privacy ledgers are those of Sotto's programs. Links and clock are simulated, so that the example
// ends within seconds; a program over a network gives the same objects to another Host.
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/config/parse.h"
#include "common/privacy/mechanisms/noise.h"
#include "common/simulation/simulation.h"
#include "common/tasks/sequence_classification.h"
#include "coordinator/driver/coordinator.h"
#include "participant/driver/participant.h"
#include "participant/protocol/guard.h"
#include "participant/protocol/randomness_log.h"
#include "participant/training/dp_steps.h"
#include "participant/training/model_provider.h"

using namespace sotto;

namespace {

constexpr std::uint32_t kMembers = 3;
constexpr std::size_t kBuckets = 64;  // words are hashed into so many features
constexpr std::size_t kValues = kBuckets + 1;

constexpr const char* kJob = R"({
  "name": "sentiment",
  "model": {"path": "model", "max_length": 32},
  "task": {"type": "sequence_classification", "labels": ["negative", "positive"]},
  "rounds": {"num_server_rounds": 10, "min_available_participants": 3},
  "secure_aggregation": {"max_colluders": 1},
  "differential_privacy": {"target_epsilon": 4, "target_delta": 1e-5, "clipping_norm": 1},
  "local_training": {"local_steps": 2, "sampling_rate": 0.2, "learning_rate": 4}
})";

template <class T>
T value_of(Result<T> result) {
  SOTTO_CHECK(result.ok(), result.error().message);
  return std::move(result).value();
}

// ---- The trainer

/// Returns the set of features of a text; the last one is the bias.
std::set<std::size_t> features_of(std::string_view text) {
  std::set<std::size_t> out{kBuckets};
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    std::uint32_t hash = 2166136261U;  // FNV-1a
    for (const char c : text.substr(begin, end - begin))
      hash = (hash ^ static_cast<std::uint8_t>(c)) * 16777619U;
    out.insert(hash % kBuckets);
    begin = end + 1;
  }
  return out;
}

double probability(std::span<const float> weights, const std::set<std::size_t>& features) {
  double logit = 0;
  for (const std::size_t feature : features)
    logit += static_cast<double>(weights[feature]);
  return 1 / (1 + std::exp(-logit));
}

class WordTrainer final : public training::Trainer {
 public:
  WordTrainer(const config::JobConfig& job, const privacy::DpSgdSteps& steps,
              data::SiteExamples examples)
      : job_(job), steps_(steps), examples_(std::move(examples)) {}

  Result<training::TrainedUpdate> train(
      const FlatParameters& model, std::uint64_t /*server_round*/, crypto::SecureRandom& random,
      const std::function<void(training::TrainingProgress)>& /*progress*/) override {
    if (model.values.size() != kValues) return Error{"the model is not this trainer's"};
    crypto::StreamRandom stream(random);
    std::vector<float> weights = model.values;
    for (std::uint32_t step = 0; step < job_.local_training.local_steps; ++step) {
      const std::vector<float> gradient = private_gradient(weights, stream);
      for (std::size_t i = 0; i < kValues; ++i)
        weights[i] -= static_cast<float>(job_.local_training.learning_rate) * gradient[i];
    }
    for (std::size_t i = 0; i < kValues; ++i)
      weights[i] -= model.values[i];
    return training::TrainedUpdate{FlatUpdate(std::move(weights)), steps_};
  }

  void keep() override {}  // training carries no state from one round to the next

  Result<std::vector<std::uint64_t>> evaluate(const FlatParameters& model) override {
    const auto task = job_.make_task();
    tasks::CounterSums sums = task->zero_sums();
    const auto reader = examples_.evaluation.source().reader(data::Purpose::kEvaluate);
    for (std::size_t i = 0; i < examples_.evaluation.size(); ++i) {
      SOTTO_ASSIGN_OR_RETURN(const data::ExampleView example, reader->read(i));
      const double p = probability(model.values, features_of(example.text));
      tasks::SequenceClassification::count(sums, example.label, p > 0.5 ? 1 : 0,
                                           -std::log(example.label == 1 ? p : 1 - p));
    }
    return task->in_steps(sums);
  }

  [[nodiscard]] const privacy::DpSgdSteps& steps_per_round() const override { return steps_; }

  [[nodiscard]] std::uint64_t training_units() const override {
    return examples_.training_examples;
  }

  [[nodiscard]] std::uint64_t evaluation_examples() const override {
    return examples_.evaluation_examples;
  }

  [[nodiscard]] std::vector<std::string> data_warnings() const override { return {}; }

 private:
  /// DP-SGD: a Poisson sample, gradients clipped one by one, noise on their sum, and a division by
  /// the expected size of the sample, because its true size would reveal who is in it.
  std::vector<float> private_gradient(std::span<const float> weights,
                                      crypto::StreamRandom& random) {
    const double clip = job_.differential_privacy.clipping_norm;
    std::vector<float> sum(kValues, 0.0F);
    const auto reader = examples_.train.source().reader(data::Purpose::kTrain);
    for (const std::uint64_t index :
         privacy::poisson_sample(examples_.train.size(), steps_.sampling_rate, random)) {
      const auto example = reader->read(index);
      if (!example.ok()) continue;  // contributes a gradient of zero
      const auto features = features_of(example->text);
      const double slope = probability(weights, features) - static_cast<double>(example->label);
      const double norm = std::abs(slope) * std::sqrt(static_cast<double>(features.size()));
      const double scaled = slope * std::min(1.0, clip / std::max(norm, 1e-12));
      for (const std::size_t feature : features)
        sum[feature] += static_cast<float>(scaled);
    }
    privacy::add_gaussian_noise(sum, steps_.noise_multiplier * clip, random);
    const double expected = steps_.sampling_rate * static_cast<double>(training_units());
    for (float& value : sum)
      value = static_cast<float>(static_cast<double>(value) / expected);
    return sum;
  }

  config::JobConfig job_;
  privacy::DpSgdSteps steps_;
  data::SiteExamples examples_;
};

class WordModels final : public training::ModelProvider {
 public:
  Result<FlatParameters> initial_model(const config::JobConfig&) override {
    return FlatParameters{{{"weights", {std::int64_t{kValues}}}},
                          std::vector<float>(kValues, 0.0F)};
  }

  Result<std::unique_ptr<training::Trainer>> make_trainer(const config::JobConfig& job,
                                                          const config::SiteResources&,
                                                          data::SiteExamples examples) override {
    SOTTO_ASSIGN_OR_RETURN(const privacy::DpSgdSteps steps,
                           training::dp_steps_per_round(job, examples.training_examples));
    return std::unique_ptr<training::Trainer>(
        std::make_unique<WordTrainer>(job, steps, std::move(examples)));
  }

  Result<std::unique_ptr<training::TextGenerator>> open_text_generator(
      const std::filesystem::path&) override {
    return Error{"this model generates no text"};
  }

  Result<std::unique_ptr<training::EntityFinder>> open_entity_finder(
      const std::filesystem::path&) override {
    return Error{"this model finds no entities"};
  }

  Result<std::unique_ptr<training::Predictor>> open_predictor(
      const training::PredictorPlan&) override {
    return Error{"this model answers no texts"};
  }

  void use_threads(std::uint32_t) override {}

  [[nodiscard]] training::BlasDescription blas_description() const override {
    return {.text = "none"};
  }
};

// ---- The federation

std::vector<data::Example> texts(std::uint64_t seed, std::size_t count) {
  static const std::vector<std::string> kWords[] = {{"bad", "dull", "slow", "broken"},
                                                    {"good", "fine", "quick", "lovely"}};
  static const std::vector<std::string> kOther{"the", "film", "was", "very", "a", "story"};
  crypto::StreamRandom random(seed);
  std::vector<data::Example> out;
  for (std::size_t i = 0; i < count; ++i) {
    const auto label = static_cast<std::int64_t>(random.below(2));
    std::string text = kWords[label][random.below(4)];
    for (int word = 0; word < 3; ++word)
      text += " " + kOther[random.below(kOther.size())];
    out.push_back({.text = text, .label = label});
  }
  return out;
}

/// Site holds what the process of a site opens: keys, guard, ledger. Its keys and noise come from a
/// seed, so that the example is repeatable; a program uses crypto::OsRandom for both.
struct Site {
  Site(std::uint64_t seed, const std::filesystem::path& folder)
      : random(seed),
        signing(crypto::SigningKey::generate(random)),
        guard(value_of(participant::Guard::open(folder / "guard.log"))),
        randomness(value_of(participant::RandomnessLog::open(folder / "genesis.log"))),
        ledger(value_of(privacy::PrivacyLedger::open(folder / "ledger.sqlite"))) {}

  crypto::StreamRandom random;
  crypto::SigningKey signing;
  participant::Guard guard;
  participant::RandomnessLog randomness;
  privacy::PrivacyLedger ledger;
};

/// Writes the job and the model's files, whose hashes are part of the job: a site accepts it only
/// with the same files. A trainer of one's own gives them whatever content identifies its model.
config::JobConfig load_job(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder / "model");
  std::ofstream(folder / "model" / "config.json") << "{\"model_type\": \"hashed words\"}";
  std::ofstream(folder / "model" / "vocab.txt") << "FNV-1a, 64 buckets\n";
  std::ofstream(folder / "job.json") << kJob;
  return config::load_job(folder / "job.json");
}

config::SiteConfig site_config(const config::JobConfig& job, const std::string& name) {
  config::SiteConfig site;
  site.data = {.dataset_id = name};
  site.data.training_examples = 600;
  site.data.evaluation_examples = 100;
  site.model_path = job.model.path;
  site.policy.delta = job.differential_privacy.target_delta;
  site.policy.max_epsilon = site.policy.max_epsilon_per_job = 4.01;  // the site's own limit
  site.policy.max_colluders = 1;
  site.policy.min_cohort = 3;
  site.policy.allowed_tasks = {job.task.type};
  return site;
}

/// A sink that prints the run and keeps the accuracy of the newest evaluation.
struct LastAccuracy : coordinator::RunEventSink {
  void on_event(const coordinator::RunEvent& event, std::uint64_t) override {
    if (const auto line = coordinator::describe(event); !line.text.empty())
      std::printf("%s\n", line.text.c_str());
    if (const auto* ended = std::get_if<coordinator::RoundEnded>(&event))
      if (ended->record.evaluation) accuracy = ended->record.evaluation->value("accuracy");
  }

  double accuracy = 0;
};

}  // namespace

int main(int argc, char** argv) {
  crypto::initialize_process();
  const std::filesystem::path folder = argc > 1 ? argv[1] : "custom_trainer_run";
  std::filesystem::remove_all(folder);
  const config::JobConfig job = load_job(folder);

  WordModels models;
  crypto::StreamRandom coordinator_random(1);
  const auto coordinator_key = crypto::SigningKey::generate(coordinator_random);
  config::Roster roster;
  roster.expiry_unix_s = std::numeric_limits<std::uint64_t>::max();
  roster.coordinator_signing_key = coordinator_key.verify_key();
  std::vector<std::unique_ptr<Site>> sites;
  for (std::uint32_t i = 1; i <= kMembers; ++i) {
    const std::string name = "site-" + std::to_string(i);
    std::filesystem::create_directories(folder / name);
    sites.push_back(std::make_unique<Site>(100 + i, folder / name));
    roster.members.push_back({.id = MemberId{i},
                              .signing_key = sites.back()->signing.verify_key(),
                              .transport_key = {static_cast<std::uint8_t>(i)},
                              .name = name});
  }

  LastAccuracy result;
  coordinator::RunEvents events([] { return std::uint64_t{0}; });
  events.add(result);
  simulation::Simulation simulation({});
  simulation.add(kCoordinatorId, [&](Host& host) {
    return std::make_unique<coordinator::Coordinator>(
        coordinator::CoordinatorOptions{.roster = roster,
                                        .job = job,
                                        .folder = folder / "run",
                                        .initial_model = value_of(models.initial_model(job))},
        host, coordinator_key, coordinator_random, events);
  });
  for (std::uint32_t i = 1; i <= kMembers; ++i)
    simulation.add(MemberId{i}, [&, i](Host& host) {
      Site& site = *sites[i - 1];
      return std::make_unique<participant::Participant>(
          participant::ParticipantOptions{
              .self = MemberId{i},
              .roster = roster,
              .site = site_config(job, roster.members[i - 1].name),
              .models = models,
              .read_examples =
                  [i](const config::JobConfig&, const config::SiteConfig& declared) {
                    return data::SiteExamples{
                        .train = texts(i, 600),
                        .evaluation = texts(50 + i, 100),
                        .training_examples = declared.data.training_examples,
                        .evaluation_examples = declared.data.evaluation_examples};
                  },
              .unix_now = [] { return std::uint64_t{0}; }},
          host, site.signing, site.random, site.guard, site.randomness, site.ledger,
          participant::ParticipantObserver{.on_log = {}, .on_warning = [](const std::string& text) {
                                             std::fprintf(stderr, "%s\n", text.c_str());
                                           }});
    });
  const int code = simulation.run().value_or(1);

  const double epsilon = value_of(sites[0]->ledger.spent("site-1", 1e-5));
  std::printf("accuracy %.1f %% at epsilon %.2f per example of a site\n", 100 * result.accuracy,
              epsilon);
  return code == 0 && result.accuracy > 0.9 && epsilon <= 4.01 ? 0 : 1;
}
