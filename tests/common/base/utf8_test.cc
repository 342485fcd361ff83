#include "common/base/utf8.h"

#include <string>

#include <gtest/gtest.h>

namespace sotto {
namespace {

TEST(Utf8, RefusesOverlongFormsAndSurrogates) {
  EXPECT_TRUE(is_utf8("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x81"));
  for (const char* bad :
       {"\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82", "\xFF", "\x80"})
    EXPECT_FALSE(is_utf8(bad));
}

TEST(Utf8, SaysWhereTheFirstFaultIs) {
  EXPECT_EQ(utf8_prefix("abc"), 3U);
  EXPECT_EQ(utf8_prefix("\xC3\xA9 \xE9t\xC3\xA9"), 3U);
  EXPECT_EQ(utf8_prefix("ab\xE2\x82"), 2U);
}

TEST(Utf8, CountsCharactersNotBytes) {
  EXPECT_EQ(utf8_length("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x81"), 4U);
}

}  // namespace
}  // namespace sotto
