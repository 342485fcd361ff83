// The keystore: what opens it, what refuses, what stays the same, what is never written in plain.
#include "common/identity/keystore.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <set>

#include <gtest/gtest.h>

#include "common/crypto/hash.h"
#include "common/crypto/key_agreement.h"
#include "tests/temporary_directory.h"

namespace sotto::identity {
namespace {

namespace fs = std::filesystem;
using crypto::kLeastCost;

std::string read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  EXPECT_TRUE(in.good()) << file;
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_text(const fs::path& file, std::string_view text) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
}

template <class Action>
std::string refusal_of(Action action) {
  try {
    action();
  } catch (const StartupError& error) {
    return error.what();
  }
  return {};
}

void expect_contains(const std::string& text, std::string_view part) {
  EXPECT_NE(text.find(part), std::string::npos) << "\"" << text << "\" lacks \"" << part << "\"";
}

Passphrase passphrase(std::string_view text) {
  Passphrase out{crypto::SecretCell(text.size())};
  std::ranges::copy(text, out.text.data());
  return out;
}

KeyFile key_file(std::uint8_t byte) {
  Bytes32 key;
  key.fill(byte);
  return {crypto::Secret32::copy_of(key)};
}

Opener opener(SealedBy by) {
  if (by == SealedBy::kPassphrase) return passphrase("six words drawn at random");
  if (by == SealedBy::kKeyFile) return key_file(7);
  return Nothing{};
}

constexpr std::array kSeals{SealedBy::kNothing, SealedBy::kPassphrase, SealedBy::kKeyFile};

/// The file again after somebody changed it and gave it the checksum that belongs to it.
std::string with_checksum(std::string text) {
  const std::string_view before = ",\n  \"checksum\": \"";
  const std::size_t at = text.rfind(before);
  if (at == std::string::npos) return text;
  // The quotation mark that ends the mac belongs to the checksum's line.
  const std::string head = text.substr(0, at - 1);
  return head + "\"" + std::string(before) +
         to_hex(crypto::hash("SOTTO keystore", {view_of(head)})) + "\"\n}\n";
}

class KeystoreTest : public ::testing::Test {
 protected:
  [[nodiscard]] fs::path home() const { return folder_ / "home"; }

  [[nodiscard]] fs::path file() const { return home() / kKeystoreFile; }

  Keystore make(SealedBy by = SealedBy::kNothing) {
    fs::remove_all(home());
    Keystore keys = Keystore::make("hospital-a", random_);
    keys.save_new(home(), opener(by), kLeastCost, random_);
    return Keystore::open(home(), opener(by));
  }

  [[nodiscard]] std::string refusal(const Opener& with) const {
    return refusal_of([&] { (void)Keystore::open(home(), with); });
  }

  TemporaryDirectory folder_;
  crypto::StreamRandom random_{11};
};

TEST_F(KeystoreTest, ComesBackUnderEverySealForItsOwnerAlone) {
  for (const SealedBy by : kSeals) {
    fs::remove_all(home());
    const Keystore made = Keystore::make("hospital-a", random_);
    made.save_new(home(), opener(by), kLeastCost, random_);
    EXPECT_EQ(fs::status(file()).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_EQ(fs::status(home()).permissions(), fs::perms::owner_all);
    const Keystore keys = Keystore::open(home(), opener(by));
    EXPECT_EQ(keys.description().name, "hospital-a");
    EXPECT_EQ(keys.description().sealed_by, by);
    EXPECT_EQ(keys.description().held, made.description().held);
    const config::Identity identity = keys.identity(1);
    EXPECT_TRUE(identity.signing.seed().equals(made.identity(1).signing.seed()));
    EXPECT_TRUE(identity.transport_secret.equals(made.identity(1).transport_secret));
    EXPECT_EQ(crypto::AgreementKey(identity.transport_secret.clone()).public_key(),
              keys.newest().transport_key);
    EXPECT_EQ(identity.signing.verify_key(), keys.newest().signing_key);
    EXPECT_TRUE(keys.data_key("records").equals(made.data_key("records")));
    EXPECT_EQ(describe(home()).held, made.description().held) << "without anything to open it";
    expect_contains(read_text(file()), "\"sealed_by\": \"" + std::string(name(by)) + "\"");
  }
}

TEST_F(KeystoreTest, IsNeverOverwritten) {
  const Keystore keys = make();
  const std::string before = read_text(file());
  expect_contains(refusal_of([&] { keys.save_new(home(), Nothing{}, kLeastCost, random_); }),
                  "keys are never overwritten");
  EXPECT_EQ(read_text(file()), before);
  keys.save_backup(folder_ / "b", opener(SealedBy::kKeyFile), kLeastCost, random_);
  expect_contains(refusal_of([&] {
                    keys.save_backup(folder_ / "b", opener(SealedBy::kKeyFile), kLeastCost,
                                     random_);
                  }),
                  "never overwritten");
}

TEST_F(KeystoreTest, OpenToOthersItIsRefusedWithTheCommandThatRepairsIt) {
  for (const SealedBy by : kSeals) {
    make(by);
    for (const fs::perms open : {fs::perms::group_read, fs::perms::others_read,
                                 fs::perms::group_write, fs::perms::others_exec}) {
      fs::permissions(file(), fs::perms::owner_read | fs::perms::owner_write | open);
      expect_contains(refusal(opener(by)), "run: chmod 600 " + file().string());
      EXPECT_NE(refusal_of([&] { describe(home()); }), "");
    }
    fs::permissions(file(), fs::perms::owner_read);
    EXPECT_EQ(refusal(opener(by)), "");
    for (const fs::perms open : {fs::perms::group_write, fs::perms::others_write}) {
      fs::permissions(home(), fs::perms::owner_all | open);
      expect_contains(refusal(opener(by)), "run: chmod 700 ");
    }
    fs::permissions(home(), fs::perms::owner_all);
  }
}

TEST_F(KeystoreTest, AWrongPassphraseIsToldFromADamagedFileWithWhatIsLostAndWhatIsNot) {
  make(SealedBy::kPassphrase);
  const std::string wrong = refusal(passphrase("six words drawn at randon"));
  expect_contains(wrong, "this passphrase does not open the file. The file is complete");
  expect_contains(wrong, "Nobody can reset it");
  expect_contains(wrong, "`keys restore`");
  expect_contains(wrong, "ledger.sqlite");
  expect_contains(wrong, "revoke the old card");
  std::string text = read_text(file());
  text[text.find("data_root") + 20] ^= 1;
  write_text(file(), text);
  const std::string damaged = refusal(passphrase("six words drawn at random"));
  expect_contains(damaged, "is damaged, cut off or was edited");
  expect_contains(damaged, "restore it from a backup");
  EXPECT_EQ(damaged.find("passphrase does not"), std::string::npos);
  make(SealedBy::kKeyFile);
  expect_contains(refusal(key_file(8)), "this key file does not open the file");
}

TEST_F(KeystoreTest, AnotherKindOfSealThanItsOwnIsNamed) {
  make(SealedBy::kPassphrase);
  expect_contains(refusal(Nothing{}), "is sealed by a passphrase");
  expect_contains(refusal(key_file(1)), "is sealed by a passphrase");
  make(SealedBy::kKeyFile);
  expect_contains(refusal(passphrase("x")), "is sealed by a key file");
  make(SealedBy::kNothing);
  expect_contains(refusal(passphrase("x")), "is not sealed");
}

TEST_F(KeystoreTest, AFlippedByteOrAMissingEndIsDamage) {
  for (const SealedBy by : kSeals) {
    make(by);
    const std::string text = read_text(file());
    for (std::size_t at = 0; at < text.size(); ++at) {
      std::string damaged = text;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 7)));
      write_text(file(), damaged);
      const std::string why = refusal(opener(by));
      EXPECT_TRUE(why.find("damaged") != std::string::npos) << at << why;
      write_text(file(), text.substr(0, at));
      EXPECT_NE(refusal(opener(by)), "") << at;
    }
    write_text(file(), text + "\n");
    expect_contains(refusal(opener(by)), "damaged");
  }
}

// Somebody who can write the file but not open it: the checksum is no obstacle, the mac is.
TEST_F(KeystoreTest, WhateverIsChangedBehindARightChecksumIsRefused) {
  for (const SealedBy by : kSeals) {
    Keystore keys = make(by);
    keys.rotate(Rotation::kBoth, random_);
    keys.rotate(Rotation::kSigning, random_);
    keys.retire_old();
    keys.rotate(Rotation::kTransport, random_);
    keys.save(home());
    const std::string text = read_text(file());
    ASSERT_EQ(with_checksum(text), text);
    ASSERT_EQ(refusal(opener(by)), "");
    const std::size_t end = text.rfind("\",\n  \"checksum\"");
    for (std::size_t at = 0; at < end; ++at)
      for (const char change : {'0', 'f', '"'}) {
        if (text[at] == change) continue;
        // Argon2id over the largest memory takes a second a try; the bounds have their own test.
        if (by == SealedBy::kPassphrase && at > text.find("argon2id") && at < text.find("salt"))
          continue;
        std::string bent = text;
        bent[at] = change;
        write_text(file(), with_checksum(bent));
        EXPECT_NE(refusal(opener(by)), "") << at << " " << change;
      }
  }
}

TEST_F(KeystoreTest, RandomMutationsBehindARightChecksumAreRefused) {
  Keystore keys = make(SealedBy::kKeyFile);
  keys.rotate(Rotation::kBoth, random_);
  keys.save(home());
  const std::string text = read_text(file());
  for (int round = 0; round < 4000; ++round) {
    std::string bent = text;
    for (std::uint64_t i = 0, n = 1 + random_.below(4); i < n; ++i) {
      const std::size_t at = random_.below(bent.size()), length = random_.below(80);
      switch (random_.below(4)) {
        case 0:
          bent[at] = static_cast<char>(random_.below(256));
          break;
        case 1:
          bent.erase(at, length);
          break;
        case 2:
          bent.insert(at, bent.substr(random_.below(bent.size()), length));
          break;
        default:
          bent.replace(at, std::min(length, bent.size() - at),
                       text.substr(random_.below(text.size()), length));
      }
    }
    if (bent == text || with_checksum(bent) == text) continue;
    write_text(file(), with_checksum(bent));
    ASSERT_NE(refusal(opener(SealedBy::kKeyFile)), "") << round << "\n" << bent;
  }
}

TEST_F(KeystoreTest, TwoFilesOfOneKeystoreCannotBePutTogether) {
  Keystore keys = make(SealedBy::kPassphrase);
  const std::string before = read_text(file());
  keys.rotate(Rotation::kBoth, random_);
  keys.retire_old();
  keys.save(home());
  const std::string after = read_text(file());
  // The wiped generation in the place of the new one, each sealed under the same master key.
  const auto section = [](const std::string& text) {
    const std::size_t begin = text.find("\"keys\""), end = text.find("\"retired\"");
    return std::pair{begin, end - begin};
  };
  std::string bent = after;
  const auto [to, to_size] = section(after);
  const auto [from, from_size] = section(before);
  bent.replace(to, to_size, before.substr(from, from_size));
  write_text(file(), with_checksum(bent));
  expect_contains(refusal(opener(SealedBy::kPassphrase)), "changed by somebody who could not seal");
}

TEST_F(KeystoreTest, AFileCannotAskForMoreMemoryThanIsAllowed) {
  make(SealedBy::kPassphrase);
  const std::string text = read_text(file());
  const auto with = [&](const std::string& operations, const std::string& memory) {
    std::string bent = text;
    bent.replace(bent.find("\"operations\": 1,"), 16, "\"operations\": " + operations + ",");
    bent.replace(bent.find("\"memory_kib\": 8,"), 16, "\"memory_kib\": " + memory + ",");
    write_text(file(), with_checksum(bent));
    return refusal(opener(SealedBy::kPassphrase));
  };
  const auto began = std::chrono::steady_clock::now();
  for (const char* memory : {"1048577", "4294967295", "7", "0"})
    expect_contains(with("1", memory), "allowed are at most 16 passes and 1048576 KiB");
  for (const char* operations : {"17", "4294967295", "0"})
    expect_contains(with(operations, "8"), "allowed are at most");
  for (const char* memory : {"4294967296", "1000000000000", "08", "", "-8", "8.0"})
    expect_contains(with("1", memory), "was not written by this program");
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(2));
  // The cost is bound to the master key.
  expect_contains(with("1", "16"), "does not open the file");
  EXPECT_EQ(with("1", "8"), "");
}

TEST_F(KeystoreTest, AnotherVersionIsNotCalledDamage) {
  make();
  std::string text = read_text(file());
  text.replace(text.find("sotto keystore 1"), 16, "sotto keystore 2");
  write_text(file(), with_checksum(text));
  expect_contains(refusal(Nothing{}), "is a keystore of another version than 1");
  write_text(file(), "{\n  \"format\": \"sotto identity 1\"\n}\n");
  expect_contains(refusal(Nothing{}), "is not a keystore");
}

/// The lines of the file that hold what is sealed under the master key.
std::string entries_of(const std::string& text) {
  const std::size_t begin = text.find("\"data_root\"");
  return text.substr(begin, text.find("\"mac\"") - begin);
}

TEST_F(KeystoreTest, ANewSealRewrapsTheMasterKeyAndNothingElse) {
  Keystore keys = make(SealedBy::kNothing);
  const std::string before = entries_of(read_text(file()));
  keys.reseal(passphrase("the first"), kLeastCost, random_);
  keys.save(home());
  EXPECT_EQ(entries_of(read_text(file())), before);
  EXPECT_EQ(refusal(passphrase("the first")), "");
  Keystore again = Keystore::open(home(), passphrase("the first"));
  again.reseal(passphrase("the second"), kLeastCost, random_);
  again.save(home());
  EXPECT_EQ(entries_of(read_text(file())), before);
  EXPECT_NE(refusal(passphrase("the first")), "");
  const Keystore last = Keystore::open(home(), passphrase("the second"));
  EXPECT_TRUE(last.data_key("records").equals(keys.data_key("records")));
  EXPECT_TRUE(last.identity(1).signing.seed().equals(keys.identity(1).signing.seed()));
}

TEST_F(KeystoreTest, KeysForDataOutliveEverythingThatHappensToTheIdentity) {
  Keystore keys = make();
  const crypto::Secret32 records = keys.data_key("records");
  EXPECT_FALSE(records.equals(keys.data_key("pseudonyms")));
  EXPECT_FALSE(records.equals(Keystore::make("hospital-a", random_).data_key("records")))
      << "another site of the same name";
  keys.rotate(Rotation::kBoth, random_);
  keys.retire_old();
  keys.reseal(key_file(3), kLeastCost, random_);
  keys.save_backup(folder_ / "backup", passphrase("elsewhere"), kLeastCost, random_);
  const Keystore back = Keystore::open_backup(folder_ / "backup", passphrase("elsewhere"));
  back.save_new(folder_ / "restored", passphrase("new"), kLeastCost, random_);
  const Keystore restored = Keystore::open(folder_ / "restored", passphrase("new"));
  EXPECT_TRUE(restored.data_key("records").equals(records));
  EXPECT_EQ(restored.description().held, keys.description().held);
  EXPECT_EQ(restored.description().retired, keys.description().retired);
  EXPECT_TRUE(restored.identity(2).signing.seed().equals(keys.identity(2).signing.seed()));
}

TEST_F(KeystoreTest, ABackupSharesNeitherMasterKeyNorSealWithTheKeystore) {
  const Keystore keys = make(SealedBy::kPassphrase);
  keys.save_backup(folder_ / "backup", passphrase("elsewhere"), kLeastCost, random_);
  EXPECT_NE(entries_of(read_text(folder_ / "backup")), entries_of(read_text(file())));
  EXPECT_NE(refusal_of([&] {
              (void)Keystore::open_backup(folder_ / "backup", opener(SealedBy::kPassphrase));
            }),
            "");
  fs::permissions(folder_ / "backup", fs::perms::others_read, fs::perm_options::add);
  EXPECT_EQ(describe_backup(folder_ / "backup").name, "hospital-a")
      << "sealed, it may lie on a medium that knows no modes";
}

TEST_F(KeystoreTest, ARotationReplacesWhatItIsAskedToAndKeepsTheOldUntilItIsRetired) {
  Keystore keys = make(SealedBy::kPassphrase);
  const PublicKeys first = keys.newest();
  keys.rotate(Rotation::kTransport, random_);
  const PublicKeys second = keys.newest();
  EXPECT_EQ(second.generation, 2u);
  EXPECT_EQ(second.signing_key, first.signing_key);
  EXPECT_NE(second.transport_key, first.transport_key);
  keys.rotate(Rotation::kSigning, random_);
  const PublicKeys third = keys.newest();
  EXPECT_NE(third.signing_key, second.signing_key);
  EXPECT_EQ(third.transport_key, second.transport_key);
  keys.rotate(Rotation::kBoth, random_);
  EXPECT_NE(keys.newest().signing_key, third.signing_key);
  EXPECT_NE(keys.newest().transport_key, third.transport_key);
  expect_contains(refusal_of([&] { keys.rotate(Rotation::kBoth, random_); }), "--finish");
  keys.save(home());
  Keystore loaded = Keystore::open(home(), opener(SealedBy::kPassphrase));
  EXPECT_EQ(loaded.description().held, (std::vector{first, second, third, keys.newest()}));
  EXPECT_EQ(loaded.identity(2).signing.verify_key(), first.signing_key);
  loaded.retire_old();
  EXPECT_EQ(loaded.identity(4).signing.verify_key(), keys.newest().signing_key)
      << "the secrets go with their public halves";
  loaded.save(home());
  const Keystore last = Keystore::open(home(), opener(SealedBy::kPassphrase));
  EXPECT_EQ(last.description().held, (std::vector{keys.newest()}));
  EXPECT_EQ(last.description().retired, (std::vector{first, second, third}));
  EXPECT_TRUE(last.identity(4).signing.seed().equals(keys.identity(4).signing.seed()));
}

TEST_F(KeystoreTest, AHundredRotationsStillFitAndTheNewestRetiredAreKnown) {
  Keystore keys = make(SealedBy::kPassphrase);
  for (int i = 0; i < 100; ++i) {
    while (keys.description().held.size() < kMaxHeld)
      keys.rotate(Rotation::kBoth, random_);
    keys.save(home());
    keys = Keystore::open(home(), opener(SealedBy::kPassphrase));
    keys.retire_old();
  }
  EXPECT_LT(fs::file_size(file()), kMaxFileBytes);
  EXPECT_EQ(keys.description().retired.size(), kMaxRetired);
  EXPECT_EQ(keys.description().retired.back().generation, keys.newest().generation - 1);
}

TEST_F(KeystoreTest, RestoredKeysStayRestrictedAndTheRestrictionCannotBeEdited) {
  Keystore keys = make(SealedBy::kKeyFile);
  keys.restrict_to_successor();
  keys.save(home());
  EXPECT_EQ(Keystore::open(home(), opener(SealedBy::kKeyFile)).newest().use,
            KeyUse::kSuccessorOnly);
  Keystore loaded = Keystore::open(home(), opener(SealedBy::kKeyFile));
  loaded.rotate(Rotation::kBoth, random_);
  EXPECT_EQ(loaded.description().held[0].use, KeyUse::kSuccessorOnly);
  EXPECT_EQ(loaded.newest().use, KeyUse::kAll);
  std::string text = read_text(file());
  text.replace(text.find("\"use\": \"successor\""), 18, "\"use\": \"all\"");
  write_text(file(), with_checksum(text));
  expect_contains(refusal(opener(SealedBy::kKeyFile)), "changed by somebody");
}

TEST_F(KeystoreTest, NoSecretStandsInASealedFileInAnyForm) {
  for (const SealedBy by : {SealedBy::kPassphrase, SealedBy::kKeyFile}) {
    const Keystore keys = make(by);
    const std::string text = read_text(file());
    const config::Identity identity = keys.identity(1);
    for (const BytesView secret : {BytesView(identity.signing.seed().expose()),
                                   BytesView(identity.transport_secret.expose()),
                                   BytesView(keys.data_key("records").expose())}) {
      const std::string raw(secret.begin(), secret.end());
      for (std::size_t part = 0; part + 8 <= secret.size(); part += 8) {
        EXPECT_EQ(text.find(to_hex(secret.subspan(part, 8))), std::string::npos);
        EXPECT_EQ(text.find(raw.substr(part, 8)), std::string::npos);
      }
    }
    EXPECT_EQ(text.find("six words"), std::string::npos);
  }
}

// tests/vectors/keystore/keystore.py reads the same files by itself and holds these figures.
TEST(KeystoreVectors, GoldenFilesOfVersionOneOpen) {
  const fs::path vectors = SOTTO_SOURCE_DIR "/tests/vectors/keystore";
  for (const SealedBy by : kSeals) {
    const fs::path golden = vectors / ("version-1-" + std::string(name(by)) + ".json");
    const Keystore keys = Keystore::open_backup(golden, opener(by));
    const Description& is = keys.description();
    EXPECT_EQ(is.name, "golden");
    ASSERT_EQ(is.held.size(), 2u);
    ASSERT_EQ(is.retired.size(), 1u);
    EXPECT_EQ(is.held[0].use, KeyUse::kSuccessorOnly);
    EXPECT_EQ(is.held[1].use, KeyUse::kAll);
    EXPECT_EQ(is.held[1].generation, 3u);
    std::ifstream in(vectors / "version-1.txt");
    std::string what, hex;
    std::set<std::string> said;
    while (in >> what >> hex) {
      said.insert(what);
      const config::Identity newest = keys.identity(3);
      const crypto::Secret32 secret = what == "data_key(records)" ? keys.data_key("records")
                                      : what == "signing_seed(3)" ? newest.signing.seed().clone()
                                                                  : newest.transport_secret.clone();
      EXPECT_EQ(to_hex(secret.expose()), hex) << what;
    }
    EXPECT_EQ(said.size(), 3u);
  }
}

}  // namespace
}  // namespace sotto::identity
