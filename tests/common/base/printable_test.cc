#include "common/base/printable.h"

#include <string>

#include <gtest/gtest.h>

namespace sotto {
namespace {

TEST(Printable, LeavesNoEscapeSequenceNorBrokenUtf8) {
  EXPECT_EQ(printable("epsilon 8 asked, at most 4"), "epsilon 8 asked, at most 4");
  EXPECT_EQ(printable("a\x1b[2Jb\r\n\xff\x7f"), "a?[2Jb????");
}

TEST(Printable, CutsWhatIsTooLong) {
  EXPECT_EQ(printable(std::string(1000, 'x'), 10), "xxxxxxxxxx");
}

}  // namespace
}  // namespace sotto
