#include "participant/data/class_index.h"

#include <algorithm>

namespace sotto::learning {

ClassIndex::ClassIndex(const config::JobConfig& job, const std::vector<std::string>& declared)
    : names_(job.classes()), admitted_(names_.size(), true) {
  if (declared.empty()) return;
  const auto is_declared = [&](const std::string& label) {
    return std::ranges::find(declared, label) != declared.end();
  };
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (!job.is_token_classification())
      admitted_[i] = is_declared(names_[i]);
    else if (i > 0)  // O, B- of label 0, I- of label 0, B- of label 1, ...
      admitted_[i] = is_declared(job.task.labels[(i - 1) / 2]);
  }
}

std::optional<std::int64_t> ClassIndex::find(std::string_view name) const {
  const auto found = std::ranges::find(names_, name);
  const auto i = found - names_.begin();
  if (found == names_.end() || !admitted_[static_cast<std::size_t>(i)]) return std::nullopt;
  return i;
}

std::string ClassIndex::list() const {
  std::string out;
  for (std::size_t i = 0; i < names_.size(); ++i)
    if (admitted_[i]) out += (out.empty() ? "" : ", ") + names_[i];
  return out;
}

}  // namespace sotto::learning
