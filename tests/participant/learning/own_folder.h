// An empty folder of the running test's own, for the model that it makes. It stays, to be looked
// at.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

namespace sotto::learning {

inline std::filesystem::path own_folder() {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  std::string name = std::string(test->test_suite_name()) + "." + test->name();
  std::replace(name.begin(), name.end(), '/', '_');  // of a test with parameters
  std::filesystem::path folder = std::filesystem::path(SOTTO_BINARY_DIR) / "learning_test" / name;
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder;
}

}  // namespace sotto::learning
