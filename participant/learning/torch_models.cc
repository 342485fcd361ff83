#include "participant/learning/torch_models.h"

#include <utility>

#include "participant/learning/blas.h"
#include "participant/learning/transformer/job_model.h"

namespace sotto::learning {
namespace {

class TorchModels final : public training::ModelProvider {
 public:
  Result<FlatParameters> initial_model(const config::JobConfig& job) override {
    SOTTO_ASSIGN_OR_RETURN(const ModelSpec spec, spec_of(job));
    if (const auto tokenizer = tokenizer_of(job, spec.config); !tokenizer.ok())
      return tokenizer.error();
    return learning::initial_model(job);
  }

  Result<std::unique_ptr<training::Trainer>> make_trainer(const config::JobConfig& job,
                                                          const config::SiteResources& resources,
                                                          data::SiteExamples examples) override {
    return learning::make_trainer(job, resources, std::move(examples));
  }

  Result<std::unique_ptr<training::TextGenerator>> open_text_generator(
      const std::filesystem::path& folder) override {
    return learning::open_text_generator(folder);
  }

  Result<std::unique_ptr<training::EntityFinder>> open_entity_finder(
      const std::filesystem::path& folder) override {
    return learning::open_entity_finder(folder);
  }

  Result<std::unique_ptr<training::Predictor>> open_predictor(
      const training::PredictorPlan& plan) override {
    return learning::open_predictor(plan);
  }

  void use_threads(std::uint32_t threads) override { learning::use_threads(threads); }

  [[nodiscard]] training::BlasDescription blas_description() const override {
    return learning::blas_description();
  }
};

}  // namespace

training::ModelProvider& torch_models() {
  static TorchModels provider;
  return provider;
}

}  // namespace sotto::learning
