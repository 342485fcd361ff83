#include "participant/data/label_reader.h"

#include <algorithm>

namespace sotto::data {

LabelReader::LabelReader(const config::JobConfig& job, const std::vector<std::string>& declared)
    : task_(job.make_task()), classes_(task_->classes()), admitted_(classes_.size(), true) {
  if (declared.empty()) return;
  for (std::size_t i = 0; i < classes_.size(); ++i)
    if (const auto label = task_->label_of_class(i))
      admitted_[i] = std::ranges::find(declared, job.task.labels[*label]) != declared.end();
}

std::optional<std::int64_t> LabelReader::find(std::string_view label) const {
  if (classes_.empty()) return task_->label_number(label);
  const auto found = std::ranges::find(classes_, label);
  const auto i = found - classes_.begin();
  if (found == classes_.end() || !admitted_[static_cast<std::size_t>(i)]) return std::nullopt;
  return i;
}

std::string LabelReader::unknown_label() const {
  std::string out;
  for (std::size_t i = 0; i < classes_.size(); ++i)
    if (admitted_[i]) out += (out.empty() ? "" : ", ") + classes_[i];
  return task_->unknown_label(out);
}

}  // namespace sotto::data
