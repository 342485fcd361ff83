#include "common/tasks/registry.h"

#include <algorithm>
#include <array>
#include <string>

#include "common/tasks/causal_language_modeling.h"
#include "common/tasks/sequence_classification.h"
#include "common/tasks/sequence_regression.h"
#include "common/tasks/token_classification.h"

namespace sotto::tasks {

namespace {

struct Entry {
  std::string_view name;
  std::unique_ptr<const Task> (*make)(const TaskSettings&, std::uint32_t max_length);
};

template <class T>
constexpr Entry entry(std::string_view name) {
  return {name, [](const TaskSettings& settings, std::uint32_t max_length) {
            return std::unique_ptr<const Task>(std::make_unique<T>(settings, max_length));
          }};
}

constexpr std::array kTasks = {
    entry<SequenceClassification>("sequence_classification"),
    entry<TokenClassification>("token_classification"),
    entry<CausalLanguageModeling>("causal_language_modeling"),
    entry<SequenceRegression>("sequence_regression"),
};

}  // namespace

std::vector<std::string_view> task_names() {
  std::vector<std::string_view> out;
  for (const Entry& e : kTasks)
    out.push_back(e.name);
  return out;
}

std::vector<std::string_view> figure_names() {
  std::vector<std::string_view> out;
  for (const Entry& e : kTasks)
    for (const FigureKind& kind : e.make({}, 2)->figures())
      if (std::ranges::find(out, kind.name) == out.end()) out.push_back(kind.name);
  return out;
}

bool is_task(std::string_view name) {
  return std::ranges::any_of(kTasks, [&](const Entry& e) { return e.name == name; });
}

Result<std::unique_ptr<const Task>> make_task(const TaskSettings& settings,
                                              std::uint32_t max_length) {
  std::string names;
  for (const Entry& e : kTasks) {
    if (e.name == settings.type) return e.make(settings, max_length);
    names += (names.empty() ? "" : ", ") + std::string(e.name);
  }
  return Error{"there is no task \"" + settings.type + "\"; the tasks are " + names};
}

}  // namespace sotto::tasks
