#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <type_traits>

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "common/crypto/secret.h"

namespace sotto::crypto {
namespace {

static_assert(!std::is_copy_constructible_v<Secret32> && !std::is_copy_assignable_v<Secret32>);
static_assert(std::is_nothrow_move_constructible_v<Secret32>);

struct Mapping {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  std::string permissions;
  std::string flags;
};

std::vector<Mapping> mappings() {
  std::vector<Mapping> out;
  std::ifstream in("/proc/self/smaps");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("VmFlags:")) {
      out.back().flags = line + " ";
      continue;
    }
    const std::size_t dash = line.find('-');
    const std::size_t colon = line.find(':');
    if (dash == std::string::npos || colon < dash) continue;
    Mapping m;
    std::istringstream fields(line);
    char separator = 0;
    fields >> std::hex >> m.begin >> separator >> m.end >> m.permissions;
    if (!fields.fail()) out.push_back(m);
  }
  return out;
}

TEST(Secret, StartsAsZerosEvenInAUsedCell) {
  OsRandom random;
  for (int i = 0; i < 100; ++i) {
    Secret32 s;
    for (std::uint8_t b : s.expose())
      ASSERT_EQ(b, 0);
    random.fill(s.writable());
  }
}

TEST(Secret, IsWipedWhenItGoes) {
  OsRandom random;
  const std::uint8_t* cell = nullptr;
  {
    const Secret64 s = Secret64::random(random);
    cell = s.expose().data();
    ASSERT_FALSE(constant_time_equal({cell, 64}, Bytes64{}));
  }
  EXPECT_TRUE(constant_time_equal({cell, 64}, Bytes64{}));  // the arena stays mapped
}

TEST(Secret, AssignmentWipesWhatItReplaces) {
  OsRandom random;
  Secret32 s = Secret32::random(random);
  const std::uint8_t* const replaced = s.expose().data();
  s = Secret32::random(random);
  EXPECT_NE(s.expose().data(), replaced);
  EXPECT_TRUE(constant_time_equal({replaced, 32}, Bytes32{}));
}

TEST(Secret, MoveLeavesTheSourceEmpty) {
  SecretCell a(32);
  std::uint8_t* const cell = a.data();
  SecretCell b(std::move(a));
  EXPECT_EQ(b.data(), cell);
  EXPECT_EQ(a.data(), nullptr);  // NOLINT(bugprone-use-after-move): the claim
  EXPECT_EQ(a.size(), 0U);
  OsRandom random;
  Secret32 from = Secret32::random(random);
  const Secret32 to = std::move(from);
  EXPECT_DEATH((void)from.expose(), "moved away");  // NOLINT(bugprone-use-after-move)
}

TEST(Secret, EqualsComparesAllBytes) {
  OsRandom random;
  const Secret32 s = Secret32::random(random);
  EXPECT_TRUE(s.equals(s.clone()));
  for (std::size_t i = 0; i < 32; ++i) {
    Secret32 other = s.clone();
    other.writable()[i] ^= 0x80;
    EXPECT_FALSE(s.equals(other)) << i;
  }
  EXPECT_FALSE(constant_time_equal(Bytes(3), Bytes(4)));
  EXPECT_TRUE(constant_time_equal({}, {}));
}

TEST(SecretArena, HoldsAHundredThousandSecretsInFewMappings) {
  const std::size_t before = mappings().size();
  std::vector<Secret32> secrets;
  std::set<const std::uint8_t*> cells;
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    Secret32& s = secrets.emplace_back();
    for (std::size_t b = 0; b < 4; ++b)
      s.writable()[b] = static_cast<std::uint8_t>(i >> (8 * b));
    cells.insert(s.expose().data());
  }
  EXPECT_EQ(cells.size(), secrets.size());
  EXPECT_LT(mappings().size(), before + 100);
  for (std::uint32_t i = 0; i < secrets.size(); ++i)
    ASSERT_EQ(ByteReader(secrets[i].expose()).u32(), i);
}

TEST(SecretArena, ReusesTheCellsOfSecretsThatWent) {
  std::set<const std::uint8_t*> cells;
  for (int i = 0; i < 10'000; ++i)
    cells.insert(Secret32().expose().data());
  EXPECT_EQ(cells.size(), 1U);
}

TEST(SecretArena, LiesBetweenGuardPagesAndOutsideOfCoreDumps) {
  const Secret32 s;
  const auto at = reinterpret_cast<std::uintptr_t>(s.expose().data());
  const std::vector<Mapping> all = mappings();
  bool found = false;
  for (std::size_t i = 1; i + 1 < all.size(); ++i) {
    if (at < all[i].begin || at >= all[i].end) continue;
    found = true;
    EXPECT_EQ(all[i].permissions, "rw-p");
    EXPECT_NE(all[i].flags.find(" dd "), std::string::npos) << all[i].flags;
    EXPECT_EQ(all[i - 1].end, all[i].begin);
    EXPECT_EQ(all[i - 1].permissions, "---p");
    EXPECT_EQ(all[i].end, all[i + 1].begin);
    EXPECT_EQ(all[i + 1].permissions, "---p");
  }
  EXPECT_TRUE(found);
}

TEST(SecretArena, GivesEverySizeItsOwnAlignedBytes) {
  std::vector<SecretCell> cells;
  for (std::size_t size : {1U, 31U, 32U, 33U, 64U, 240U, 4096U, 8192U, 16384U})
    for (int i = 0; i < 9; ++i) {
      SecretCell& cell = cells.emplace_back(size);
      const auto at = reinterpret_cast<std::uintptr_t>(cell.data());
      EXPECT_EQ(at % (size >= 64 ? 64U : 32U), 0U);
      std::fill_n(cell.data(), size, static_cast<std::uint8_t>(cells.size()));
    }
  for (std::size_t i = 0; i < cells.size(); ++i)
    for (std::size_t b = 0; b < cells[i].size(); ++b)
      ASSERT_EQ(cells[i].data()[b], static_cast<std::uint8_t>(i + 1));
  EXPECT_DEATH(SecretCell(16385), "16 KiB");
  EXPECT_DEATH(SecretCell(0), "16 KiB");
}

TEST(SecretArena, ServesThreadsAtOnce) {
  std::vector<std::thread> threads;
  for (std::uint8_t t = 1; t <= 4; ++t)
    threads.emplace_back([t] {
      std::vector<SecretCell> mine;
      for (int i = 0; i < 2000; ++i) {
        std::fill_n(mine.emplace_back(32).data(), 32, t);
        if (i % 3 == 0) mine.erase(mine.begin());
      }
      for (const SecretCell& cell : mine)
        ASSERT_EQ(std::count(cell.data(), cell.data() + 32, t), 32);
    });
  for (std::thread& thread : threads)
    thread.join();
}

[[noreturn]] void exit_with_0_when_closed() {
  initialize_process();
  rlimit core = {};
  ::getrlimit(RLIMIT_CORE, &core);
  const bool closed = ::prctl(PR_GET_DUMPABLE) == 0 && core.rlim_cur == 0 && core.rlim_max == 0;
  std::_Exit(closed ? 0 : 1);
}

TEST(InitializeProcess, TurnsCoreDumpsAndDebuggersOff) {
  EXPECT_EXIT(exit_with_0_when_closed(), testing::ExitedWithCode(0), "");
}

TEST(InitializeProcess, RefusesACpuWithoutAesInstructions) {
  EXPECT_THROW(require_aes(false), StartupError);
  EXPECT_NO_THROW(require_aes(true));
}

}  // namespace
}  // namespace sotto::crypto
