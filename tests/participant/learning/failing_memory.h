// Memory that fails, for tests: torch reports every allocation of a tensor on the thread that asks,
// and the report may throw.
#pragma once

#include <cstdint>
#include <memory>
#include <new>

#include <c10/util/ThreadLocalDebugInfo.h>

#include "tests/participant/learning/reported_memory.h"

namespace sotto::learning {

/// Counts allocations, and fails one of them.
class FailingMemory final : public c10::MemoryReportingInfoBase {
 public:
  explicit FailingMemory(std::int64_t failing) : failing_(failing) {}

  void reportMemoryUsage(void* /*ptr*/, std::int64_t change, ReportedTotal /*allocated*/,
                         ReportedTotal /*reserved*/, c10::Device /*device*/) override {
    if (change > 0 && ++count_ == failing_) throw std::bad_alloc();
  }

  [[nodiscard]] bool memoryProfilingEnabled() const override { return true; }

  [[nodiscard]] std::int64_t count() const { return count_; }

 private:
  std::int64_t failing_, count_ = 0;
};

/// Runs work() with its allocation number `failing` (from 1) throwing std::bad_alloc; 0: none.
/// Returns how many there were.
template <class Work>
std::int64_t with_failing_allocation(std::int64_t failing, Work work) {
  const auto memory = std::make_shared<FailingMemory>(failing);
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, memory);
  work();
  return memory->count();
}

template <class Work>
std::int64_t allocations_of(Work work) {
  return with_failing_allocation(0, work);
}

}  // namespace sotto::learning
