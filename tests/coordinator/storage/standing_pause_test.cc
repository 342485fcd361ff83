#include "coordinator/storage/standing_pause.h"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/temporary_directory.h"

namespace sotto::coordinator {
namespace {

TEST(StandingPause, OutlivesTheProcessAndEndsOnce) {
  const TemporaryDirectory folder;
  StandingPause pause;
  pause.open(folder.path());
  EXPECT_FALSE(pause.holds());
  ASSERT_TRUE(pause.begin().ok());
  EXPECT_TRUE(pause.holds());
  StandingPause next_process;
  next_process.open(folder.path());
  EXPECT_TRUE(next_process.holds());
  ASSERT_TRUE(next_process.end().ok());
  ASSERT_TRUE(next_process.end().ok()) << "resuming twice is no error";
  EXPECT_FALSE(next_process.holds());
  StandingPause third;
  third.open(folder.path());
  EXPECT_FALSE(third.holds());
}

TEST(StandingPause, WhatCannotBeWrittenDownDoesNotHold) {
  StandingPause pause;
  pause.open("/nonexistent/run");
  EXPECT_FALSE(pause.begin().ok());
  EXPECT_FALSE(pause.holds()) << "a restart would forget it";
}

}  // namespace
}  // namespace sotto::coordinator
