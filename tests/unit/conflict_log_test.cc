// Who had conflicts in a run is not forgotten (docs/secure-aggregation.md, "Bad shares").
#include "coordinator/conflict_log.h"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/unit/temporary_directory.h"

namespace sotto::coordinator {
namespace {

constexpr MemberId kOne{1}, kTwo{2}, kThree{3};

TEST(ConflictLog, CountsBothEndsOverRoundsAndRestarts) {
  const TemporaryDirectory directory;
  const auto file = directory / "conflicts.json";
  {
    auto log = ConflictLog::open(file);
    ASSERT_TRUE(log.ok());
    EXPECT_TRUE(log->counts().empty());
    ASSERT_TRUE(log->add(RoundNumber::of(1, 0), {}).ok());
    EXPECT_FALSE(std::filesystem::exists(file));
    ASSERT_TRUE(log->add(RoundNumber::of(1, 0), {{kOne, kTwo}, {kThree, kTwo}}).ok());
  }
  auto log = ConflictLog::open(file);
  ASSERT_TRUE(log.ok()) << log.error().message;
  ASSERT_TRUE(log->add(RoundNumber::of(2, 1), {{kTwo, kOne}}).ok());
  const std::map<MemberId, std::uint64_t> expected{{kOne, 2}, {kTwo, 3}, {kThree, 1}};
  EXPECT_EQ(log->counts(), expected);
  EXPECT_EQ(ConflictLog::open(file)->counts(), expected);
}

TEST(ConflictLog, AnAttemptThatGoesOnAfterACrashCountsOnce) {
  const TemporaryDirectory directory;
  auto log = ConflictLog::open(directory / "conflicts.json");
  ASSERT_TRUE(log.ok());
  ASSERT_TRUE(log->add(RoundNumber::of(1, 0), {{kOne, kTwo}}).ok());
  ASSERT_TRUE(log->add(RoundNumber::of(2, 0), {{kOne, kThree}}).ok());
  ASSERT_TRUE(log->add(RoundNumber::of(2, 0), {{kOne, kThree}}).ok());
  const std::map<MemberId, std::uint64_t> all{{kOne, 2}, {kTwo, 1}, {kThree, 1}};
  EXPECT_EQ(log->counts(), all);
  const std::map<MemberId, std::uint64_t> before{{kOne, 1}, {kTwo, 1}};
  EXPECT_EQ(log->counts_before(RoundNumber::of(2, 0)), before) << "its own edges are found again";
}

TEST(ConflictLog, ADamagedFileIsAnErrorNotAFreshStart) {
  const TemporaryDirectory directory;
  const auto file = directory / "conflicts.json";
  for (const char* text : {"", "{}", "[1]", R"([{"server_round":1}])", "[{"}) {
    std::ofstream(file) << text;
    EXPECT_FALSE(ConflictLog::open(file).ok()) << text;
  }
}

}  // namespace
}  // namespace sotto::coordinator
