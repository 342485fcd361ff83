// A learning library of another build.
#include "participant/training/learning_library.h"

extern "C" sotto::training::LearningLibrary sotto_learning() {
  return {.build_id = "0.0.0 (another)", .provider = nullptr};
}
