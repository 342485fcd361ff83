// The audit logs of a whole federation, checked by the commands and against each other.
#include <fstream>
#include <iterator>
#include <sstream>

#include <gtest/gtest.h>

#include "common/config/parse.h"
#include "common/job/privacy_statement.h"
#include "tests/process/federation.h"

namespace sotto::process_test {
namespace {

using nlohmann::json;

/// The entries of a log by their kind.
std::multimap<std::string, json> entries(const std::filesystem::path& folder) {
  std::multimap<std::string, json> out;
  std::ifstream in(folder / "audit.jsonl");
  for (std::string line; std::getline(in, line);) {
    const json entry = json::parse(line);
    out.emplace(entry["kind"], entry["fields"]);
  }
  return out;
}

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Whoever wrote the log accepted a job, and wrote these fields down with it.
void expect_statement(const std::multimap<std::string, json>& log,
                      const std::vector<std::pair<std::string, std::string>>& statement) {
  const auto accepted = log.find("job_accepted");
  ASSERT_NE(accepted, log.end());
  for (const auto& [key, value] : statement)
    EXPECT_EQ(accepted->second[key], value) << key;
}

struct Verified {
  int status;
  json report;
};

Verified verify(const Federation& f, std::vector<std::string> command) {
  const auto out = f.folder() / "verify.json";
  std::filesystem::remove(out);
  command.push_back("--json");
  const int status = run(command, out);
  std::ifstream in(out);
  return {status, json::parse(in, nullptr, false)};
}

void change_line(const std::filesystem::path& file, std::size_t number) {
  std::ifstream in(file);
  std::string text, line;
  for (std::size_t at = 1; std::getline(in, line); ++at) {
    if (at == number) line[60] = line[60] == 'x' ? 'y' : 'x';
    text += line + "\n";
  }
  std::ofstream(file) << text;
}

TEST(Audit, EveryPartysLogOfARunVerifiesAndTheyAgree) {
  Federation f(3);
  f.set_policy(3, "max_epsilon_per_job", 0.5);
  std::vector<Child> members;
  for (int m = 1; m <= 3; ++m)
    members.push_back(f.start_member(m));
  {
    Child coordinator = f.start_coordinator();
    EXPECT_EQ(coordinator.wait(seconds(100)), 3) << "one of three refuses: " << f.coordinator_log();
  }
  members.clear();
  f.set_policy(3, "max_epsilon_per_job", 1000);
  for (int m = 1; m <= 3; ++m)
    members.push_back(f.start_member(m));
  Child coordinator = f.start_coordinator();
  ASSERT_EQ(coordinator.wait(seconds(150)), 0) << f.coordinator_log();
  for (auto& m : members)
    EXPECT_EQ(m.wait(seconds(20)), 0);

  const auto home = f.folder() / "coordinator";
  const auto said = entries(home);
  EXPECT_EQ(said.count("identity_made"), 1U);
  EXPECT_EQ(said.count("roster_signed"), 1U);
  EXPECT_EQ(said.count("run_started"), 1U);
  EXPECT_EQ(said.count("job_refused"), 1U);
  EXPECT_EQ(said.find("job_refused")->second["member"], "site-3");
  EXPECT_EQ(said.count("sum_released"), f.done_rounds().size());
  const auto job = config::parse_job(text_of(f.run_folder() / "job.json"), "job.json");
  const auto statement = job::statement_audit_fields(std::get<config::JobConfig>(job));
  expect_statement(said, statement);
  EXPECT_EQ(said.count("run_ended"), 2U);
  const std::string roster = said.find("roster_signed")->second["hash"];
  for (int m = 1; m <= 3; ++m) {
    const auto site = entries(f.site(m));
    EXPECT_EQ(site.find("roster_pinned")->second["hash"], roster);
    EXPECT_GE(site.count("policy"), 1U) << "the first process may have ended before its turn";
    EXPECT_EQ(site.count("job_refused"), m == 3 ? 1U : 0U);
    expect_statement(site, statement);  // the same as the coordinator's
    EXPECT_EQ(site.count("update_released"), f.ledger(m)["entries"].get<std::size_t>())
        << "what is charged is written down";
    EXPECT_GE(site.count("run_ended"), 1U);
    const Verified own =
        verify(f, {Federation::participant_binary(), "audit", "verify", f.site(m)});
    EXPECT_EQ(own.status, 0) << own.report;
    EXPECT_TRUE(own.report["whole"]);
    // The coordinator's operator checks a member's log by the roster.
    const Verified others =
        verify(f, {Federation::coordinator_binary(), "audit", "verify", f.site(m), "--federation",
                   home / "federation.json", "--member", "site-" + std::to_string(m)});
    EXPECT_EQ(others.status, 0) << others.report;
    EXPECT_EQ(others.report["head"], own.report["head"]);
  }
  const Verified whole = verify(f, {Federation::participant_binary(), "audit", "verify", home,
                                    "--federation", home / "federation.json"});
  ASSERT_EQ(whole.status, 0) << whole.report;

  // The end is cut: only the head that a member kept tells.
  const std::string head = whole.report["head"];
  const auto log = home / "audit.jsonl";
  std::ifstream in(log);
  std::stringstream text;
  text << in.rdbuf();
  std::string cut = text.str();
  cut.erase(cut.rfind('\n', cut.size() - 2) + 1);
  std::ofstream(log) << cut;
  EXPECT_EQ(verify(f, {Federation::coordinator_binary(), "audit", "verify", home}).status, 0);
  const Verified told =
      verify(f, {Federation::coordinator_binary(), "audit", "verify", home, "--head", head});
  EXPECT_EQ(told.status, 3);
  EXPECT_EQ(told.report["findings"][0]["kind"], "cut") << told.report;

  change_line(log, 2);
  const Verified changed = verify(f, {Federation::coordinator_binary(), "audit", "verify", home});
  EXPECT_EQ(changed.status, 3);
  EXPECT_EQ(changed.report["findings"][0]["kind"], "changed") << changed.report;
  EXPECT_EQ(changed.report["findings"][0]["line"], 2) << changed.report;
  Child refused = f.start_coordinator();
  EXPECT_EQ(refused.wait(seconds(20)), 2) << "nothing goes on behind a changed log";
  EXPECT_NE(f.coordinator_log().find("audit.jsonl, line 2"), std::string::npos);
}

}  // namespace
}  // namespace sotto::process_test
