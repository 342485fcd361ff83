// Log and status name both members of a complaint (docs/secure-aggregation.md, "Bad shares").
#include <gtest/gtest.h>

#include "coordinator/members/members.h"
#include "coordinator/observability/run_report.h"
#include "tests/temporary_directory.h"

namespace sotto::coordinator {
namespace {

using secagg::Conflict;
using secagg::ConflictEnd;

constexpr MemberId kPython{1}, kAurora{2}, kBorealis{3};
constexpr Conflict kOpened{kPython, kAurora, ConflictEnd::kOpened};

config::Roster roster() {
  config::Roster out;
  for (const auto& [id, name] : std::map<MemberId, std::string>{
           {kPython, "python"}, {kAurora, "aurora"}, {kBorealis, "borealis"}})
    out.members.push_back({.id = id, .name = name});
  return out;
}

TEST(MembersConflicts, StatusOfBothSaysWhoComplainedAboutWhom) {
  const TemporaryDirectory directory;
  Members members(roster());
  ASSERT_TRUE(members.open_conflicts(directory / "conflicts.json").ok());
  ASSERT_TRUE(members.add_conflicts(RoundNumber::of(1, 0), {kOpened}).ok());
  ASSERT_TRUE(members.add_conflicts(RoundNumber::of(2, 0), {kOpened}).ok());
  const std::vector<std::string> said{
      "python complained about aurora's share; aurora opened it and both stay (2 times)"};
  RunStatus status;
  status.members = members.status();
  ASSERT_EQ(status.members.size(), 3U);
  EXPECT_EQ(status.members[0].conflicts, said);
  EXPECT_EQ(status.members[1].conflicts, said);
  EXPECT_TRUE(status.members[2].conflicts.empty());
  EXPECT_NE(to_json(status).find(said[0]), std::string::npos);

  Members restarted(roster());
  ASSERT_TRUE(restarted.open_conflicts(directory / "conflicts.json").ok());
  EXPECT_EQ(restarted.status()[1].conflicts, said);
}

TEST(MembersConflicts, ARepeatedOneIsNotLoggedEachTime) {
  const TemporaryDirectory directory;
  Members members(roster());
  ASSERT_TRUE(members.open_conflicts(directory / "conflicts.json").ok());
  int lines = 0;
  for (std::uint64_t round = 1; round <= 100; ++round) {
    ASSERT_TRUE(members.add_conflicts(RoundNumber::of(round, 0), {kOpened}).ok());
    lines += members.line_about(kOpened).has_value() ? 1 : 0;
  }
  EXPECT_EQ(lines, 7) << "the 1st, 2nd, 4th, 8th, 16th, 32nd and 64th";
}

}  // namespace
}  // namespace sotto::coordinator
