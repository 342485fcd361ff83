// The device that the tests compute on: SOTTO_TEST_DEVICE, "cpu" (the default) or "cuda". A test
// that asks for it has the device's name among its properties, so that a report shows what ran
// there (scripts/dev/gpu_check.sh). A test that does not ask ran on the CPU.
#pragma once

#include <cmath>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "common/base/check.h"
#include "common/config/choices.h"

namespace sotto::learning {

/// Returns the device as site.json names it, and records it as the device of the running test.
inline config::Device test_device_setting() {
  const char* chosen = std::getenv("SOTTO_TEST_DEVICE");
  const std::string_view name = chosen == nullptr ? "cpu" : chosen;
  SOTTO_CHECK(name == "cpu" || name == "cuda", "SOTTO_TEST_DEVICE is neither cpu nor cuda");
  ::testing::Test::RecordProperty("device", std::string(name));
  return name == "cuda" ? config::Device::kCuda : config::Device::kCpu;
}

/// Returns the CPU whatever SOTTO_TEST_DEVICE is, for a test of what exists on the CPU alone.
inline config::Device cpu_alone() {
  ::testing::Test::RecordProperty("device", "cpu");
  return config::Device::kCpu;
}

inline at::Device test_device() {
  return test_device_setting() == config::Device::kCuda ? at::kCUDA : at::kCPU;
}

/// Returns the tensor, which was drawn on the CPU, on the test's device: the same numbers on every
/// device.
inline at::Tensor on_device(const at::Tensor& x) {
  return x.to(test_device());
}

/// True if the values are the same to the bit. A device other than the CPU adds the rows of equal
/// ids in any order, so that there the values may differ by rounding.
inline bool same_values(const at::Tensor& a, const at::Tensor& b) {
  if (test_device().is_cpu()) return at::equal(a, b);
  return a.sizes() == b.sizes() && (a - b).norm().item<double>() <= 1e-4 * b.norm().item<double>();
}

inline bool same_values(const std::vector<float>& a, const std::vector<float>& b) {
  return same_values(at::tensor(a), at::tensor(b));
}

}  // namespace sotto::learning
