// What tensors take, by torch's own count: on the thread that asks, allocator and system aside.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include <c10/util/ThreadLocalDebugInfo.h>

#include "tests/participant/learning/reported_memory.h"

namespace sotto::learning {

/// The most that the tensors made since take at once.
class PeakMemory final : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void* /*ptr*/, std::int64_t change, ReportedTotal /*allocated*/,
                         ReportedTotal /*reserved*/, c10::Device /*device*/) override {
    now_ += change;
    peak_ = std::max(peak_, now_);
  }

  [[nodiscard]] bool memoryProfilingEnabled() const override { return true; }

  [[nodiscard]] double bytes() const { return static_cast<double>(peak_); }

 private:
  std::int64_t now_ = 0, peak_ = 0;
};

/// Of work().
template <class Work>
double peak_bytes_of(Work work) {
  const auto memory = std::make_shared<PeakMemory>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, memory);
  work();
  return memory->bytes();
}

}  // namespace sotto::learning
