// These tests check abort certificates (docs/secure-aggregation.md, 2.7).
#include "common/secagg/shared/abort.h"

#include <gtest/gtest.h>

#include "tests/coordinator/protocol/scripted_members.h"

namespace sotto::secagg {
namespace {

struct AbortCertificateTest : ::testing::Test {
  testing::ScriptedMembers members{5, 1};  // Q = 4
  AbortRules rules{.h = members.h,
                   .Q = members.header.Q,
                   .witnesses = members.header.n,
                   .cohort = members.cohort()};

  [[nodiscard]] wire::AbortCertificate of(const IndexSet& voters) const {
    wire::AbortCertificate m8;
    for (std::uint32_t i : voters)
      m8.votes.push_back(members.abort_vote(i));
    return m8;
  }

  void refuses(const wire::AbortCertificate& m8, const std::string& why) const {
    const Status checked = check_abort_certificate(m8, rules, 1);
    ASSERT_FALSE(checked.ok());
    EXPECT_NE(checked.error().message.find(why), std::string::npos) << checked.error().message;
  }
};

TEST_F(AbortCertificateTest, QVotesAreEnough) {
  EXPECT_TRUE(check_abort_certificate(of({0, 2, 3, 4}), rules, 1).ok());
  EXPECT_TRUE(check_abort_certificate(of({0, 1, 2, 3, 4}), rules, 1).ok());
}

TEST_F(AbortCertificateTest, AbortCertificateShort) {
  refuses(of({0, 1, 2}), "3 votes, but 4 are needed");
}

TEST_F(AbortCertificateTest, AbortCertificateOtherH) {
  const auto m8 = of({0, 1, 2, 3});
  rules.h[5] ^= 1;
  refuses(m8, "bad signature");
}

TEST_F(AbortCertificateTest, ADuplicateVoterIsNotASecondOne) {
  auto m8 = of({0, 1, 2, 2});
  refuses(m8, "not in order");
  std::swap(m8.votes[0], m8.votes[1]);
  refuses(m8, "not in order");
}

TEST_F(AbortCertificateTest, AVoteOfAnOutsiderOrUnderAnothersNameIsRefused) {
  auto m8 = of({0, 1, 2, 3});
  m8.votes[3].id = MemberId{999};
  refuses(m8, "not in the cohort");
  m8.votes[3].id = members.members[4].id;
  refuses(m8, "bad signature");
}

TEST_F(AbortCertificateTest, AnEndorsementIsNoVote) {
  auto m8 = of({0, 1, 2, 3});
  m8.votes[1].signature = members.endorse(1, members.all(), members.all()).signature;
  refuses(m8, "bad signature");
}

TEST_F(AbortCertificateTest, TheBallotGivesACertificateInOrderWhateverTheOrderOfTheVotes) {
  AbortBallot ballot(rules);
  for (std::uint32_t i : {3U, 0U, 4U, 1U}) {
    EXPECT_FALSE(ballot.has_quorum());
    EXPECT_EQ(ballot.accept(members.abort_vote(i)).kind, MessageResult::Kind::kAccepted);
  }
  EXPECT_TRUE(ballot.has_quorum());
  EXPECT_TRUE(check_abort_certificate(ballot.certificate(), rules, 1).ok());
  EXPECT_EQ(ballot.accept(members.abort_vote(3)).kind, MessageResult::Kind::kIgnored);
}

}  // namespace
}  // namespace sotto::secagg
