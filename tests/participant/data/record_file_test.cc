// What a changed, cut, mixed or foreign record store may not do: open.
#include <algorithm>

#include <sodium.h>
#include <sys/stat.h>

#include "common/crypto/sealed_record.h"
#include "common/storage/atomic_file.h"
#include "tests/participant/data/record_store_fixture.h"

namespace sotto::data {
namespace {

const std::vector<std::string> kRecords{"the first", "", "a third one, the longest of all", "last"};

struct RecordFileTest : RecordStoreTest {
  Bytes bytes_of(const std::string& name) {
    return storage::read_file(folder / name, 1 << 20).value();
  }

  void put(const std::string& name, const Bytes& bytes) {
    ASSERT_TRUE(
        storage::write_file_atomically(folder / name, {bytes}, storage::FileAccess::kOwnerOnly)
            .ok());
  }

  Result<std::string> read(const RecordFile& file, std::size_t index) {
    Bytes out(file.size_of(index), 0xee);
    const Status read = file.read(index, out);
    if (read) return text_of(out);
    EXPECT_TRUE(std::ranges::all_of(out, [](auto b) { return b == 0; })) << "left in the buffer";
    return read.error();
  }

  /// The whole store, or the first error.
  Result<std::vector<std::string>> read_all(const std::string& name) {
    Result<RecordFile> file = RecordFile::open(folder / name, key);
    if (!file) return file.error();
    std::vector<std::string> out;
    for (std::size_t i = 0; i < file->count(); ++i) {
      Result<std::string> record = read(*file, i);
      if (!record) return record.error();
      out.push_back(*record);
    }
    return out;
  }
};

TEST_F(RecordFileTest, GivesBackWhatWasPutInAtAnyPlaceInAnyOrder) {
  const Bytes32 id = write("s", kRecords);
  const RecordFile file = RecordFile::open(folder / "s", key).value();
  EXPECT_EQ(file.count(), 4U);
  EXPECT_EQ(file.id(), id);
  EXPECT_EQ(file.kind(), Kind::kTexts);
  for (const std::size_t i : {3U, 0U, 2U, 2U, 1U})
    EXPECT_EQ(read(file, i).value(), kRecords[i]);

  struct stat about {};

  ASSERT_EQ(::stat((folder / "s").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777U, 0600U);
}

TEST_F(RecordFileTest, ShowsNoPlaintextAndNothingTwice) {
  write("s", {"the same text", "the same text", "the same text"});
  const Bytes bytes = bytes_of("s");
  EXPECT_EQ(text_of(bytes).find("same"), std::string::npos);
  const std::size_t sealed = 13 + crypto::kRecordOverhead;
  const BytesView last = BytesView(bytes).last(sealed), middle = BytesView(bytes).last(2 * sealed);
  EXPECT_FALSE(std::ranges::equal(last, middle.first(sealed)));
}

TEST_F(RecordFileTest, EveryFlippedBitAndEveryCutIsRefused) {
  write("s", kRecords);
  const Bytes good = bytes_of("s");
  ASSERT_TRUE(read_all("s").ok());
  for (std::size_t at = 0; at < good.size(); ++at) {
    Bytes bad = good;
    bad[at] ^= static_cast<std::uint8_t>(1U << (at % 8));
    put("bad", bad);
    const auto read = read_all("bad");
    ASSERT_FALSE(read.ok()) << "byte " << at;
    EXPECT_EQ(read.error().message.find((folder / "bad").string() + ": "), 0U);
    bad = good;
    bad.resize(at);
    put("bad", bad);
    ASSERT_FALSE(read_all("bad").ok()) << "cut after " << at;
  }
  Bytes longer = good;
  longer.push_back(0);
  put("bad", longer);
  EXPECT_NE(read_all("bad").error().message.find("cut or lengthened"), std::string::npos);
}

TEST_F(RecordFileTest, ARecordOpensAtItsPlaceInItsStoreAlone) {
  const std::vector<std::string> alike{"aaaa", "bbbb", "cccc"};
  write("one", alike);
  write("two", alike);
  const Bytes one = bytes_of("one"), two = bytes_of("two");
  const auto record = [&](std::size_t i) {
    const std::size_t size = 4 + crypto::kRecordOverhead;
    return static_cast<std::ptrdiff_t>(one.size() - (3 - i) * size);
  };
  Bytes swapped = one;
  std::swap_ranges(swapped.begin() + record(0), swapped.begin() + record(1),
                   swapped.begin() + record(1));
  put("bad", swapped);
  EXPECT_EQ(read_all("bad").error().message,
            (folder / "bad").string() +
                ": record 1: it fails authentication: the file was damaged or changed");
  Bytes mixed = one;
  std::copy(two.begin() + record(2), two.end(), mixed.begin() + record(2));
  put("bad", mixed);
  EXPECT_NE(read_all("bad").error().message.find("record 3"), std::string::npos);
  Bytes heads = one;
  std::copy(two.begin(), two.begin() + record(0), heads.begin());
  put("bad", heads);
  EXPECT_NE(read_all("bad").error().message.find("record 1"), std::string::npos);
}

TEST_F(RecordFileTest, AnotherKeyIsToldFromADamagedFile) {
  write("s", kRecords);
  const auto other = RecordFile::open(folder / "s", crypto::Secret32::random(random));
  EXPECT_NE(other.error().message.find("another key"), std::string::npos);
  put("text", Bytes(200, 'x'));
  EXPECT_NE(read_all("text").error().message.find("not a record store"), std::string::npos);
  EXPECT_FALSE(is_record_store(folder / "text"));
  EXPECT_TRUE(is_record_store(folder / "s"));
  EXPECT_FALSE(is_record_store(folder / "absent"));
  EXPECT_NE(read_all("absent").error().message.find("cannot be opened"), std::string::npos);
}

TEST(SealedRecord, IsASecretstreamThatLibsodiumOpensAndTheOtherWayRound) {
  crypto::OsRandom random;
  const crypto::Secret32 key = crypto::Secret32::random(random);
  const std::string text = "plain", place = "place";
  const Bytes ours = crypto::seal_record(key, view_of(text), view_of(place), random);
  crypto_secretstream_xchacha20poly1305_state state;
  ASSERT_EQ(
      crypto_secretstream_xchacha20poly1305_init_pull(&state, ours.data(), key.expose().data()), 0);
  Bytes out(text.size());
  unsigned char tag = 0;
  ASSERT_EQ(crypto_secretstream_xchacha20poly1305_pull(&state, out.data(), nullptr, &tag,
                                                       ours.data() + 24, ours.size() - 24,
                                                       view_of(place).data(), place.size()),
            0);
  EXPECT_EQ(text_of(out), text);
  EXPECT_EQ(tag, crypto_secretstream_xchacha20poly1305_TAG_FINAL);

  const auto theirs = [&](unsigned char with_tag) {
    Bytes sealed(24 + text.size() + 17);
    crypto_secretstream_xchacha20poly1305_init_push(&state, sealed.data(), key.expose().data());
    crypto_secretstream_xchacha20poly1305_push(&state, sealed.data() + 24, nullptr,
                                               view_of(text).data(), text.size(),
                                               view_of(place).data(), place.size(), with_tag);
    return sealed;
  };
  EXPECT_TRUE(crypto::open_record(key, theirs(crypto_secretstream_xchacha20poly1305_TAG_FINAL),
                                  view_of(place), out));
  EXPECT_EQ(text_of(out), text);
  EXPECT_FALSE(crypto::open_record(key, theirs(0), view_of(place), out)) << "a stream that goes on";
  EXPECT_EQ(text_of(out), std::string(5, '\0'));
}

}  // namespace
}  // namespace sotto::data
