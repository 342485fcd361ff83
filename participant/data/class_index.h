// The classes of a job by name, as a site's records name them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/job.h"

namespace sotto::learning {

/// Immutable; any thread.
class ClassIndex {
 public:
  /// The job's classes(). `declared` is the site's data.labels: classes of other labels are then
  /// not found. Empty: all are.
  ClassIndex(const config::JobConfig& job, const std::vector<std::string>& declared);

  /// True for a job without classes: its records are texts alone.
  [[nodiscard]] bool empty() const { return names_.empty(); }

  [[nodiscard]] std::optional<std::int64_t> find(std::string_view name) const;

  /// Those that find() finds, "a, b, c", for messages.
  [[nodiscard]] std::string list() const;

 private:
  std::vector<std::string> names_;
  std::vector<bool> admitted_;
};

}  // namespace sotto::learning
