#include "common/observability/audit_log.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "common/observability/audit_check.h"
#include "tests/temporary_directory.h"

namespace sotto::observability {
namespace {

using Kind = AuditFinding::Kind;

crypto::SigningKey key_of(std::uint64_t seed) {
  crypto::StreamRandom random(seed);
  return crypto::SigningKey::generate(random);
}

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

void write(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

AuditEvent event(int number) {
  return {.kind = "job_accepted",
          .fields = {{"job", "job " + std::to_string(number)}, {"reason", "fits the policy"}}};
}

/// Lines of a log with `count` entries, each with its line feed.
std::vector<std::string> lines_of(const crypto::SigningKey& key, int count) {
  std::vector<std::string> lines;
  AuditHead head = audit_start(key.verify_key());
  for (int i = 1; i <= count; ++i) {
    const std::string line =
        audit_line(head, event(i), 1700000000 + 10U * static_cast<unsigned>(i), key);
    head = audit_head(line, head.sequence + 1);
    lines.push_back(line + "\n");
  }
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines)
    out += line;
  return out;
}

struct Expected {
  Kind kind;
  std::uint64_t line;

  bool operator==(const Expected&) const = default;
};

std::vector<Expected> found(const std::string& log, const crypto::SigningKey& key,
                            const std::vector<AuditHead>& shown = {}) {
  std::vector<Expected> out;
  for (const AuditFinding& f : check_audit_log(view_of(log), key.verify_key(), shown).findings)
    out.push_back({f.kind, f.line});
  return out;
}

void PrintTo(const Expected& e, std::ostream* out) {
  *out << name(e.kind) << " in line " << e.line;
}

TEST(AuditLog, WhatIsAppendedVerifiesAndSaysWhatAndWhen) {
  const TemporaryDirectory folder;
  const auto key = key_of(1);
  auto log = AuditLog::open(folder / kAuditFile, key);
  ASSERT_TRUE(log.ok()) << log.error().message;
  ASSERT_TRUE(log->append({"enrolled", {{"member", "site \"ä\"\n\x1b[31m"}}}, 1700000000).ok());
  ASSERT_TRUE(log->append(event(2), 1700000001).ok());
  const std::string text = text_of(folder / kAuditFile);
  EXPECT_TRUE(text.starts_with(R"({"sequence":1,"time":"2023-11-14T22:13:20Z","kind":"enrolled",)"
                               R"("fields":{"member":"site \"\u00e4\"\n\u001b[31m"},"previous":")"))
      << text;
  const AuditReport report = check_audit_log(view_of(text), key.verify_key());
  EXPECT_TRUE(report.whole()) << describe(report, "log");
  EXPECT_EQ(report.lines, 2U);
  EXPECT_EQ(report.head, log->head());
}

TEST(AuditLog, AnotherPartysKeyVerifiesNothing) {
  const auto mine = key_of(1);
  EXPECT_EQ(found(joined(lines_of(mine, 2)), key_of(2)),
            (std::vector<Expected>{{Kind::kChanged, 1}, {Kind::kChanged, 2}}));
}

TEST(AuditLog, EveryChangeOfEveryByteIsFound) {
  const auto key = key_of(3);
  const std::string whole = joined(lines_of(key, 3));
  ASSERT_TRUE(found(whole, key).empty());
  for (std::size_t at = 0; at < whole.size(); ++at) {
    const auto line = static_cast<std::uint64_t>(1 + std::ranges::count(whole.substr(0, at), '\n'));
    for (const int flip : {0x01, 0x20, 0x80}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      const auto findings = found(changed, key);
      ASSERT_FALSE(findings.empty()) << "byte " << at << " ^ " << flip;
      ASSERT_EQ(findings.front().line, line) << "byte " << at << " ^ " << flip;
    }
  }
}

TEST(AuditLog, EveryByteDroppedOrDoubledIsFound) {
  const auto key = key_of(4);
  const std::string whole = joined(lines_of(key, 3));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string dropped = whole;
    dropped.erase(at, 1);
    ASSERT_FALSE(found(dropped, key).empty()) << "byte " << at;
    std::string doubled = whole;
    doubled.insert(at, 1, whole[at]);
    ASSERT_FALSE(found(doubled, key).empty()) << "byte " << at;
  }
}

TEST(AuditLog, EveryLineDroppedIsNamedButTheLast) {
  const auto key = key_of(5);
  for (std::size_t drop = 0; drop < 5; ++drop) {
    auto lines = lines_of(key, 5);
    lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(drop));
    const auto findings = found(joined(lines), key);
    if (drop == 4)
      EXPECT_TRUE(findings.empty()) << "the end of a log is known only to who was shown it";
    else
      EXPECT_EQ(findings, (std::vector<Expected>{{Kind::kMissing, drop + 1}}));
  }
}

TEST(AuditLog, ACutEndIsFoundByTheHeadThatAnotherPartyKept) {
  const auto key = key_of(6);
  auto lines = lines_of(key, 5);
  const AuditHead shown = check_audit_log(view_of(joined(lines)), key.verify_key()).head;
  EXPECT_TRUE(found(joined(lines), key, {shown}).empty());
  lines.pop_back();
  EXPECT_EQ(found(joined(lines), key, {shown}), (std::vector<Expected>{{Kind::kCut, 0}}));
  // And a log that was cut and went on otherwise is no better.
  AuditHead head = check_audit_log(view_of(joined(lines)), key.verify_key()).head;
  lines.push_back(audit_line(head, event(99), 1800000000, key) + "\n");
  EXPECT_TRUE(found(joined(lines), key).empty()) << "only the head tells";
  EXPECT_EQ(found(joined(lines), key, {shown}), (std::vector<Expected>{{Kind::kRewritten, 5}}));
  const auto parsed = parse_audit_head(to_text(shown));
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(*parsed, shown);
  for (const char* bad : {"", "5", "5:", "5:abcd", ":00", "x:00", "5x:00"})
    EXPECT_FALSE(parse_audit_head(bad).ok()) << bad;
}

TEST(AuditLog, ReorderedRepeatedAndForeignLinesAreNamed) {
  const auto key = key_of(7);
  const auto whole = lines_of(key, 5);
  auto lines = whole;
  std::swap(lines[1], lines[2]);
  EXPECT_EQ(found(joined(lines), key),
            (std::vector<Expected>{{Kind::kMoved, 2}, {Kind::kMoved, 3}}));
  lines = whole;
  lines.insert(lines.begin() + 4, whole[1]);
  EXPECT_EQ(found(joined(lines), key), (std::vector<Expected>{{Kind::kRepeated, 5}}));
  lines = whole;
  lines.insert(lines.begin() + 2, "{\"sequence\":3}\n");
  EXPECT_EQ(found(joined(lines), key), (std::vector<Expected>{{Kind::kChanged, 3}}));
  lines = whole;
  lines[2] = "\n";
  EXPECT_EQ(found(joined(lines), key), (std::vector<Expected>{{Kind::kChanged, 3}}));
}

TEST(AuditLog, AHistoryThatWasRewrittenBehindAnOldEntryIsFound) {
  const auto key = key_of(8);
  auto lines = lines_of(key, 4);
  // The party itself signs another entry 2, and keeps 3 and 4.
  const AuditHead first = audit_head(std::string_view(lines[0]).substr(0, lines[0].size() - 1), 1);
  lines[1] = audit_line(first, event(77), 1700000020, key) + "\n";
  EXPECT_EQ(found(joined(lines), key), (std::vector<Expected>{{Kind::kRewritten, 3}}));
}

TEST(AuditLog, EveryTornEndIsToldAndTheNextEntrySaysSo) {
  const auto key = key_of(9);
  const auto lines = lines_of(key, 3);
  const std::string kept = lines[0] + lines[1];
  for (std::size_t torn = 1; torn < lines[2].size(); torn += 13) {
    const TemporaryDirectory folder;
    const auto file = folder / kAuditFile;
    write(file, kept + lines[2].substr(0, torn));
    EXPECT_EQ(found(text_of(file), key), (std::vector<Expected>{{Kind::kIncomplete, 3}}));
    auto log = AuditLog::open(file, key);
    ASSERT_TRUE(log.ok()) << log.error().message;
    ASSERT_TRUE(log->append(event(4), 1700000100).ok());
    const std::string text = text_of(file);
    EXPECT_TRUE(found(text, key).empty());
    EXPECT_TRUE(text.starts_with(kept));
    EXPECT_NE(text.find("\"incomplete_line_dropped\",\"fields\":{\"bytes\":\"" +
                        std::to_string(torn) + "\"}"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("job 4"), std::string::npos);
  }
}

TEST(AuditLog, NothingIsAddedToALogThatSomebodyChanged) {
  const TemporaryDirectory folder;
  const auto key = key_of(10);
  auto lines = lines_of(key, 3);
  lines[1][40] ^= 1;
  write(folder / kAuditFile, joined(lines));
  const auto log = AuditLog::open(folder / kAuditFile, key);
  ASSERT_FALSE(log.ok());
  EXPECT_NE(log.error().message.find("audit.jsonl, line 2: "), std::string::npos)
      << log.error().message;
  EXPECT_EQ(text_of(folder / kAuditFile), joined(lines));
}

TEST(AuditLog, TwoProcessesAppendToOneChain) {
  const TemporaryDirectory folder;
  const auto key = key_of(11);
  auto one = AuditLog::open(folder / kAuditFile, key);
  auto two = AuditLog::open(folder / kAuditFile, key);
  ASSERT_TRUE(one.ok() && two.ok());
  for (int i = 0; i < 6; ++i)
    ASSERT_TRUE((i % 3 == 0 ? two : one)->append(event(i), 1700000000).ok());
  const AuditReport report =
      check_audit_log(view_of(text_of(folder / kAuditFile)), key.verify_key());
  EXPECT_TRUE(report.whole()) << describe(report, "log");
  EXPECT_EQ(report.lines, 6U);
}

TEST(AuditLog, AppendsAtTheSameTimeMakeOneChain) {
  constexpr int kWriters = 4, kEach = 15;
  const TemporaryDirectory directory;
  const auto file = directory / "audit.jsonl";
  const crypto::SigningKey key = key_of(1);
  {
    std::vector<std::jthread> writers;
    for (int writer = 0; writer < kWriters; ++writer)
      writers.emplace_back([&] {
        for (int i = 0; i < kEach; ++i) {
          auto log = AuditLog::open(file, key);
          ASSERT_TRUE(log.ok()) << log.error().message;
          const Status done = log->append(event(i), 1700000000);
          ASSERT_TRUE(done.ok()) << done.error().message;
        }
      });
  }
  EXPECT_TRUE(check_audit_log(view_of(text_of(file)), key.verify_key(), {}).whole());
  EXPECT_EQ(audit_entries(view_of(text_of(file))).size(), std::size_t{kWriters} * kEach);
}

TEST(AuditLog, AnOpenLogThatIsCutOrRewrittenTakesNoMore) {
  const TemporaryDirectory folder;
  const auto file = folder / kAuditFile;
  const auto key = key_of(12);
  auto log = AuditLog::open(file, key);
  ASSERT_TRUE(log.ok());
  for (int i = 1; i <= 3; ++i)
    ASSERT_TRUE(log->append(event(i), 1700000000).ok());
  const std::string whole = text_of(file);
  write(file, whole.substr(0, whole.find('\n') + 1));
  EXPECT_FALSE(log->append(event(4), 1700000000).ok()) << "cut";
  const auto other = lines_of(key, 6);  // longer, whole, and not what was written
  write(file, joined(other));
  EXPECT_FALSE(log->append(event(4), 1700000000).ok()) << "another history";
  EXPECT_EQ(text_of(file), joined(other));
}

TEST(AuditLog, TheReportNamesFileLineAndKind) {
  const auto key = key_of(13);
  auto lines = lines_of(key, 3);
  lines[1][50] ^= 1;
  const AuditReport report = check_audit_log(view_of(joined(lines)), key.verify_key());
  EXPECT_TRUE(describe(report, "a.jsonl").starts_with("a.jsonl:2: changed: is not an entry"))
      << describe(report, "a.jsonl");
  EXPECT_NE(to_json(report, "a.jsonl").find(R"("kind":"changed","line":2)"), std::string::npos)
      << to_json(report, "a.jsonl");
  EXPECT_NE(to_json(report, "a.jsonl").find(R"("whole":false)"), std::string::npos);
}

}  // namespace
}  // namespace sotto::observability
