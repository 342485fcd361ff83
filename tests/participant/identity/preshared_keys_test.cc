// The files of a site's pre-shared keys.
#include "participant/identity/preshared_keys.h"

#include <fstream>

#include <gtest/gtest.h>

#include "common/base/result.h"
#include "tests/temporary_directory.h"

namespace sotto::participant {
namespace {

namespace fs = std::filesystem;

struct PresharedKeyFiles : ::testing::Test {
  PresharedKeyFiles() {
    roster.members = {{.id = MemberId{1}, .name = "north"},
                      {.id = MemberId{2}, .name = "south"},
                      {.id = MemberId{3}, .name = "west"}};
  }

  void write(const fs::path& file, const std::string& text) const {
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
    fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
    fs::permissions(file.parent_path(), fs::perms::owner_all);
  }

  /// Loading at the site of member 1 is refused, and the error says so.
  void refused(const std::string& why) const {
    try {
      (void)load_preshared_keys(north, roster, MemberId{1});
      ADD_FAILURE() << "loaded";
    } catch (const StartupError& e) {
      EXPECT_NE(std::string(e.what()).find(why), std::string::npos) << e.what();
    }
  }

  const TemporaryDirectory directory;
  const fs::path north = directory / "north", south = directory / "south";
  crypto::StreamRandom random{1};
  config::Roster roster;
};

TEST_F(PresharedKeyFiles, WhatOneMakesTheOtherTakesOver) {
  EXPECT_TRUE(load_preshared_keys(north, roster, MemberId{1}).empty());
  const fs::path made = make_preshared_key(north, "south", random);
  EXPECT_EQ(fs::status(made).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  import_preshared_key(south, "north", made);
  const auto at_north = load_preshared_keys(north, roster, MemberId{1});
  const auto at_south = load_preshared_keys(south, roster, MemberId{2});
  ASSERT_TRUE(at_north.contains(MemberId{2}) && at_south.contains(MemberId{1}));
  EXPECT_TRUE(at_north.at(MemberId{2}).equals(at_south.at(MemberId{1})));
  EXPECT_EQ(at_north.size(), 1U);
}

TEST_F(PresharedKeyFiles, AreNeverOverwritten) {
  const fs::path made = make_preshared_key(north, "south", random);
  EXPECT_THROW(make_preshared_key(north, "south", random), StartupError);
  EXPECT_THROW(import_preshared_key(north, "south", made), StartupError);
}

TEST_F(PresharedKeyFiles, OfNobodyOrOfItselfAreRefused) {
  make_preshared_key(north, "souht", random);
  refused("souht.key is not a key with another member");
  fs::remove(north / "preshared" / "souht.key");
  make_preshared_key(north, "north", random);
  refused("north.key is not a key with another member");
  EXPECT_THROW(make_preshared_key(north, "../south", random), StartupError);
}

TEST_F(PresharedKeyFiles, DamagedOrReadableByOthersAreRefused) {
  const fs::path file = north / "preshared" / "south.key";
  const std::string digits(64, 'a');
  for (const std::string& text : {digits, digits + "\n\n", std::string(64, 'A') + "\n",
                                  digits.substr(1) + "g\n", std::string("aa\n")}) {
    write(file, text);
    refused("is not a line of 64 hexadecimal digits");
  }
  write(file, digits + "\n");
  EXPECT_EQ(load_preshared_keys(north, roster, MemberId{1}).size(), 1U);
  fs::permissions(file, fs::perms::group_read, fs::perm_options::add);
  refused("chmod 600");
  fs::permissions(file, fs::perms::group_read, fs::perm_options::remove);
  fs::permissions(north / "preshared", fs::perms::group_write, fs::perm_options::add);
  refused("chmod 700");
}

}  // namespace
}  // namespace sotto::participant
