// A disk that is really full: the run folder, or a site's folder, on a small file system of its
// own, with real processes. Mounting one needs root; without, these tests are skipped and say so
// (what each writer does with an error is in the unit tests).
#include <cerrno>
#include <cstring>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include "common/storage/file_descriptor.h"
#include "tests/process/federation.h"

namespace sotto::process_test {
namespace {

namespace fs = std::filesystem;

constexpr int kMembers = 4;
constexpr int kRounds = 5;

/// A tmpfs over a folder, whose files move onto it; all is back where it was when this goes.
class SmallDisk {
 public:
  explicit SmallDisk(fs::path folder) : folder_(std::move(folder)) {
    const fs::path aside = folder_.string() + ".aside";
    fs::create_directories(folder_);
    fs::rename(folder_, aside);
    fs::create_directories(folder_);
    fs::permissions(folder_, fs::status(aside).permissions());
    mounted_ = ::mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=64m,mode=700") == 0;
    fs::copy(aside, folder_, fs::copy_options::recursive);
    fs::remove_all(aside);
  }

  ~SmallDisk() {
    if (mounted_) ::umount2(folder_.c_str(), MNT_DETACH);
  }

  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  [[nodiscard]] bool mounted() const { return mounted_; }

  /// Not a byte is left, until somebody gives some back.
  void fill() {
    const storage::FileDescriptor file(
        ::open(filler().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    const std::string block(1 << 20, 'x');
    for (std::size_t size = block.size(); size > 0;)
      if (::write(file.get(), block.data(), size) <= 0) size /= 2;
  }

  void make_room() const { fs::remove(filler()); }

 private:
  [[nodiscard]] fs::path filler() const { return folder_ / "filler"; }

  fs::path folder_;
  bool mounted_ = false;
};

#define SKIP_UNLESS_MOUNTED(disk) \
  if (!(disk).mounted()) GTEST_SKIP() << "a tmpfs of its own cannot be mounted: no root"

std::vector<Child> start_members(Federation& f) {
  std::vector<Child> out;
  for (int m = 1; m <= kMembers; ++m)
    out.push_back(f.start_member(m));
  return out;
}

const std::vector<std::string> kJob{"rounds.num_server_rounds=" + std::to_string(kRounds)};
/// Everybody is in every round.
const std::vector<std::string> kWithAll{kJob[0], "rounds.min_available_participants=4"};

TEST(FullDisk, TheCoordinatorNamesTheFileEndsWithTwoAndGoesOnWithTheRoundOnceThereIsRoom) {
  Federation f(kMembers);
  SmallDisk disk(f.run_folder());
  SKIP_UNLESS_MOUNTED(disk);
  auto members = start_members(f);
  Child coordinator = f.start_coordinator(kWithAll);
  ASSERT_TRUE(f.wait_for_rounds(2, seconds(60))) << f.coordinator_log();
  std::optional<int> end;
  for (int tries = 0; tries < 3000 && !end;
       ++tries) {  // a finished round gives its uploads' space back
    disk.fill();
    end = coordinator.wait(seconds(0));
  }
  ASSERT_EQ(end, 2) << f.coordinator_log();
  const std::string said = f.coordinator_log();
  EXPECT_NE(said.find("No space left on device"), std::string::npos) << said;
  EXPECT_NE(said.find((f.run_folder() / "").string()), std::string::npos) << "the file: " << said;
  EXPECT_NE(said.find("free space"), std::string::npos) << said;
  EXPECT_EQ(f.start_coordinator(kWithAll).wait(seconds(30)), 2) << "and again while there is none";
  disk.make_room();
  ASSERT_EQ(f.start_coordinator(kWithAll).wait(seconds(120)), 0) << f.coordinator_log();
  EXPECT_EQ(f.rounds().size(), kRounds + 1U) << "a round was lost or released twice";
  for (const auto& round : f.rounds()) {
    EXPECT_EQ(round["status"], "done") << round;
    EXPECT_EQ(round["survivors"], kMembers) << round;
  }
  for (int m = 1; m <= kMembers; ++m)
    EXPECT_EQ(f.ledger(m)["entries"], kRounds + 1) << f.member_log(m);
}

TEST(FullDisk, OfASiteNothingLeavesThatItsLedgerAndGuardDoNotHold) {
  Federation f(kMembers);
  SmallDisk disk(f.site(kMembers));
  SKIP_UNLESS_MOUNTED(disk);
  auto members = start_members(f);
  Child coordinator = f.start_coordinator(kJob);
  ASSERT_TRUE(f.wait_for_rounds(1, seconds(60))) << f.coordinator_log();
  std::size_t whole = 0;  // rounds before anything was full
  const auto full_rounds = [&] {
    std::size_t count = 0;
    for (const auto& [number, round] : f.done_rounds())
      if (round["survivors"] == kMembers) ++count;
    return count;
  };
  disk.fill();
  whole = full_rounds();
  ASSERT_TRUE(f.wait_for_rounds(whole + 3, seconds(90))) << f.coordinator_log();
  EXPECT_LE(full_rounds(), whole + 1) << "an upload that could not be charged was in a sum";
  disk.make_room();
  Child& stopped = members.back();
  if (!stopped.running()) stopped = f.start_member(kMembers);
  ASSERT_EQ(coordinator.wait(seconds(120)), 0) << f.coordinator_log();
  EXPECT_GE(f.ledger(kMembers)["entries"], full_rounds()) << f.member_log(kMembers);
  EXPECT_LT(full_rounds(), kRounds + 1U);
}

}  // namespace
}  // namespace sotto::process_test
