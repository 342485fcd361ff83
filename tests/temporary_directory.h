// A directory of one test's own, removed at its end.
#pragma once

#include <filesystem>
#include <string>

#include <stdlib.h>

#include "common/base/check.h"

namespace sotto {

class TemporaryDirectory {
 public:
  TemporaryDirectory() : TemporaryDirectory(std::filesystem::temp_directory_path()) {}

  explicit TemporaryDirectory(const std::filesystem::path& parent) {
    std::string name = (parent / "sotto-test-XXXXXX").string();
    SOTTO_CHECK(::mkdtemp(name.data()) != nullptr, "no temporary directory");
    path_ = name;
  }

  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const {
    return path_ / name;
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace sotto
