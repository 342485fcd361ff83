// LabelReader reads the labels and tags of a site's records as the numbers that a job's task
// assigns to them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/job.h"

namespace sotto::data {

/// Immutable; any thread may use it. Copies share the task.
class LabelReader {
 public:
  /// `declared` is the site's data.labels: find() does not accept classes of other labels. Empty:
  /// all classes of the job are accepted.
  LabelReader(const config::JobConfig& job, const std::vector<std::string>& declared);

  [[nodiscard]] tasks::RecordForm form() const { return task_->form(); }

  /// Returns the number of a label, or nothing when the label does not fit the job or was not
  /// declared.
  [[nodiscard]] std::optional<std::int64_t> find(std::string_view label) const;

  /// Returns the message for a record whose label find() does not accept; it does not contain the
  /// label.
  [[nodiscard]] std::string unknown_label() const;

 private:
  std::shared_ptr<const tasks::Task> task_;
  std::vector<std::string> classes_;
  std::vector<bool> admitted_;  // by class
};

}  // namespace sotto::data
