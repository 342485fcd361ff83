// A site's people say yes: real binaries, from an offer that waits for them to a withdrawal.
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/process/federation.h"

namespace sotto::process_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

template <class Condition>
bool wait_until(const Condition& condition, seconds at_most) {
  const auto until = std::chrono::steady_clock::now() + at_most;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return true;
}

/// How often a kind of entry is in a site's audit log.
std::size_t audited(const Federation& f, int member, const std::string& kind) {
  const std::string log = text_of(f.site(member) / "audit.jsonl"),
                    entry = "\"kind\":\"" + kind + "\"";
  std::size_t count = 0;
  for (std::size_t at = log.find(entry); at != std::string::npos; at = log.find(entry, at + 1))
    ++count;
  return count;
}

struct Said {
  int status;
  std::string text;
};

Said policy(const Federation& f, std::vector<std::string> arguments) {
  const fs::path out = f.folder() / "policy.out";
  fs::remove(out);
  arguments.insert(arguments.begin(), {Federation::participant_binary(), "policy"});
  const int status = run(arguments, out);
  return {status, text_of(out)};
}

/// A round that is done with so many members, later than `after`.
bool round_with(const Federation& f, int survivors, int after) {
  for (const auto& [number, round] : f.done_rounds())
    if (number > after && round["survivors"] == survivors) return true;
  return false;
}

int newest_round(const Federation& f) {
  const auto rounds = f.done_rounds();
  return rounds.empty() ? 0 : rounds.rbegin()->first;
}

/// By `policy explain`, and by `join` when the federation was made.
void expect_colluders_named(const Federation& f, const Said& explained) {
  const std::string colluders =
      "If the coordinator and 2 of the 3 other members colluded, they could see this site's "
      "update; ";
  EXPECT_NE(explained.text.find(colluders + "the job protects against 1 colluding member."),
            std::string::npos)
      << explained.text;
  const std::string joined = text_of(f.folder() / "setup.log");
  EXPECT_NE(
      joined.find(colluders + "this site's policy requires protection against 1 colluding member."),
      std::string::npos)
      << joined;
}

TEST(PolicyCommand, AJobWaitsForAPersonAndRunsOnceItIsApprovedWithoutARestart) {
  Federation f(4);
  f.set_policy(4, "require_approval", "first_job_of_a_kind");
  std::vector<Child> members;
  for (int m = 1; m <= 4; ++m)
    members.push_back(f.start_member(m));
  Child coordinator = f.start_coordinator({"rounds.num_server_rounds=400"});
  ASSERT_TRUE(f.wait_for_rounds(2, seconds(100))) << f.coordinator_log();
  EXPECT_TRUE(round_with(f, 3, 0)) << "the others go on without it";
  ASSERT_TRUE(wait_until(
      [&] { return f.member_log(4).find("policy approve") != std::string::npos; }, seconds(30)))
      << f.member_log(4);
  EXPECT_NE(f.coordinator_log().find("postpones the job: a person at this site has to approve"),
            std::string::npos)
      << f.coordinator_log();
  EXPECT_EQ(audited(f, 4, "job_postponed"), 1U) << "once, not with every offer";
  EXPECT_EQ(audited(f, 4, "update_released"), 0U);

  // What was offered lies there to be read, while the participant runs.
  fs::path offered;
  for (const auto& entry : fs::directory_iterator(f.site(4) / "offered-jobs"))
    offered = entry.path();
  const Said waiting = policy(f, {"explain", offered, "--dir", f.site(4), "--json"});
  ASSERT_EQ(waiting.status, 3) << waiting.text;
  const json explained = json::parse(waiting.text);
  EXPECT_EQ(explained["answer"], "postpone");
  EXPECT_EQ(explained["cost"]["epsilon_spent"], 0);
  EXPECT_EQ(f.site(4) / "offered-jobs" / (explained["job_hash"].get<std::string>() + ".json"),
            offered);

  const int before = newest_round(f);
  const Said approved = policy(
      f, {"approve", offered, "--dir", f.site(4), "--by", "A. Officer", "--reason", "agreed"});
  ASSERT_EQ(approved.status, 0) << approved.text;
  ASSERT_TRUE(wait_until([&] { return round_with(f, 4, before); }, seconds(60))) << f.member_log(4);
  EXPECT_EQ(audited(f, 4, "approval_given"), 2U) << "the job and its kind";
  EXPECT_EQ(audited(f, 4, "job_accepted"), 1U);
  const Said running = policy(f, {"explain", offered, "--dir", f.site(4)});
  EXPECT_EQ(running.status, 0) << running.text;
  const json ledger = f.ledger(4);
  EXPECT_GT(ledger["entries"], 0) << "it is read while its participant runs";
  EXPECT_EQ(ledger["charges"][0]["job_hash"], explained["job_hash"]);
  expect_colluders_named(f, running);

  // The approval outlives a kill.
  members[3].kill9();
  members[3] = f.start_member(4);
  const int killed = newest_round(f);
  ASSERT_TRUE(wait_until([&] { return round_with(f, 4, killed); }, seconds(60))) << f.member_log(4);

  const Said withdrawn = policy(f, {"withdraw", explained["kind"], "--dir", f.site(4), "--by",
                                    "A. Officer", "--reason", "another mind"});
  ASSERT_EQ(withdrawn.status, 0) << withdrawn.text;
  EXPECT_EQ(policy(f, {"explain", offered, "--dir", f.site(4)}).status, 0)
      << "this very job is still approved";
  ASSERT_EQ(policy(f, {"withdraw", explained["job_hash"], "--dir", f.site(4), "--by", "A. Officer",
                       "--reason", "another mind"})
                .status,
            0);
  ASSERT_TRUE(wait_until([&] { return audited(f, 4, "job_postponed") == 2U; }, seconds(30)))
      << f.member_log(4);
  const int after = newest_round(f) + 1;
  ASSERT_TRUE(wait_until([&] { return round_with(f, 3, after); }, seconds(60)));
  const std::size_t released = audited(f, 4, "update_released");
  EXPECT_FALSE(round_with(f, 4, after));
  EXPECT_EQ(audited(f, 4, "update_released"), released);
  EXPECT_EQ(audited(f, 4, "approval_withdrawn"), 2U);

  const Said list = policy(f, {"approvals", "--dir", f.site(4), "--json"});
  ASSERT_EQ(list.status, 0);
  const json entries = json::parse(list.text);
  ASSERT_EQ(entries.size(), 4U);
  for (const json& entry : entries)
    EXPECT_FALSE(entry["in_force"].get<bool>()) << entry;
}

TEST(PolicyCommand, ARunThatNeedsEverybodyWaitsForAnApprovalInsteadOfFailing) {
  Federation f(3);
  f.set_policy(3, "require_approval", "every_job");
  std::vector<Child> members;
  for (int m = 1; m <= 3; ++m)
    members.push_back(f.start_member(m));
  Child coordinator = f.start_coordinator();
  ASSERT_TRUE(wait_until(
      [&] { return f.coordinator_log().find("has to approve every job") != std::string::npos; },
      seconds(60)))
      << f.coordinator_log();
  EXPECT_EQ(coordinator.wait(seconds(3)), std::nullopt) << f.coordinator_log();
  EXPECT_TRUE(f.done_rounds().empty());
  for (const auto& entry : fs::directory_iterator(f.site(3) / "offered-jobs"))
    ASSERT_EQ(policy(f, {"approve", entry.path(), "--dir", f.site(3), "--by", "A. Officer",
                         "--reason", "agreed", "--job-only"})
                  .status,
              0);
  EXPECT_EQ(coordinator.wait(seconds(120)), 0) << f.coordinator_log();
  for (auto& m : members)
    EXPECT_EQ(m.wait(seconds(20)), 0);
}

TEST(PolicyCommand, AJobIsExplainedWithItsCostAndEveryRule) {
  const fs::path folder = fs::temp_directory_path() / ("sotto-explain-" + std::to_string(getpid()));
  fs::create_directories(folder);
  const fs::path configs = fs::path(SOTTO_SOURCE_DIR) / "configs/quickstart";
  const auto explain = [&](std::vector<std::string> more) {
    std::vector<std::string> command = {Federation::participant_binary(),
                                        "policy",
                                        "explain",
                                        configs / "job.json",
                                        "--site",
                                        configs / "site.json",
                                        "--dir",
                                        folder};
    command.insert(command.end(), more.begin(), more.end());
    fs::remove(folder / "out");
    const int status = run(command, folder / "out");
    return Said{status, text_of(folder / "out")};
  };
  const Said sentences = explain({});
  EXPECT_EQ(sentences.status, 0) << sentences.text;
  for (const char* part :
       {"classify texts into 7 classes: AddToPlaylist",
        "family bert. The job trains and sends the whole model",
        "The data set 'aurora' has spent epsilon 0 so far",
        "lifetime budget is epsilon 8 at delta 1e-05", "Scope of the protection",
        "The guarantee for a whole participant",
        "the coordinator sees only sums over at least 3 sites", "meets   allowed_coordinators",
        "meets   max_epsilon ", "open    min_cohort",
        "This site would accept the job. The rules that are marked open"})
    EXPECT_NE(sentences.text.find(part), std::string::npos) << part << "\n" << sentences.text;
  const Said refused = explain({"--set", "differential_privacy.target_epsilon=9", "--json"});
  EXPECT_EQ(refused.status, 3);
  const json answer = json::parse(refused.text);
  EXPECT_EQ(answer["answer"], "decline");
  EXPECT_EQ(answer["reason"],
            "the job asks for epsilon 9; this site allows at most 8 for a job "
            "(policy.max_epsilon_per_job)");
  EXPECT_GT(answer["cost"]["epsilon_after_job"], 8.5) << "the rest is explained all the same";
  for (const auto& entry : fs::directory_iterator(folder))
    EXPECT_EQ(entry.path().filename(), "out") << "nothing is left behind";
  fs::remove_all(folder);
}

}  // namespace
}  // namespace sotto::process_test
