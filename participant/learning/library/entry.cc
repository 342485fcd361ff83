// Defines the one function that libsotto-learning.so exports.
#include "common/base/version.h"
#include "participant/learning/torch_models.h"
#include "participant/training/learning_library.h"

extern "C" __attribute__((visibility("default"))) sotto::training::LearningLibrary
sotto_learning() {
  return {.build_id = sotto::build_id(), .provider = &sotto::learning::torch_models()};
}
