// What makes a burn certificate (docs/secure-aggregation.md, 2.7).
#include <gtest/gtest.h>

#include "common/secagg/shared/burn.h"
#include "tests/coordinator/protocol/scripted_members.h"

namespace sotto::secagg {
namespace {

struct BurnCertificateTest : ::testing::Test {
  testing::ScriptedMembers members{5, 1};  // Q = 4
  BurnRules rules{.h = members.h,
                  .Q = members.header.Q,
                  .witnesses = members.header.n,
                  .cohort = members.cohort()};

  [[nodiscard]] wire::BurnCertificate of(const IndexSet& voters) const {
    wire::BurnCertificate m8;
    for (std::uint32_t i : voters)
      m8.votes.push_back(members.burn_vote(i));
    return m8;
  }

  void refuses(const wire::BurnCertificate& m8, const std::string& why) const {
    const Status checked = check_burn_certificate(m8, rules, 1);
    ASSERT_FALSE(checked.ok());
    EXPECT_NE(checked.error().message.find(why), std::string::npos) << checked.error().message;
  }
};

TEST_F(BurnCertificateTest, QVotesAreEnough) {
  EXPECT_TRUE(check_burn_certificate(of({0, 2, 3, 4}), rules, 1).ok());
  EXPECT_TRUE(check_burn_certificate(of({0, 1, 2, 3, 4}), rules, 1).ok());
}

TEST_F(BurnCertificateTest, BurnCertificateShort) {
  refuses(of({0, 1, 2}), "3 votes; 4 are needed");
}

TEST_F(BurnCertificateTest, BurnCertificateOtherH) {
  const auto m8 = of({0, 1, 2, 3});
  rules.h[5] ^= 1;
  refuses(m8, "bad signature");
}

TEST_F(BurnCertificateTest, ADuplicateVoterIsNotASecondOne) {
  auto m8 = of({0, 1, 2, 2});
  refuses(m8, "not in order");
  std::swap(m8.votes[0], m8.votes[1]);
  refuses(m8, "not in order");
}

TEST_F(BurnCertificateTest, AVoteOfAnOutsiderOrUnderAnothersNameIsRefused) {
  auto m8 = of({0, 1, 2, 3});
  m8.votes[3].id = MemberId{999};
  refuses(m8, "not of the cohort");
  m8.votes[3].id = members.members[4].id;
  refuses(m8, "bad signature");
}

TEST_F(BurnCertificateTest, AnEndorsementIsNoVote) {
  auto m8 = of({0, 1, 2, 3});
  m8.votes[1].signature = members.endorse(1, members.all(), members.all()).signature;
  refuses(m8, "bad signature");
}

TEST_F(BurnCertificateTest, TheBallotGivesACertificateInOrderWhateverTheOrderOfTheVotes) {
  BurnBallot ballot(rules);
  for (std::uint32_t i : {3U, 0U, 4U, 1U}) {
    EXPECT_FALSE(ballot.has_quorum());
    EXPECT_EQ(ballot.accept(members.burn_vote(i)).kind, Verdict::Kind::kAccepted);
  }
  EXPECT_TRUE(ballot.has_quorum());
  EXPECT_TRUE(check_burn_certificate(ballot.certificate(), rules, 1).ok());
  EXPECT_EQ(ballot.accept(members.burn_vote(3)).kind, Verdict::Kind::kIgnored);
}

}  // namespace
}  // namespace sotto::secagg
