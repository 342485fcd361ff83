// A participant keeps what convicts the coordinator, or members that helped it
// (docs/secure-aggregation.md, "Evidence").
#include "tests/participant/protocol/session_fixture.h"

namespace sotto::participant {
namespace {

using secagg::all_of;

struct SessionEvidence : SessionTest {
  [[nodiscard]] Result<secagg::Finding> finding(const SessionOutput& out) const {
    if (out.evidence.size() != 1) return Error{"not one piece of evidence"};
    return secagg::check_evidence(out.evidence[0], {.roster_hash = agreement.roster_hash,
                                                    .coordinator = others.coordinator.verify_key(),
                                                    .members = others.roster});
  }

  void proves_violation_coordinator(const SessionOutput& out, const std::string& rule) const {
    const auto found = finding(out);
    ASSERT_TRUE(found.ok()) << found.error().message;
    EXPECT_EQ(found->offender, kCoordinatorId);
    EXPECT_NE(found->rule.find(rule), std::string::npos) << found->rule;
    EXPECT_TRUE(out.send.empty());
  }
};

TEST_F(SessionEvidence, SecondSSameRound) {
  until_uploaded();
  endorse();
  proves_violation_coordinator(deliver(others.survivors(all_of(5), {0, 1, 2, 3})), "Survivors");
  EXPECT_TRUE(deliver(others.survivors(all_of(5), {0, 1, 2, 4})).evidence.empty()) << "one a round";
}

TEST_F(SessionEvidence, SecondU2SameRound) {
  until_uploaded();
  proves_violation_coordinator(deliver(others.fix({0, 1, 2, 3})), "Fix");
}

TEST_F(SessionEvidence, ASecondKeyListOrASecondOffer) {
  offer();
  deal();
  proves_violation_coordinator(deliver(others.key_list(0, {0, 1, 2, 3})), "KeyList");
  next_round(RoundNumber::of(2, 0));
  offer();
  others.header.config_hash[0] ^= 1;
  proves_violation_coordinator(deliver(others.offer()), "Offer");
}

TEST_F(SessionEvidence, BothSeedsTwoRequests) {
  until_uploaded();
  endorse();
  ASSERT_EQ(sent<wire::UnmaskResponse>(deliver(certificate())).size(), 1U);
  // Member 2 colludes and endorses another S too; the request that uses it goes to member 0.
  wire::UnmaskRequest second = certificate();
  second.d_s[0] ^= 1;
  secagg::sign_endorse(others.keys[2], others.h, second.d_u2, second.d_s, second.certificate[2]);
  const SessionOutput out = deliver(second);
  EXPECT_TRUE(sent<wire::UnmaskResponse>(out).empty());
  const auto found = finding(out);
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_EQ(found->offender, others.id(2));
}

TEST_F(SessionEvidence, WhatNobodySignedIsNotKept) {
  until_uploaded();
  auto forged = others.fix({0, 1, 2, 3});
  forged.signature[3] ^= 1;
  EXPECT_TRUE(deliver(forged).evidence.empty());
  EXPECT_TRUE(deliver(others.fix(all_of(5))).evidence.empty()) << "a repetition";
}

}  // namespace
}  // namespace sotto::participant
