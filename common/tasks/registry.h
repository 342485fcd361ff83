// The table of tasks. A new task needs one line in registry.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "common/tasks/task.h"

namespace sotto::tasks {

/// Returns the values of task.type, in the order of the table.
std::vector<std::string_view> task_names();

/// Returns the names of the figures of all tasks, each once: the values of stopping.metric.
std::vector<std::string_view> figure_names();

[[nodiscard]] bool is_task(std::string_view name);

/// Returns the task that `settings.type` names. The Error lists the names that exist.
Result<std::unique_ptr<const Task>> make_task(const TaskSettings& settings,
                                              std::uint32_t max_length);

}  // namespace sotto::tasks
