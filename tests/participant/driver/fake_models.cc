#include "tests/participant/driver/fake_models.h"

#include <utility>

#include "common/job/plan.h"
#include "participant/training/dp_steps.h"

namespace sotto::training {
namespace {

std::vector<float> invented(std::uint64_t seed, std::size_t values, double largest) {
  crypto::StreamRandom random(seed);
  std::vector<float> out(values);
  for (float& value : out)
    value = static_cast<float>(largest * (2 * random.unit() - 1));
  return out;
}

}  // namespace

std::vector<float> fake_update(const FakeSettings& settings, std::uint64_t server_round) {
  return invented(settings.seed * 1000003 + server_round, settings.values, 0.001);
}

class FakeModels::FakeTrainer final : public Trainer {
 public:
  FakeTrainer(FakeModels& models, const config::JobConfig& job, privacy::DpSgdSteps steps,
              const data::SiteExamples& examples)
      : models_(models),
        counters_(job.make_task()->counters().size(), 0),
        steps_(steps),
        unit_(models.settings_.knows_persons ? job.unit() : privacy::ProtectedUnit::kExample),
        training_units_(declared(examples.declared_units(job), examples.train)),
        evaluation_examples_(declared(examples.evaluation_examples, examples.evaluation)) {
    // Every example counts, is correct and has a small loss; the first label is right each time.
    for (std::size_t i = 0; i < counters_.size() && i < 4; ++i)
      counters_[i] = evaluation_examples_;
  }

  static std::uint64_t declared(std::uint64_t size, const data::Examples& examples) {
    return size > 0 ? size : std::uint64_t{examples.size()};
  }

  Result<TrainedUpdate> train(const FlatParameters& model, std::uint64_t server_round,
                              crypto::SecureRandom&,
                              const std::function<void(TrainingProgress)>&) override {
    models_.trained_.push_back(server_round);
    models_.trained_on_[server_round] = model.hash();
    const FakeSettings& settings = models_.settings_;
    if (settings.before_training)
      if (Status fine = settings.before_training(server_round); !fine.ok()) return fine.error();
    if (model.values.size() != settings.values) return Error{"the model has another layout"};
    round_ = server_round;
    return TrainedUpdate{FlatUpdate(fake_update(settings, server_round)), steps_};
  }

  void keep() override { models_.kept_.push_back(round_); }

  Result<std::vector<std::uint64_t>> evaluate(const FlatParameters&) override { return counters_; }

  [[nodiscard]] const privacy::DpSgdSteps& steps_per_round() const override { return steps_; }

  [[nodiscard]] privacy::ProtectedUnit protected_unit() const override { return unit_; }

  [[nodiscard]] std::uint64_t training_units() const override { return training_units_; }

  [[nodiscard]] std::uint64_t evaluation_examples() const override { return evaluation_examples_; }

  [[nodiscard]] std::vector<std::string> data_warnings() const override { return {}; }

 private:
  FakeModels& models_;
  std::vector<std::uint64_t> counters_;
  privacy::DpSgdSteps steps_;
  privacy::ProtectedUnit unit_;
  std::uint64_t training_units_, evaluation_examples_;
  std::uint64_t round_ = 0;
};

Result<FlatParameters> FakeModels::initial_model(const config::JobConfig& job) {
  return FlatParameters{{{"weight", {static_cast<std::int64_t>(settings_.values)}}},
                        invented(job.seed, settings_.values, 1)};
}

Result<std::unique_ptr<Trainer>> FakeModels::make_trainer(const config::JobConfig& job,
                                                          const config::SiteResources&,
                                                          data::SiteExamples examples) {
  const auto steps =
      dp_steps_per_round(job, FakeTrainer::declared(examples.declared_units(job), examples.train));
  if (!steps.ok()) return steps.error();
  return std::unique_ptr<Trainer>(std::make_unique<FakeTrainer>(*this, job, *steps, examples));
}

Result<std::unique_ptr<TextGenerator>> FakeModels::open_text_generator(
    const std::filesystem::path&) {
  return Error{"a fake model generates no text"};
}

Result<std::unique_ptr<EntityFinder>> FakeModels::open_entity_finder(const std::filesystem::path&) {
  return Error{"a fake model finds no entity"};
}

Result<std::unique_ptr<Predictor>> FakeModels::open_predictor(const PredictorPlan&) {
  return Error{"a fake model answers no text"};
}

}  // namespace sotto::training
