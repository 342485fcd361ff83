// A ModelProvider without a learning library: its model is a vector, and its trainers invent their
// updates. A test or a simulation runs the production Participant with it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "participant/training/model_provider.h"

namespace sotto::training {

struct FakeSettings {
  std::size_t values = 24;    // of the model
  std::uint64_t seed = 1;     // decides the updates; sites with different seeds send different ones
  bool knows_persons = true;  // false: its trainers protect examples, whatever the job says
  /// Called at the beginning of each train() with the server round. An Error, or an exception, is
  /// the outcome of that call.
  std::function<Status(std::uint64_t server_round)> before_training{};
};

/// The update of every trainer in server round `server_round`. It depends on nothing but the
/// settings and the round; each value is below 0.001 in magnitude.
std::vector<float> fake_update(const FakeSettings& settings, std::uint64_t server_round);

/// Accepts every job of any task. A trainer costs what the job says for the declared number of
/// examples, and evaluates each declared example as correct. The text generator, the entity
/// finder and the predictor are Errors. Not thread-safe: a trainer that runs on another thread than
/// the rest must not run at the same time.
class FakeModels final : public ModelProvider {
 public:
  explicit FakeModels(FakeSettings settings = {}) : settings_(std::move(settings)) {}

  Result<FlatParameters> initial_model(const config::JobConfig& job) override;
  Result<std::unique_ptr<Trainer>> make_trainer(const config::JobConfig& job,
                                                const config::SiteResources& resources,
                                                data::SiteExamples examples) override;
  Result<std::unique_ptr<TextGenerator>> open_text_generator(
      const std::filesystem::path& folder) override;
  Result<std::unique_ptr<EntityFinder>> open_entity_finder(
      const std::filesystem::path& folder) override;
  Result<std::unique_ptr<Predictor>> open_predictor(const PredictorPlan& plan) override;

  void use_threads(std::uint32_t) override {}

  [[nodiscard]] BlasDescription blas_description() const override { return {.text = "none"}; }

  /// The server rounds of all calls of train(), and of those whose update was kept.
  [[nodiscard]] const std::vector<std::uint64_t>& trained() const { return trained_; }

  [[nodiscard]] const std::vector<std::uint64_t>& kept() const { return kept_; }

  /// The hash of the model that the newest train() of each server round began with.
  [[nodiscard]] const std::map<std::uint64_t, Bytes32>& trained_on() const { return trained_on_; }

 private:
  class FakeTrainer;

  FakeSettings settings_;
  std::vector<std::uint64_t> trained_, kept_;
  std::map<std::uint64_t, Bytes32> trained_on_;
};

}  // namespace sotto::training
