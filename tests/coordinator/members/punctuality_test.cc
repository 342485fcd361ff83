// Who kept a round waiting, told from its events.
#include "coordinator/members/punctuality.h"

#include <gtest/gtest.h>

namespace sotto::coordinator {
namespace {

using Kind = RoundEvent::Kind;
using Cost = Fault::Cost;

constexpr int kPhaseMs = 60000, kTrainingMs = 600000;

/// Members 1 to n, C = 1, phases of a minute and training of ten.
struct Attempt {
  explicit Attempt(std::uint32_t n, std::uint32_t colluders = 1,
                   const std::vector<MemberId>& unexpected = {}) {
    Punctuality::Attempt attempt{
        .round = RoundNumber::of(7, 0),
        .deadline_ms = {kPhaseMs, kPhaseMs, kPhaseMs, kTrainingMs, kPhaseMs, kPhaseMs},
        .colluders = colluders,
        .uploads_at_once = 4};
    for (std::uint32_t i = 1; i <= n; ++i)
      attempt.cohort.push_back(MemberId{i});
    punctuality.begin(std::move(attempt), unexpected);
  }

  void phase(Phase phase) {
    current = phase;
    on({Kind::kPhase, phase, {}, ""});
  }

  void done(std::uint32_t member, int after_ms) {
    now = TimePoint{} + Duration(after_ms);
    const bool upload = current == Phase::kUpload;
    on({upload ? Kind::kUploadProgress : Kind::kAccepted, current, MemberId{member}, ""});
  }

  void on(const RoundEvent& event) { punctuality.on_event(event, now); }

  /// "2 waited: what"
  std::vector<std::string> end() {
    std::vector<std::string> out;
    for (const Fault& f : punctuality.end())
      out.push_back(std::to_string(raw(f.member)) +
                    (f.cost == Cost::kWaited ? " waited: " : " lost: ") + f.what);
    return out;
  }

  Punctuality punctuality;
  Phase current{};
  TimePoint now{};
};

using Faults = std::vector<std::string>;

TEST(Punctuality, ARoundInTimeHasNoFaults) {
  Attempt attempt(4);
  for (const Phase phase : {Phase::kAdvertise, Phase::kShare, Phase::kCheck, Phase::kUpload}) {
    attempt.phase(phase);
    for (std::uint32_t i = 1; i <= 4; ++i)
      attempt.done(i, static_cast<int>(1000 * i));
  }
  attempt.phase(Phase::kEndorse);
  EXPECT_EQ(attempt.end(), Faults{});
}

TEST(Punctuality, WhoIsSilentUntilTheEndOfAPhaseWasWaitedFor) {
  Attempt attempt(4);
  attempt.phase(Phase::kUpload);
  attempt.on({Kind::kSilent, Phase::kUpload, MemberId{2}, "silent"});
  EXPECT_EQ(attempt.end(), Faults{"2 waited: silent in round 7, Upload"});
}

// It sends each message after 90 % of the time that its phase may last.
TEST(Punctuality, WhoSaysEverythingAtTheLastMomentIsLate) {
  Attempt attempt(4);
  attempt.phase(Phase::kAdvertise);
  for (std::uint32_t i = 1; i <= 3; ++i)
    attempt.done(i, 1000);
  attempt.done(4, 54000);
  attempt.phase(Phase::kShare);
  EXPECT_EQ(attempt.end(),
            Faults{"4 waited: late in round 7, Advertise: the other members waited 53 s for it"});
}

TEST(Punctuality, AQuarterOfThePhaseIsLateAndLessIsNot) {
  for (const bool late : {false, true}) {
    Attempt attempt(4);
    attempt.phase(Phase::kUpload);
    for (std::uint32_t i = 1; i <= 3; ++i)
      attempt.done(i, 300000);
    attempt.done(4, 300000 + kTrainingMs / 4 - (late ? 0 : 1));
    attempt.phase(Phase::kEndorse);
    EXPECT_EQ(attempt.end().size(), late ? 1U : 0U);
  }
}

TEST(Punctuality, AFewThatAreSlowTogetherDoNotExcuseEachOther) {
  Attempt attempt(7, 2);
  attempt.phase(Phase::kCheck);
  for (std::uint32_t i = 1; i <= 5; ++i)
    attempt.done(i, 1000);
  attempt.done(6, 40000);
  attempt.done(7, 40000);
  attempt.phase(Phase::kUpload);
  EXPECT_EQ(attempt.end().size(), 2U);
}

TEST(Punctuality, WhereEverybodyIsSlowNobodyIsLate) {
  Attempt attempt(7, 2);
  attempt.phase(Phase::kUpload);
  for (std::uint32_t i = 1; i <= 7; ++i)
    attempt.done(i, kTrainingMs - 10000);
  attempt.phase(Phase::kEndorse);
  EXPECT_EQ(attempt.end(), Faults{});
}

TEST(Punctuality, WhoGoesAwayIsNotedOnceAndNotWaitedFor) {
  Attempt attempt(4);
  attempt.phase(Phase::kUpload);
  attempt.on({Kind::kGone, Phase::kUpload, MemberId{3}, "left: \x1b[2J"});
  for (std::uint32_t i : {1U, 2U, 4U})
    attempt.done(i, 1000);
  attempt.done(3, 590000);
  attempt.phase(Phase::kEndorse);
  EXPECT_EQ(attempt.end(), Faults{"3 lost: gone in round 7, Upload (left: ?[2J)"});
}

TEST(Punctuality, WhoIsNotExpectedHasNoFaults) {
  Attempt attempt(4, 1, {MemberId{4}});
  attempt.phase(Phase::kAdvertise);
  attempt.on({Kind::kGone, Phase::kAdvertise, MemberId{4}, "the link is down"});
  for (std::uint32_t i : {1U, 2U, 3U})
    attempt.done(i, 1000);
  attempt.done(4, 59000);
  attempt.phase(Phase::kShare);
  EXPECT_EQ(attempt.end(), Faults{});
}

TEST(Punctuality, AComplaintIsNobodysSilence) {
  Attempt attempt(4);
  attempt.phase(Phase::kCheck);
  attempt.on({Kind::kDropout, Phase::kCheck, MemberId{1}, "a complaint about shares concerns it"});
  EXPECT_EQ(attempt.end(), Faults{});
}

TEST(Punctuality, EveryAttemptBeginsAnew) {
  Attempt attempt(4);
  attempt.on({Kind::kSilent, Phase::kUpload, MemberId{2}, "silent"});
  attempt.punctuality.begin({.round = RoundNumber::of(8, 0)}, {});
  EXPECT_EQ(attempt.end(), Faults{});
}

}  // namespace
}  // namespace sotto::coordinator
