// Commands replace nothing unasked, and a lost output is no success.
#include "common/cli/output.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "common/base/result.h"
#include "tests/temporary_directory.h"

namespace sotto::cli {
namespace {

namespace fs = std::filesystem;

TEST(Output, WhatLiesThereIsReplacedOnlyWithForce) {
  const TemporaryDirectory folder;
  std::ofstream(folder / "file") << "x";
  fs::create_directory(folder / "empty");
  fs::create_symlink("nowhere", folder / "link");
  EXPECT_NO_THROW(require_new_file(folder / "new", false));
  EXPECT_THROW(require_new_file(folder / "file", false), StartupError);
  EXPECT_THROW(require_new_file(folder / "link", false), StartupError);
  EXPECT_NO_THROW(require_new_file(folder / "file", true));
  EXPECT_NO_THROW(require_new_folder(folder / "new", false));
  EXPECT_NO_THROW(require_new_folder(folder / "empty", false));
  EXPECT_THROW(require_new_folder(folder / "file", false), StartupError);
  EXPECT_THROW(require_new_folder(folder.path(), false), StartupError);
  EXPECT_NO_THROW(require_new_folder(folder.path(), true));
}

TEST(Output, TheExitCodeSaysWhatHappened) {
  EXPECT_EQ(run_program("p", [] { return 3; }), 3);
  EXPECT_EQ(run_program("p", []() -> int { throw StartupError("no"); }), 2);
  EXPECT_EQ(run_program("p", []() -> int { throw std::runtime_error("no"); }), 1);
}

TEST(OutputDeathTest, AFullDiskUnderStandardOutputIsNoSuccess) {
  EXPECT_EXIT(
      {
        if (std::freopen("/dev/full", "w", stdout) == nullptr) std::_Exit(99);
        std::_Exit(run_program("p", [] {
          std::puts("result");
          return 0;
        }));
      },
      testing::ExitedWithCode(1), "p: standard output could not be written completely");
}

}  // namespace
}  // namespace sotto::cli
