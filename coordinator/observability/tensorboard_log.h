// RUN_FOLDER/tensorboard/: the rounds of a run as TensorBoard reads them (`tensorboard --logdir
// RUN_FOLDER`). Event files as TensorFlow writes them: records of length, masked CRC-32C and a
// protocol buffer (tensorflow/core/lib/io/record_writer.h, core/util/event.proto, core/framework/
// summary.proto). One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "coordinator/observability/run_report.h"

namespace sotto::coordinator {

/// Castagnoli's polynomial, as in RFC 3720, 12.1.
std::uint32_t crc32c(std::string_view bytes);

class TensorboardLog {
 public:
  /// A new file beside those of earlier processes. What these wrote about rounds after
  /// `finished_rounds` will not be shown. Throws StartupError when it cannot be made.
  void open(const std::filesystem::path& run, std::uint64_t finished_rounds, std::uint64_t unix_s);
  /// Scalars of an attempt: the figures of a done round, of a lost one that it was lost. For
  /// people, so a failure to write it stops nothing.
  void append(const RoundRecord& record, std::uint64_t unix_s);

 private:
  using Scalar = std::pair<std::string, double>;

  void write_scalars(std::uint64_t step, std::uint64_t unix_s, const std::vector<Scalar>& scalars);
  void write_record(std::string_view event);

  std::ofstream out_;
};

}  // namespace sotto::coordinator
