#include "participant/driver/held_answers.h"

#include <vector>

#include <gtest/gtest.h>

namespace sotto::participant {
namespace {

TimePoint at(int seconds) {
  return TimePoint{Duration(1000 * seconds)};
}

TEST(HeldAnswers, LeaveAtMultiplesOfTheIntervalAfterTheBeginning) {
  const HeldAnswers held(Duration(60000));
  EXPECT_EQ(held.due(at(100), at(100)), at(160)) << "an instant answer waits too";
  EXPECT_EQ(held.due(at(100), at(101)), at(160));
  EXPECT_EQ(held.due(at(100), at(160)), at(160));
  EXPECT_EQ(held.due(at(100), at(161)), at(220));
  EXPECT_EQ(held.due(at(100), at(40)), at(160)) << "a clock that was set back";
}

TEST(HeldAnswers, TwoDurationsWithinAnIntervalCannotBeToldApart) {
  std::vector<TimePoint> sent;
  for (const int seconds : {1, 59}) {
    HeldAnswers held(Duration(60000));
    TimePoint now = at(100 + seconds);
    held.hold(at(100), now, [&] { sent.push_back(now); });
    while (held.next())
      held.run_due(now = *held.next());
  }
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0], sent[1]);
}

TEST(HeldAnswers, ComeInTheOrderOfTheirTimesAndOnce) {
  HeldAnswers held(Duration(10000));
  std::vector<int> order;
  held.hold(at(5), at(6), [&] { order.push_back(2); });
  held.hold(at(0), at(6), [&] { order.push_back(1); });
  EXPECT_EQ(held.next(), at(10));
  held.run_due(at(9));
  EXPECT_TRUE(order.empty());
  held.run_due(at(20));
  held.run_due(at(20));
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_FALSE(held.next());
}

TEST(HeldAnswers, WithoutAnIntervalNothingIsHeld) {
  HeldAnswers held(Duration(0));
  bool sent = false;
  held.hold(at(1), at(7), [&] { sent = true; });
  EXPECT_TRUE(sent);
  EXPECT_FALSE(held.next());
}

}  // namespace
}  // namespace sotto::participant
