// Who can be in a round, given the least sums that members declared
// (coordinator/members/least_sums.h).
#include "coordinator/members/least_sums.h"

#include <gtest/gtest.h>

namespace sotto::coordinator {
namespace {

const std::vector<MemberId> kFive = {MemberId{1}, MemberId{2}, MemberId{3}, MemberId{4},
                                     MemberId{5}};

std::uint32_t everybody(std::size_t members) {
  return static_cast<std::uint32_t>(members);
}

TEST(LeastSums, ADemandThatTheRoundCanMeetKeepsEverybody) {
  const LeastSums declared = {{MemberId{1}, 3}, {MemberId{4}, 5}};
  EXPECT_EQ(within(kFive, declared, everybody), kFive);
  EXPECT_EQ(largest_demand(kFive, declared), 5U);
}

TEST(LeastSums, WhoDemandsMoreIsLeftOutAndWithIt) {
  const LeastSums declared = {{MemberId{2}, 4294967295U}, {MemberId{4}, 5}};
  const std::vector<MemberId> left = {MemberId{1}, MemberId{3}, MemberId{5}};
  EXPECT_EQ(within(kFive, declared, everybody), left) << "five are not there without member 2";
  EXPECT_EQ(largest_demand(left, declared), 0U);
}

TEST(LeastSums, ASmallerRoundMeetsFewerDemands) {
  const LeastSums declared = {{MemberId{4}, 4}};
  const auto two_fewer = [](std::size_t members) {
    return static_cast<std::uint32_t>(members) - 2;
  };
  const std::vector<MemberId> left = {MemberId{1}, MemberId{2}, MemberId{3}, MemberId{5}};
  EXPECT_EQ(within(kFive, declared, two_fewer), left);
}

}  // namespace
}  // namespace sotto::coordinator
