// The entry points of the learning library: everything that the rest of the product needs of torch.
// This header includes no torch header. The contracts are those of training::ModelProvider.
#pragma once

#include <filesystem>
#include <memory>

#include "participant/training/model_provider.h"

namespace sotto::learning {

Result<FlatParameters> initial_model(const config::JobConfig& job);

Result<std::unique_ptr<training::Trainer>> make_trainer(const config::JobConfig& job,
                                                        const config::SiteResources& resources,
                                                        data::SiteExamples examples);

Result<std::unique_ptr<training::TextGenerator>> open_text_generator(
    const std::filesystem::path& folder);

Result<std::unique_ptr<training::EntityFinder>> open_entity_finder(
    const std::filesystem::path& folder);

Result<std::unique_ptr<training::Predictor>> open_predictor(const training::PredictorPlan& plan);

/// Returns the functions above as one provider, which has no state and is never destroyed.
training::ModelProvider& torch_models();

}  // namespace sotto::learning
