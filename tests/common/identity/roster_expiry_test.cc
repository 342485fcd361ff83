// The end of a roster in words, and how often it is announced.
#include "common/identity/roster_expiry.h"

#include <gtest/gtest.h>

namespace sotto::config {
namespace {

constexpr std::uint64_t kEnd = 1'800'000'000;  // 2027-01-15
constexpr std::uint64_t kDay = 86400;

TEST(RosterExpiry, DatesAreOfTheCalendar) {
  EXPECT_EQ(utc_date(0), "1970-01-01");
  EXPECT_EQ(utc_date(951782400), "2000-02-29");
  EXPECT_EQ(utc_date(kEnd), "2027-01-15");
  EXPECT_EQ(utc_date(~std::uint64_t{0}), "9999-12-31");
}

TEST(RosterExpiry, ItIsOverAtItsSecond) {
  const RosterExpiry expiry(3, kEnd, kSiteJoinsRenewed);
  EXPECT_FALSE(expiry.is_over(kEnd - 1));
  EXPECT_TRUE(expiry.is_over(kEnd));
  EXPECT_EQ(expiry.warning(kEnd - 30 * kDay - 1), "");
  EXPECT_EQ(expiry.warning(kEnd - 30 * kDay),
            "the roster (version 3) expires on 2027-01-15, in 30 days, and no round begins "
            "afterwards: ask the operator for the renewed federation.json, run `sotto-participant "
            "join` with it and start again");
  EXPECT_NE(expiry.warning(kEnd).find("expired on 2027-01-15"), std::string::npos);
}

TEST(RosterExpiry, IsAnnouncedOnceADayAndAtItsEnd) {
  RosterExpiry expiry(3, kEnd, kOperatorRenews);
  int lines = 0;
  for (std::uint64_t now = kEnd - 40 * kDay; now < kEnd; now += 600)
    lines += expiry.daily_warning(now) ? 1 : 0;
  EXPECT_EQ(lines, 30);
  EXPECT_TRUE(expiry.daily_warning(kEnd)) << "at once, though the last was within a day";
  EXPECT_FALSE(expiry.daily_warning(kEnd + 1));
  EXPECT_TRUE(expiry.daily_warning(kEnd + kDay));
}

}  // namespace
}  // namespace sotto::config
