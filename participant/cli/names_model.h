// The NER model of a redaction plan, as a SpanFinder.
#pragma once

#include <memory>

#include "participant/deidentify/redaction/plan.h"
#include "participant/deidentify/redaction/span_finder.h"
#include "participant/training/model_provider.h"

namespace sotto::participant {

/// Returns a finder for the entities of the plan's labels. Throws StartupError if the folder holds
/// no model for token classification, or one without such a label.
std::unique_ptr<redaction::SpanFinder> open_names_model(const redaction::NamesModelPlan& plan,
                                                        training::ModelProvider& models);

}  // namespace sotto::participant
