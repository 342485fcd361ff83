#include "common/config/job.h"

#include "common/base/check.h"
#include "common/tasks/registry.h"

namespace sotto::config {

std::unique_ptr<const tasks::Task> JobConfig::make_task() const {
  auto made = tasks::make_task(task, model.max_length);
  SOTTO_CHECK(made.ok(), "a job was parsed with a task that does not exist");
  return std::move(made).value();
}

}  // namespace sotto::config
