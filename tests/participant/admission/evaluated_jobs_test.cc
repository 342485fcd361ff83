#include "participant/admission/evaluated_jobs.h"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/temporary_directory.h"

namespace sotto::participant {
namespace {

constexpr std::uint64_t kDay = 86400;

Bytes32 job(std::uint8_t n) {
  Bytes32 hash{};
  hash.fill(n);
  return hash;
}

class EvaluatedJobsTest : public ::testing::Test {
 protected:
  TemporaryDirectory folder;
  std::filesystem::path file = folder / "judged-jobs.txt";
};

TEST_F(EvaluatedJobsTest, DifferentJobsAreBoundedAndTheSameOneIsNot) {
  EvaluatedJobs jobs(file, 2);
  EXPECT_TRUE(jobs.admit(job(1), 100).value());
  EXPECT_TRUE(jobs.admit(job(2), 200).value());
  EXPECT_FALSE(jobs.admit(job(3), 300).value());
  EXPECT_TRUE(jobs.admit(job(1), 400).value()) << "an answer that was given already";
  EXPECT_FALSE(jobs.admit(job(3), 100 + kDay - 1).value());
  EXPECT_TRUE(jobs.admit(job(3), 100 + kDay).value());
}

TEST_F(EvaluatedJobsTest, ARestartForgetsNothing) {
  EXPECT_TRUE(EvaluatedJobs(file, 1).admit(job(1), 100).value());
  EvaluatedJobs again(file, 1);
  EXPECT_FALSE(again.admit(job(2), 200).value());
  EXPECT_TRUE(again.admit(job(1), 200).value());
}

TEST_F(EvaluatedJobsTest, AClockThatWasSetBackAdmitsNoMore) {
  EvaluatedJobs jobs(file, 1);
  EXPECT_TRUE(jobs.admit(job(1), 10 * kDay).value());
  EXPECT_FALSE(jobs.admit(job(2), 1 * kDay).value());
}

TEST_F(EvaluatedJobsTest, AFileThatCannotBeReadIsNotAFreshStart) {
  std::ofstream(folder / "a file") << "text";
  EvaluatedJobs jobs(folder / "a file" / "judged-jobs.txt", 1);
  EXPECT_FALSE(jobs.admit(job(1), 100).ok());
}

TEST_F(EvaluatedJobsTest, ADamagedFileIsAnErrorThatNamesIt) {
  std::ofstream(file) << "100 nonsense\n";
  EvaluatedJobs jobs(file, 5);
  const auto admitted = jobs.admit(job(1), 200);
  ASSERT_FALSE(admitted.ok());
  EXPECT_NE(admitted.error().message.find(file.string()), std::string::npos);
}

TEST_F(EvaluatedJobsTest, AFileThatCannotBeWrittenAdmitsNothing) {
  EvaluatedJobs jobs(folder / "nowhere" / "file", 5);
  EXPECT_FALSE(jobs.admit(job(1), 200).ok());
}

}  // namespace
}  // namespace sotto::participant
