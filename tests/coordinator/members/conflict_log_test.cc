// What became of complaints is not forgotten (docs/secure-aggregation.md, "Bad shares").
#include "coordinator/members/conflict_log.h"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/temporary_directory.h"

namespace sotto::coordinator {
namespace {

using secagg::Conflict;
using secagg::ConflictEnd;

constexpr MemberId kOne{1}, kTwo{2}, kThree{3};
constexpr Conflict kOpened{kOne, kTwo, ConflictEnd::kOpened};
constexpr Conflict kLeft{kThree, kTwo, ConflictEnd::kDealerLeft};

TEST(ConflictLog, CountsOverRoundsAndRestarts) {
  const TemporaryDirectory directory;
  const auto file = directory / "conflicts.json";
  {
    auto log = ConflictLog::open(file);
    ASSERT_TRUE(log.ok());
    EXPECT_TRUE(log->counts().empty());
    ASSERT_TRUE(log->add(RoundNumber::of(1, 0), {}).ok());
    EXPECT_FALSE(std::filesystem::exists(file));
    ASSERT_TRUE(log->add(RoundNumber::of(1, 0), {kOpened, kLeft}).ok());
  }
  auto log = ConflictLog::open(file);
  ASSERT_TRUE(log.ok()) << log.error().message;
  ASSERT_TRUE(log->add(RoundNumber::of(2, 1), {kOpened}).ok());
  const std::map<Conflict, std::uint64_t> expected{{kOpened, 2}, {kLeft, 1}};
  EXPECT_EQ(log->counts(), expected);
  EXPECT_EQ(ConflictLog::open(file)->counts(), expected);
}

TEST(ConflictLog, EveryEndSurvivesARestart) {
  const TemporaryDirectory directory;
  const auto file = directory / "conflicts.json";
  std::vector<Conflict> all;
  for (int end = 0; end <= static_cast<int>(ConflictEnd::kDealerAlone); ++end)
    all.push_back({kOne, kTwo, static_cast<ConflictEnd>(end)});
  ASSERT_TRUE(ConflictLog::open(file)->add(RoundNumber::of(1, 0), all).ok());
  EXPECT_EQ(ConflictLog::open(file)->counts().size(), all.size());
}

TEST(ConflictLog, WhoLeftTheLastTimeIsKnownBeforeTheNextAttempt) {
  const TemporaryDirectory directory;
  auto log = ConflictLog::open(directory / "conflicts.json");
  ASSERT_TRUE(log.ok());
  ASSERT_TRUE(log->add(RoundNumber::of(1, 0), {kLeft}).ok());
  ASSERT_TRUE(log->add(RoundNumber::of(2, 0), {{kTwo, kThree, ConflictEnd::kDealerLeft}}).ok());
  ASSERT_TRUE(log->add(RoundNumber::of(3, 0), {{kThree, kTwo, ConflictEnd::kUndecided}}).ok());
  using Left = secagg::WhoLeft<MemberId>;
  const auto again = ConflictLog::open(directory / "conflicts.json");
  EXPECT_EQ(again->keys_before(RoundNumber::of(1, 0)), Left{});
  EXPECT_EQ(again->keys_before(RoundNumber::of(2, 0)), (Left{{{kTwo, kThree}, kTwo}}));
  EXPECT_EQ(again->keys_before(RoundNumber::of(9, 0)), (Left{{{kTwo, kThree}, kThree}}));
}

TEST(ConflictLog, AnAttemptThatGoesOnAfterACrashCountsOnce) {
  const TemporaryDirectory directory;
  auto log = ConflictLog::open(directory / "conflicts.json");
  ASSERT_TRUE(log.ok());
  ASSERT_TRUE(log->add(RoundNumber::of(2, 0), {kOpened}).ok());
  ASSERT_TRUE(log->add(RoundNumber::of(2, 0), {kOpened}).ok());
  EXPECT_EQ(log->counts(), (std::map<Conflict, std::uint64_t>{{kOpened, 1}}));
}

TEST(ConflictLog, ADamagedFileIsAnErrorNotAFreshStart) {
  const TemporaryDirectory directory;
  const auto file = directory / "conflicts.json";
  const std::string strange =
      R"([{"server_round":1,"attempt":0,"holder":1,"dealer":2,"end":"quietly"}])";
  for (const std::string& text :
       {std::string(), std::string("{}"), std::string("[1]"),
        std::string(R"([{"server_round":1}])"), std::string("[{"), strange}) {
    std::ofstream(file) << text;
    EXPECT_FALSE(ConflictLog::open(file).ok()) << text;
  }
}

TEST(ConflictLog, AFileOfBeforeComplaintsWereSettledIsRead) {
  const TemporaryDirectory directory;
  const auto file = directory / "conflicts.json";
  std::ofstream(file) << R"([{"server_round":1,"attempt":0,"holder":1,"dealer":2}])";
  const auto log = ConflictLog::open(file);
  ASSERT_TRUE(log.ok());
  EXPECT_TRUE(log->counts().empty()) << "nobody knows what became of it";
}

}  // namespace
}  // namespace sotto::coordinator
