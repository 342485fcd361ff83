// This header reads the memory that torch reports, for tests.
#pragma once

#include <c10/core/Allocator.h>

namespace sotto::learning {

namespace reported_memory {

template <class T>
struct TotalOf;

template <class Total>
struct TotalOf<void (c10::MemoryReportingInfoBase::*)(void*, std::int64_t, Total, Total,
                                                      c10::Device)> {
  using type = Total;
};

}  // namespace reported_memory

/// The type of a total: a signed number in torch 1.13, an unsigned one in later versions.
using ReportedTotal =
    reported_memory::TotalOf<decltype(&c10::MemoryReportingInfoBase::reportMemoryUsage)>::type;

}  // namespace sotto::learning
