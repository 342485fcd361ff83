// Reads the labels and tags of a site's records as the numbers that a job's task gives them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/job.h"

namespace sotto::learning {

/// Immutable; any thread. Copies share the task.
class LabelReader {
 public:
  /// `declared` is the site's data.labels: classes of other labels are then not found. Empty: all
  /// classes of the job are.
  LabelReader(const config::JobConfig& job, const std::vector<std::string>& declared);

  [[nodiscard]] tasks::RecordForm form() const { return task_->form(); }

  /// Nothing when the label does not fit the job or was not declared.
  [[nodiscard]] std::optional<std::int64_t> find(std::string_view label) const;

  /// What is wrong with a record whose label find() does not find; the message does not show it.
  [[nodiscard]] std::string unknown_label() const;

 private:
  std::shared_ptr<const tasks::Task> task_;
  std::vector<std::string> classes_;
  std::vector<bool> admitted_;  // by class
};

}  // namespace sotto::learning
