// The same for a participant's session: while it runs its secrets are in the arena alone, and when
// the round closes, however it does, nowhere.
#include "tests/image_scan/round_secrets.h"
#include "tests/participant/protocol/session_fixture.h"

namespace sotto::image_scan {
namespace {

/// b, r, ske and the coefficients of both polynomials: t - 1 each.
Plan draw_secrets() {
  crypto::OsRandom random;
  Plan plan;
  for (const char* name : {"b", "r", "ske", "b1", "b2", "r1", "r2"}) {
    const crypto::Secret32 secret = crypto::random_scalar(random);
    plan.draws[0].scalars.push_back(masked(secret.expose()));
    plan.needles.push_back({name, masked(secret.expose())});
  }
  return plan;
}

struct SessionImage : participant::SessionTest {
  Plan plan = plan_in_a_child(draw_secrets);
  MaskedRandom drawn{plan.draws[0].scalars};
  Search search{plan.needles};

  void SetUp() override {
    SessionTest::SetUp();
    session.emplace(agreement, others.id(0), others.roster, others.coordinator.verify_key(),
                    others.keys[0], preshared, drawn, participant::GuardState());
  }

  void expect_nothing() {
    for (const std::string& what : search.found())
      ADD_FAILURE() << "left behind: " << what;
  }

  void expect_only_in_the_arena() {
    search.outside_of_the_arena();
    expect_nothing();
  }

  void expect_nowhere() {
    search.everywhere();
    expect_nothing();
  }
};

TEST_F(SessionImage, AWholeRoundLeavesNothing) {
  until_uploaded();
  expect_only_in_the_arena();
  endorse();
  deliver(certificate());
  expect_only_in_the_arena();
  deliver(result());
  EXPECT_FALSE(session->current_round());
  expect_nowhere();
}

TEST_F(SessionImage, ARoundThatIsLeftLeavesNothing) {
  offer();
  deal();
  expect_only_in_the_arena();
  wire::ShareForward forged = others.forward(0, secagg::all_of(kMembers));
  forged.signature[0] ^= 1;
  deliver(forged);
  EXPECT_FALSE(session->current_round());
  expect_nowhere();
}

TEST_F(SessionImage, ARoundThatTookTooLongLeavesNothing) {
  until_uploaded();
  now += agreement.max_round;
  session->tick(now);
  EXPECT_FALSE(session->current_round());
  expect_nowhere();
}

TEST_F(SessionImage, ALaterRoundLeavesNothingOfTheOneBefore) {
  until_uploaded();
  next_round(RoundNumber::of(2, 0));
  deliver(others.offer());
  EXPECT_TRUE(session->current_round() == RoundNumber::of(2, 0));
  expect_only_in_the_arena();  // it has drawn its own three
  deliver(result());
  expect_nowhere();
}

}  // namespace
}  // namespace sotto::image_scan
