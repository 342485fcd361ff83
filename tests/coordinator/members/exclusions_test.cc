// Who is left out of a run's rounds outlives the process that found it out.
#include "coordinator/members/exclusions.h"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/temporary_directory.h"

namespace sotto::coordinator {
namespace {

constexpr RoundNumber kFirst = RoundNumber::of(1, 0), kSecond = RoundNumber::of(1, 1);

std::vector<MemberId> ids(std::initializer_list<std::uint32_t> list) {
  std::vector<MemberId> out;
  for (std::uint32_t id : list)
    out.push_back(MemberId{id});
  return out;
}

struct ExclusionsOfARun : ::testing::Test {
  TemporaryDirectory directory;

  [[nodiscard]] Exclusions open() const {
    return Exclusions::open(directory / "exclusions.json").value();
  }
};

TEST_F(ExclusionsOfARun, AreTheSameAfterEveryWrite) {
  Exclusions run = open();
  ASSERT_TRUE(run.exclude_offender(MemberId{4}, "Shares: bad").ok());
  EXPECT_EQ(open().offenders().at(MemberId{4}), "Shares: bad");
  ASSERT_TRUE(run.lost(kFirst, ids({1, 2, 3, 5})).ok());
  EXPECT_EQ(open().suspicion().state(), run.suspicion().state());
  EXPECT_EQ(open().suspicion().state().suspects.size(), 4U);
  ASSERT_TRUE(run.begin(kSecond, ids({1, 4})).ok());
  EXPECT_EQ(open().left_out_of(kSecond), ids({1, 4}));
  EXPECT_TRUE(open().left_out_of(kFirst).empty());
  ASSERT_TRUE(run.good(kSecond, ids({2, 3, 5})).ok());
  EXPECT_EQ(open().suspicion().state(), run.suspicion().state());
  EXPECT_EQ(open().suspicion().state().suspects, std::set{MemberId{1}});
}

TEST_F(ExclusionsOfARun, AnAttemptThatIsFoundLostAgainAfterACrashCountsOnce) {
  ASSERT_TRUE(open().lost(kFirst, ids({1, 2, 3, 4})).ok());
  ASSERT_TRUE(open().lost(kSecond, ids({1, 2, 3})).ok());
  const Suspicion::State once = open().suspicion().state();
  ASSERT_TRUE(open().lost(kSecond, ids({1, 2, 3})).ok());
  ASSERT_TRUE(open().lost(kFirst, ids({1, 2, 3, 4})).ok());
  EXPECT_EQ(open().suspicion().state(), once);
}

TEST_F(ExclusionsOfARun, ALostSumWithAnOffendingMemberMakesNobodySuspect) {
  Exclusions run = open();
  ASSERT_TRUE(run.exclude_offender(MemberId{2}, "Advertise: two").ok());
  ASSERT_TRUE(run.lost(kFirst, ids({1, 2, 3})).ok());
  EXPECT_EQ(run.suspicion().state(), Suspicion::State{});
}

TEST_F(ExclusionsOfARun, TheFirstRuleThatAMemberBrokeStays) {
  Exclusions run = open();
  ASSERT_TRUE(run.exclude_offender(MemberId{2}, "one").ok());
  ASSERT_TRUE(run.exclude_offender(MemberId{2}, "another").ok());
  EXPECT_EQ(open().offenders().at(MemberId{2}), "one");
}

TEST_F(ExclusionsOfARun, ADamagedFileIsSaidAndNotTakenForAnEmptyOne) {
  ASSERT_TRUE(open().exclude_offender(MemberId{2}, "one").ok());
  for (const char* text : {"", "[]", "{\"convicted\": 3}"}) {
    std::ofstream(directory / "exclusions.json") << text;
    const auto opened = Exclusions::open(directory / "exclusions.json");
    ASSERT_FALSE(opened.ok()) << text;
    EXPECT_NE(opened.error().message.find("is damaged"), std::string::npos);
  }
}

}  // namespace
}  // namespace sotto::coordinator
