#include "participant/learning/tasks/task_learning_torch.h"

#include <string_view>

#include "common/base/check.h"

namespace sotto::learning {

using MakeTask = std::unique_ptr<const TaskLearning>(const tasks::TaskSettings& settings,
                                                     std::uint32_t max_length);
// Each is defined in the file of the same name.
MakeTask learn_sequence_classification, learn_token_classification, learn_causal_language_modeling,
    learn_sequence_regression;

namespace {

struct Entry {
  std::string_view name;
  MakeTask* make;
};

constexpr Entry kTasks[] = {
    {"sequence_classification", learn_sequence_classification},
    {"token_classification", learn_token_classification},
    {"causal_language_modeling", learn_causal_language_modeling},
    {"sequence_regression", learn_sequence_regression},
};

}  // namespace

std::unique_ptr<const TaskLearning> make_task_learning(const config::JobConfig& job) {
  for (const Entry& e : kTasks)
    if (e.name == job.task.type) return e.make(job.task, job.model.max_length);
  SOTTO_CHECK(false, "a task has no torch half");
  return nullptr;
}

}  // namespace sotto::learning
