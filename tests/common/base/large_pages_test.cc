#include "common/base/large_pages.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace sotto {
namespace {

/// VmFlags of the mapping that holds `address`, as /proc/self/smaps has them.
std::string flags_of_mapping(std::uintptr_t address) {
  std::ifstream smaps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    std::istringstream range(line);
    std::uintptr_t begin = 0, end = 0;
    char dash = 0;
    if (range >> std::hex >> begin >> dash >> end && dash == '-')
      inside = begin <= address && address < end;
    if (inside && line.starts_with("VmFlags:")) return line + ' ';
  }
  return {};
}

TEST(LargePages, AVectorIsZerosOfTheLengthThatWasAsked) {
  for (const std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{3} << 20}) {
    const auto words = large_vector<std::uint32_t>(length);
    EXPECT_EQ(words.size(), length);
    EXPECT_TRUE(std::ranges::all_of(words, [](std::uint32_t w) { return w == 0; }));
  }
}

TEST(LargePages, TheKernelIsAskedForThemWhereAVectorFillsSome) {
  if (!std::ifstream("/sys/kernel/mm/transparent_hugepage/enabled").good())
    GTEST_SKIP() << "this kernel has no transparent huge pages";
  constexpr std::size_t kLargePage = std::size_t{2} << 20;
  const auto bytes = large_vector<std::uint8_t>(4 * kLargePage);
  const auto begin = std::bit_cast<std::uintptr_t>(bytes.data());
  const std::string flags = flags_of_mapping((begin + kLargePage - 1) / kLargePage * kLargePage);
  EXPECT_NE(flags.find(" hg "), std::string::npos) << flags;
}

}  // namespace
}  // namespace sotto
