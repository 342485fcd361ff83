// What commands take for a passphrase or a key file, and what not.
#include "common/cli/passphrase.h"

#include <fstream>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/temporary_directory.h"

namespace sotto::cli {
namespace {

namespace fs = std::filesystem;

class PassphraseTest : public ::testing::Test {
 protected:
  [[nodiscard]] fs::path file() const { return folder_ / "passphrase"; }

  void write(std::string_view text) const {
    std::ofstream(file(), std::ios::binary | std::ios::trunc) << text;
    fs::permissions(file(), fs::perms::owner_read | fs::perms::owner_write);
  }

  /// The passphrase that the file holds, or what is said against it.
  [[nodiscard]] std::string taken_from(const fs::path& from) const {
    try {
      const identity::Passphrase p = read_passphrase(from);
      return {p.text.data(), p.text.data() + p.text.size()};
    } catch (const StartupError& error) {
      return std::string("refused: ") + error.what();
    }
  }

  [[nodiscard]] std::string taken(std::string_view text) const {
    write(text);
    return taken_from(file());
  }

  TemporaryDirectory folder_;
};

TEST_F(PassphraseTest, IsTheLineWithoutItsEnd) {
  EXPECT_EQ(taken("correct horse"), "correct horse");
  EXPECT_EQ(taken("correct horse\n"), "correct horse");
  EXPECT_EQ(taken("correct horse\r\n"), "correct horse");
  EXPECT_EQ(taken(" blanks count "), " blanks count ");
  EXPECT_EQ(taken("gr\xC3\xBC\xC3\x9F"), "gr\xC3\xBC\xC3\x9F");
  EXPECT_EQ(taken(std::string(1024, 'x')).size(), 1024u);
}

TEST_F(PassphraseTest, EmptyLongOrBrokenLinesAreRefused) {
  for (const char* nothing : {"", "\n", "\r\n"})
    EXPECT_NE(taken(nothing).find("the passphrase is empty and would protect nothing"),
              std::string::npos);
  EXPECT_NE(taken(std::string(1025, 'x')).find("at most 1024 bytes"), std::string::npos);
  EXPECT_NE(taken(std::string(100000, 'x')).find("at most 1024 bytes"), std::string::npos);
  for (const std::string& text : {std::string("two\nlines\n"), std::string("a\0b", 3),
                                  std::string("a\tb"), std::string("\nbehind an empty line")})
    EXPECT_NE(taken(text).find("one line without control characters"), std::string::npos) << text;
}

TEST_F(PassphraseTest, AFileThatOthersReadIsRefusedAndAPipeIsTaken) {
  write("secret words\n");
  fs::permissions(file(), fs::perms::group_read, fs::perm_options::add);
  EXPECT_NE(taken_from(file()).find("run: chmod 600 "), std::string::npos);
  EXPECT_NE(taken_from(folder_ / "absent").find("refused: cannot read"), std::string::npos);
  EXPECT_NE(taken_from(fs::path("/dev/zero")).find("neither a file nor a pipe"), std::string::npos);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ASSERT_EQ(::write(ends[1], "through a ", 10), 10);
  ASSERT_EQ(::write(ends[1], "pipe\n", 5), 5);
  ::close(ends[1]);
  EXPECT_EQ(taken_from(fs::path("/dev/fd/" + std::to_string(ends[0]))), "through a pipe");
  ::close(ends[0]);
}

TEST_F(PassphraseTest, FewCharactersAreWarnedOf) {
  const auto weak = [&](std::string_view text) {
    write(text);
    return weakness_of(read_passphrase(file())).has_value();
  };
  EXPECT_TRUE(weak("1234567"));
  EXPECT_FALSE(weak("12345678"));
  EXPECT_TRUE(weak("\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC")) << "four characters in eight bytes";
}

TEST_F(PassphraseTest, AKeyFileIsMadeOnceForItsOwnerAndComesBack) {
  crypto::StreamRandom random(5);
  const identity::KeyFile made = make_key_file(file(), random);
  EXPECT_EQ(fs::status(file()).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_TRUE(read_key_file(file()).key.equals(made.key));
  EXPECT_THROW(make_key_file(file(), random), StartupError);
  fs::permissions(file(), fs::perms::others_read, fs::perm_options::add);
  EXPECT_THROW(read_key_file(file()), StartupError);
  for (const std::string& bad : {std::string(64, 'a'), std::string(63, 'a') + "\n",
                                 std::string(64, 'A') + "\n", std::string(65, 'a') + "\n"}) {
    write(bad);
    EXPECT_THROW(read_key_file(file()), StartupError) << bad;
  }
}

}  // namespace
}  // namespace sotto::cli
