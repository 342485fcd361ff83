// The table of tasks. A new task is one line in registry.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "common/tasks/task.h"

namespace sotto::tasks {

/// The values of task.type, in the order of the table.
std::vector<std::string_view> task_names();

/// The names of the figures of all tasks, each once: the values of stopping.metric.
std::vector<std::string_view> figure_names();

[[nodiscard]] bool is_task(std::string_view name);

/// The task that `settings.type` names. An Error lists the names that exist.
Result<std::unique_ptr<const Task>> make_task(const TaskSettings& settings,
                                              std::uint32_t max_length);

}  // namespace sotto::tasks
