// Texts of messages at their encoder: whatever a text is, its frame decodes and its signature
// holds.
#include <fstream>
#include <regex>
#include <string>

#include <gtest/gtest.h>

#include "common/crypto/secure_random.h"
#include "common/secagg/shared/transcript.h"
#include "common/wire/codec.h"

namespace sotto::wire {
namespace {

/// A message of every kind that has a text, with this one.
std::vector<Message> messages_with(const std::string& text) {
  return {JobOffer{.job = text}, JobReply{.reason = text}, LeaveRound{.reason = text},
          RunFinished{.reason = text}};
}

std::string text_of(const Message& message) {
  if (const auto* m = std::get_if<JobOffer>(&message)) return m->job;
  if (const auto* m = std::get_if<JobReply>(&message)) return m->reason;
  if (const auto* m = std::get_if<LeaveRound>(&message)) return m->reason;
  return std::get<RunFinished>(message).reason;
}

Decoded sent(const Message& message) {
  auto decoded = decode(encode(MemberId{1}, {}, message));
  EXPECT_TRUE(decoded.ok()) << name_of(message) << ": " << decoded.error().message;
  return std::move(decoded).value();
}

TEST(WireText, NoTextMakesAFrameThatItsReceiverRefuses) {
  for (const std::size_t length :
       {0UL, 1UL, 4095UL, 4096UL, 4097UL, 100000UL, (1UL << 20), (1UL << 20) + 1, 1UL << 22}) {
    const std::string text(length, 'x');
    for (const Message& message : messages_with(text)) {
      const std::string received = text_of(sent(message).message);
      EXPECT_TRUE(text.starts_with(received)) << name_of(message);
      EXPECT_GE(received.size(), std::min<std::size_t>(length, 4096)) << name_of(message);
    }
  }
}

TEST(WireText, TheMessagesAboveAreAllThatHaveOne) {
  std::ifstream in(SOTTO_SOURCE_DIR "/common/wire/messages.h");
  const std::string header{std::istreambuf_iterator<char>(in), {}};
  const std::regex field("\n  std::string [a-z_]+;");
  const auto found = std::distance(std::sregex_iterator(header.begin(), header.end(), field), {});
  EXPECT_EQ(static_cast<std::size_t>(found), messages_with("").size());
}

TEST(WireText, ACutEndsWithAWholeCharacter) {
  const std::string text = std::string(4095, 'x') + "\u00e4";  // the second byte is the 4,097th
  EXPECT_EQ(text_of(sent(LeaveRound{text}).message), std::string(4095, 'x'));
  const std::string broken(5000, '\x80');
  EXPECT_EQ(text_of(sent(LeaveRound{broken}).message), "");
}

TEST(WireText, SignaturesHoldAfterTheCut) {
  crypto::StreamRandom random(7);
  const auto key = crypto::SigningKey::generate(random);
  RunFinished end{.reason = std::string(5000, 'x')};
  secagg::sign_run_finished(key, end);
  JobReply reply{.reason = std::string(5000, 'x')};
  secagg::sign_job_reply(key, reply);
  JobOffer offer{.job = std::string((1UL << 20) + 1, 'x')};
  secagg::sign_job_offer(key, offer);
  const auto public_key = key.verify_key();
  EXPECT_TRUE(secagg::verify_run_finished(public_key, std::get<RunFinished>(sent(end).message)));
  EXPECT_TRUE(secagg::verify_job_reply(public_key, std::get<JobReply>(sent(reply).message)));
  EXPECT_TRUE(secagg::verify_job_offer(public_key, std::get<JobOffer>(sent(offer).message)));
}

// Nine members that decline with the longest reason that a frame takes.
TEST(WireText, RefusalsOfAllMembersTogetherKeepTheEndOfARunFromNobody) {
  RunFinished end{.reason = "too few members accept the job (20 needed): "};
  for (int i = 0; i < 9; ++i)
    end.reason += "member-" + std::to_string(i) + ": " + std::string(500, 'x') + "; ";
  ASSERT_GT(end.reason.size(), 4096U);
  EXPECT_TRUE(end.reason.starts_with(text_of(sent(end).message)));
}

}  // namespace
}  // namespace sotto::wire
