// The events of a whole run, as its sinks get them.
#include <string>
#include <variant>

#include <gtest/gtest.h>

#include "tests/federation/federation.h"

namespace sotto::simulation {
namespace {

TEST(RunEventsOfARun, EachAttemptBeginsGoesThroughItsPhasesAndEnds) {
  Federation federation({.members = 3, .job = small_job({"rounds.num_server_rounds=2"})});
  ASSERT_TRUE(federation.run());
  std::string order;
  for (const coordinator::RunEvent& event : federation.seen().events) {
    if (std::holds_alternative<coordinator::RunStarted>(event)) order += "run ";
    if (std::holds_alternative<coordinator::RoundBegan>(event)) order += "round ";
    if (const auto* phase = std::get_if<coordinator::PhaseEntered>(&event))
      order += std::string(coordinator::name(phase->phase)) + " ";
    if (const auto* ended = std::get_if<coordinator::RoundEnded>(&event))
      order += coordinator::is_done(ended->record) ? "done " : "lost ";
    if (std::holds_alternative<coordinator::RunEnded>(event)) order += "end";
  }
  const std::string round = "round Advertise Share Check Upload Endorse Unmask done ";
  EXPECT_EQ(order, "run " + round + round + round + "end") << "the third one evaluates";
}

}  // namespace
}  // namespace sotto::simulation
