// What people of a site approved, over crashes, changes of mind and other people's hands.
#include "participant/admission/approvals.h"

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "common/observability/audit_log.h"
#include "participant/admission/job_kind.h"
#include "participant/admission/offered_jobs.h"
#include "tests/temporary_directory.h"

namespace sotto::participant {
namespace {

constexpr std::uint64_t kNow = 1790000000;
const Bytes32 kKind{1}, kOther{2};

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

class ApprovalsTest : public testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path file() const { return folder_ / kApprovalsFile; }

  void say(bool approves, const Bytes32& digest, std::optional<std::uint64_t> expires = {}) {
    const Approval approval{.digest = digest,
                            .what = "the job 'x'",
                            .by = "A. Officer",
                            .reason = "agreed in meeting 7",
                            .expires_unix_s = expires};
    ASSERT_TRUE((approves ? approve : withdraw)(file(), key_, approval, kNow).ok());
  }

  [[nodiscard]] bool approved(const Bytes32& digest, std::uint64_t now = kNow) const {
    const auto read = Approvals::read(file(), key_.verify_key());
    EXPECT_TRUE(read.ok()) << read.error().message;
    return read.ok() && read->in_force(digest, now);
  }

  TemporaryDirectory folder_;
  crypto::SigningKey key_ = key_of(1);
};

TEST_F(ApprovalsTest, WithoutAFileNothingIsApproved) {
  EXPECT_FALSE(approved(kKind));
}

TEST_F(ApprovalsTest, AnApprovalHoldsUntilItIsWithdrawnAndAgainAfterANewOne) {
  say(true, kKind);
  EXPECT_TRUE(approved(kKind));
  EXPECT_FALSE(approved(kOther));
  say(false, kKind);
  EXPECT_FALSE(approved(kKind));
  say(true, kOther);
  EXPECT_FALSE(approved(kKind)) << "another approval brings nothing back";
  say(true, kKind);
  EXPECT_TRUE(approved(kKind));
  const auto entries = Approvals::read(file(), key_.verify_key())->entries(kNow);
  ASSERT_EQ(entries.size(), 4u) << "nothing is taken out of the file";
  EXPECT_FALSE(entries[0].in_force);
  EXPECT_TRUE(entries[1].withdrawal);
  EXPECT_TRUE(entries[2].in_force);
  EXPECT_TRUE(entries[3].in_force);
  EXPECT_EQ(entries[3].approval.by, "A. Officer");
  EXPECT_EQ(entries[3].approval.reason, "agreed in meeting 7");
}

TEST_F(ApprovalsTest, AnApprovalEndsWhenItExpires) {
  say(true, kKind, kNow + 100);
  EXPECT_TRUE(approved(kKind, kNow + 99));
  EXPECT_FALSE(approved(kKind, kNow + 100));
}

TEST_F(ApprovalsTest, ATornLastLineSaysNothingAndWhatIsBeforeItStands) {
  say(true, kKind);
  const std::string first = text_of(file());
  say(true, kOther);
  const std::string whole = text_of(file());
  for (std::size_t cut = first.size(); cut < whole.size(); ++cut) {
    std::ofstream(file(), std::ios::binary) << whole.substr(0, cut);
    ASSERT_TRUE(approved(kKind)) << cut;
    ASSERT_FALSE(approved(kOther)) << cut;
  }
  say(false, kKind);  // over the torn line
  EXPECT_FALSE(approved(kKind));
  say(true, kOther);
  EXPECT_TRUE(approved(kOther));
}

TEST_F(ApprovalsTest, AFileThatSomebodyElseWroteApprovesNothing) {
  say(true, kKind);
  const std::string whole = text_of(file());
  EXPECT_FALSE(Approvals::read(file(), key_of(2).verify_key()).ok());
  for (std::size_t at = 0; at + 1 < whole.size(); at += 7) {
    std::string changed = whole;
    changed[at] = changed[at] == 'x' ? 'y' : 'x';
    std::ofstream(file(), std::ios::binary) << changed;
    const auto read = Approvals::read(file(), key_.verify_key());
    ASSERT_FALSE(read.ok()) << at;
    EXPECT_NE(read.error().message.find("line 1"), std::string::npos);
  }
  EXPECT_FALSE(approve(file(), key_, {.digest = kKind}, kNow).ok())
      << "nothing is added to a file that is not whole";
}

TEST_F(ApprovalsTest, AnEntryOfAnotherLogIsNoApproval) {
  auto log = observability::AuditLog::open(file(), key_);
  ASSERT_TRUE(log.ok());
  ASSERT_TRUE(log->append({"approval_given", {{"digest", to_hex(kKind)}}}, kNow).ok());
  EXPECT_FALSE(Approvals::read(file(), key_.verify_key()).ok());
}

TEST_F(ApprovalsTest, ConsentIsToTheKindOrToTheJobByItsHash) {
  config::JobConfig job;
  job.hash = {9};
  const auto now = [&] {
    return consent_to(job, {5}, *Approvals::read(file(), key_.verify_key()), kNow);
  };
  EXPECT_FALSE(now().to_job || now().to_kind);
  say(true, job.hash);
  EXPECT_TRUE(now().to_job && !now().to_kind);
  say(true, kind_of(job, {6}));
  EXPECT_FALSE(now().to_kind) << "for another coordinator";
  say(true, kind_of(job, {5}));
  EXPECT_TRUE(now().to_kind);
}

TEST(OfferedJobs, AreKeptByTheirHashAndNotWithoutEnd) {
  const TemporaryDirectory folder;
  config::JobConfig job;
  for (std::size_t i = 0; i < kMaxOfferedJobs + 5; ++i) {
    job.hash = {static_cast<std::uint8_t>(i), 1};
    job.canonical = "{\"number\":" + std::to_string(i) + "}";
    const auto file = keep_offered_job(folder / "offered", job);
    ASSERT_TRUE(file.ok());
    EXPECT_EQ(file->filename().string(), to_hex(job.hash) + ".json");
    EXPECT_EQ(text_of(*file), job.canonical);
  }
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "offered"))
    files += entry.is_regular_file() ? 1U : 0U;
  EXPECT_EQ(files, kMaxOfferedJobs);
}

}  // namespace
}  // namespace sotto::participant
