// metrics.jsonl: a line for each finished attempt at a round, in step with the checkpoint over
// crashes.
#pragma once

#include <filesystem>

#include "common/storage/file_descriptor.h"
#include "coordinator/observability/run_report.h"

namespace sotto::coordinator {

class MetricsLog {
 public:
  /// Drops what a crash left ahead of the checkpoint: lines of done rounds after `finished_rounds`,
  /// and a torn last line. Throws StartupError when the file cannot be written.
  void open(const std::filesystem::path& file, std::uint64_t finished_rounds);
  /// Before the checkpoint that finishes the record's round is saved. Throws StartupError when it
  /// cannot be written.
  void append(const RoundRecord& record);

 private:
  std::filesystem::path file_;
  journal::FileDescriptor out_;
  std::uint64_t end_ = 0;  // where the next line goes
};

}  // namespace sotto::coordinator
