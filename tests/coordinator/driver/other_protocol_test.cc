// A coordinator names a program that speaks another protocol and offers it nothing.
#include <string>

#include <gtest/gtest.h>

#include "tests/coordinator/driver/coordinator_fixture.h"

namespace sotto::coordinator {
namespace {

/// A frame of ours as a program of another protocol sends it.
Bytes of_protocol(std::uint8_t protocol, Bytes frame) {
  frame[0] = protocol;
  return frame;
}

using OtherProtocol = CoordinatorTest;

TEST_F(OtherProtocol, AnOlderMemberIsNamedWithBothNumbersAndLearnsOurs) {
  const Bytes hello = of_protocol(1, wire::encode(kMember, {}, wire::Hello{.protocol = 1}));
  app->on_frame(kMember, hello);
  ASSERT_EQ(log.size(), 1U);
  EXPECT_NE(log[0].find("site-1"), std::string::npos) << log[0];
  EXPECT_NE(log[0].find("protocol 1"), std::string::npos) << log[0];
  EXPECT_NE(log[0].find("protocol 3"), std::string::npos) << log[0];
  ASSERT_EQ(host.sent.size(), 1U) << "a Hello, and no job is offered";
  EXPECT_TRUE(std::holds_alternative<wire::Hello>(wire::decode(host.sent[0])->message));
  EXPECT_EQ(host.sent[0][0], 3) << "its version is what an older program logs";
  for (int i = 0; i < 100; ++i)
    app->on_frame(kMember, hello);
  EXPECT_LT(log.size(), 10U) << "a repetition is not logged each time";
}

TEST_F(OtherProtocol, AHelloThatNamesAnotherProtocolThanItsFrameIsOfferedNothing) {
  app->on_frame(kMember, wire::encode(kMember, {}, wire::Hello{.protocol = 4}));
  ASSERT_EQ(log.size(), 1U);
  EXPECT_NE(log[0].find("it uses protocol 4"), std::string::npos) << log[0];
  EXPECT_TRUE(host.sent.empty());
}

TEST_F(OtherProtocol, AMemberOfOursIsOfferedTheJob) {
  app->on_frame(kMember, wire::encode(kMember, {}, hello()));
  ASSERT_EQ(host.sent.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<wire::JobOffer>(wire::decode(host.sent[0])->message));
}

/// The reason of a member is for the operator, not for other members.
TEST_F(OtherProtocol, TheReasonOfOneMemberIsNotForwardedToOthers) {
  for (std::uint32_t i = 1; i <= 4; ++i)
    app->on_frame(MemberId{i}, wire::encode(MemberId{i}, {}, hello()));
  const auto offer = std::get<wire::JobOffer>(wire::decode(host.sent.front())->message);
  wire::JobReply reply{.run = offer.run,
                       .job_hash = crypto::hash("SOTTO job", {view_of(offer.job)}),
                       .id = kMember,
                       .answer = wire::JobAnswer::kDecline,
                       .reason = "a secret of site 1"};
  secagg::sign_job_reply(member_key, reply);
  app->on_frame(kMember, wire::encode(kMember, {}, reply));
  int ends = 0;
  for (const Bytes& frame : host.sent) {
    const auto decoded = wire::decode(frame);
    if (const auto* end = std::get_if<wire::RunFinished>(&decoded->message)) {
      ++ends;
      EXPECT_EQ(end->reason.find("secret"), std::string::npos) << end->reason;
    }
  }
  EXPECT_GE(ends, 4);
  bool public_reason = false;
  for (const std::string& line : log)
    public_reason |= line.find("a secret of site 1") != std::string::npos;
  EXPECT_TRUE(public_reason) << "the operator reads it";
}

}  // namespace
}  // namespace sotto::coordinator
