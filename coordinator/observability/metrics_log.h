// MetricsLog writes metrics.jsonl: a line for each finished attempt at a round, which open() brings
// back into step with the checkpoint after a crash.
#pragma once

#include <filesystem>

#include "common/storage/file_descriptor.h"
#include "coordinator/observability/run_report.h"

namespace sotto::coordinator {

class MetricsLog {
 public:
  /// Opens the file and drops what a crash left ahead of the checkpoint: lines of done rounds after
  /// `finished_rounds`, and an incomplete last line. Throws StartupError when the file cannot be
  /// written.
  void open(const std::filesystem::path& file, std::uint64_t finished_rounds);
  /// Appends a line, durably. Called before the checkpoint that finishes the record's round is
  /// saved. Throws StartupError when the line cannot be written.
  void append(const RoundRecord& record);

 private:
  std::filesystem::path file_;
  storage::FileDescriptor out_;
  std::uint64_t end_ = 0;  // where the next line goes
};

}  // namespace sotto::coordinator
