// TensorboardLog is a sink that writes the rounds of a run for TensorBoard (`tensorboard --logdir
// RUN_FOLDER`) to RUN_FOLDER/tensorboard/. The event files have TensorFlow's format: records of
// length, masked CRC-32C and a protocol buffer (tensorflow/core/lib/io/record_writer.h,
// core/util/event.proto, core/framework/summary.proto). One thread.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "coordinator/observability/run_events.h"

namespace sotto::coordinator {

/// CRC-32 with Castagnoli's polynomial, as in RFC 3720, 12.1.
std::uint32_t crc32c(std::string_view bytes);

class TensorboardLog final : public RunEventSink {
 public:
  /// RunStarted: creates a new file beside those of earlier processes; throws StartupError when it
  /// cannot. TensorBoard does not show what those files contain about rounds after the finished
  /// ones. RoundEnded: writes the figures of a done round, or that the round was lost. The figures
  /// are for people, so a failure to write them is ignored.
  void on_event(const RunEvent& event, std::uint64_t unix_s) override;

 private:
  void open(const RunStarted& started, std::uint64_t unix_s);
  void append(const RoundRecord& record, std::uint64_t unix_s);

  using Scalar = std::pair<std::string, double>;

  void write_scalars(std::uint64_t step, std::uint64_t unix_s, const std::vector<Scalar>& scalars);
  void write_record(std::string_view event);

  std::ofstream out_;
};

}  // namespace sotto::coordinator
