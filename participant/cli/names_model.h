// The model that a masking plan asks for, as masking sees it.
#pragma once

#include <memory>

#include "participant/deidentify/redaction/plan.h"
#include "participant/deidentify/redaction/span_finder.h"
#include "participant/training/model_provider.h"

namespace sotto::participant {

/// Finds the entities of the plan's labels. Throws StartupError when the folder holds no model of
/// token classification, or one without such a label.
std::unique_ptr<masking::SpanFinder> open_names_model(const masking::NamesModelPlan& plan,
                                                      training::ModelProvider& models);

}  // namespace sotto::participant
