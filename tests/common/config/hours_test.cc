// Windows of local time: over midnight, over the end of the week, over the changes of clocks.
#include "common/config/hours.h"

#include <cstdlib>
#include <ctime>

#include <gtest/gtest.h>

namespace sotto::config {
namespace {

LocalTime at(std::uint32_t weekday, std::uint32_t hour, std::uint32_t minute = 0) {
  return {.weekday = weekday, .minute = hour * 60 + minute};
}

Hours hours(const std::vector<std::string>& windows) {
  auto parsed = Hours::parse(windows);
  EXPECT_TRUE(parsed.ok());
  return std::move(parsed).value();
}

TEST(Hours, WithoutWindowsAreAlways) {
  const Hours always = hours({});
  for (std::uint32_t day = 0; day < 7; ++day)
    EXPECT_TRUE(always.holds(at(day, 23, 59)));
}

TEST(Hours, BeginWithTheirFirstMinuteAndEndBeforeTheirLast) {
  const Hours h = hours({"Tue 09:30-17:00"});
  EXPECT_FALSE(h.holds(at(1, 9, 29)));
  EXPECT_TRUE(h.holds(at(1, 9, 30)));
  EXPECT_TRUE(h.holds(at(1, 16, 59)));
  EXPECT_FALSE(h.holds(at(1, 17)));
  EXPECT_FALSE(h.holds(at(2, 12)));
}

TEST(Hours, OverMidnightBelongToTheDayOnWhichTheyBegin) {
  const Hours h = hours({"Mon-Fri 20:00-06:00"});
  EXPECT_FALSE(h.holds(at(0, 5)));  // of Sunday's night
  EXPECT_TRUE(h.holds(at(0, 23, 59)));
  EXPECT_TRUE(h.holds(at(1, 0)));
  EXPECT_TRUE(h.holds(at(5, 5, 59)));  // of Friday's
  EXPECT_FALSE(h.holds(at(5, 6)));
  EXPECT_FALSE(h.holds(at(5, 20)));
}

TEST(Hours, OverTheEndOfTheWeekGoOnOnMonday) {
  const Hours h = hours({"Sun 22:00-02:00", "Fri-Sat 00:00-24:00"});
  EXPECT_TRUE(h.holds(at(0, 1, 59)));
  EXPECT_FALSE(h.holds(at(0, 2)));
  EXPECT_TRUE(h.holds(at(4, 0)));
  EXPECT_TRUE(h.holds(at(5, 23, 59)));
  EXPECT_FALSE(h.holds(at(6, 0)));
  EXPECT_EQ(h.next(at(0, 2)), at(4, 0));
  EXPECT_EQ(h.next(at(6, 3)), at(6, 22));
  EXPECT_EQ(h.next(at(5, 3)), at(5, 3));
}

TEST(Hours, DaysMayWrapAndBeListed) {
  const Hours h = hours({"Sat-Mon,Wed 12:00-13:00"});
  for (std::uint32_t day = 0; day < 7; ++day)
    EXPECT_EQ(h.holds(at(day, 12)), day == 5 || day == 6 || day == 0 || day == 2) << day;
  EXPECT_TRUE(hours({"daily 01:00-05:00"}).holds(at(3, 4)));
}

TEST(Hours, WhatIsNoWindowIsQuoted) {
  for (const char* bad :
       {"", "night", "Mon", "Mon 20:00", "Mon 20-06", "Mon 25:00-26:00", "Mon 20:60-21:00",
        "Mon 24:00-01:00", "Mon 01:00-24:01", "Mo 20:00-21:00", "Mon, 20:00-21:00",
        "mon 20:00-21:00", "Mon-20:00-21:00", "Mon 20:00-21:00 ", "Mon  20:00-21:00",
        "Mon -1:00-21:00", "Mon 20:00-20:00"}) {
    const auto parsed = Hours::parse({"Tue 10:00-11:00", bad});
    ASSERT_FALSE(parsed.ok()) << bad;
    EXPECT_NE(parsed.error().message.find("\"" + std::string(bad) + "\""), std::string::npos);
  }
}

/// A zone with summer time, for one test.
class Zone {
 public:
  explicit Zone(const char* name) {
    ::setenv("TZ", name, 1);
    ::tzset();
  }

  ~Zone() {
    ::unsetenv("TZ");
    ::tzset();
  }
};

TEST(Hours, HoldWhatTheClockOnTheWallShowsWhenItIsSet) {
  const Zone berlin("CET-1CEST,M3.5.0,M10.5.0/3");
  const Hours h = hours({"Sun 02:00-03:00"});
  // 29 March 2026: from 01:59 to 03:00. The window is not there in that night.
  EXPECT_EQ(local_time(1774745940), at(6, 1, 59));
  EXPECT_EQ(local_time(1774746000), at(6, 3));
  EXPECT_FALSE(h.holds(local_time(1774745940)));
  EXPECT_FALSE(h.holds(local_time(1774746000)));
  // 25 October 2026: 02:30 comes twice, and is inside twice.
  EXPECT_EQ(local_time(1792888200), at(6, 2, 30));
  EXPECT_EQ(local_time(1792888200 + 3600), at(6, 2, 30));
  EXPECT_TRUE(h.holds(local_time(1792888200 + 3600)));
  EXPECT_FALSE(h.holds(local_time(1792888200 + 5400)));
  EXPECT_EQ(to_text(local_time(1792888200)), "Sun 02:30");
}

}  // namespace
}  // namespace sotto::config
