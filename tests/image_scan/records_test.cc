// What opened records leave behind: while they are held, nothing outside of the guarded memory;
// when they and the capability are gone, nothing at all.
#include <fstream>
#include <thread>

#include "participant/data/import.h"
#include "participant/data/record_file.h"
#include "participant/data/secure_record_store.h"
#include "tests/image_scan/round_secrets.h"
#include "tests/temporary_directory.h"

namespace sotto::image_scan {
namespace {

using data::Capability;
using data::OpenedRecord;
using data::SecureRecordStore;

constexpr std::size_t kRecords = 20;
constexpr Duration kMinute{60'000};

TimePoint standing_clock() {
  return {};
}

/// 32 letters that nobody guesses, twice: as a text a record is UTF-8 without line ends.
Bytes secret_text(crypto::SecureRandom& random) {
  Bytes letters(64);
  random.fill(letters);
  for (std::uint8_t& letter : letters)
    letter = static_cast<std::uint8_t>('a' + letter % 26);
  return letters;
}

struct RecordsImage : testing::Test {
  /// In the child: a key, a store under it, and the same texts in a plain file.
  Plan make_store() {
    crypto::OsRandom from;
    Plan made;
    const crypto::Secret32 sealing = crypto::Secret32::random(from);
    made.draws[0].scalars.push_back(masked(sealing.expose()));
    data::RecordWriter writer(data::Kind::kTexts, sealing, from);
    std::ofstream plain(folder / "plain.txt", std::ios::binary);
    for (std::size_t i = 0; i < kRecords; ++i) {
      const Bytes text = secret_text(from);
      const std::span<const std::uint8_t> view(text);
      for (const std::size_t half : {0U, 32U})
        made.needles.push_back(
            {"text " + std::to_string(i), masked(view.subspan(half).first<32>())});
      plain.write(reinterpret_cast<const char*>(text.data()), 64);
      plain << '\n';
      Bytes record;
      data::append_field(record, {reinterpret_cast<const char*>(text.data()), text.size()});
      writer.add(record);
    }
    plain.close();
    SOTTO_CHECK(writer.write(folder / "store").ok(), "the child writes its store");
    return made;
  }

  [[nodiscard]] std::unique_ptr<SecureRecordStore> open(Duration time_to_live) const {
    return SecureRecordStore::open(folder / "store", key,
                                   {.time_to_live = time_to_live, .clock = standing_clock})
        .value();
  }

  void expect_nothing(const char* when) {
    for (const std::string& what : search.found())
      ADD_FAILURE() << when << ": " << what;
  }

  TemporaryDirectory folder;
  Plan plan = plan_in_a_child([this] { return make_store(); });
  MaskedRandom random{plan.draws[0].scalars};
  crypto::Secret32 key = crypto::Secret32::random(random);
  Search search{plan.needles};
};

TEST_F(RecordsImage, HeldRecordsLieInGuardedMemoryAloneAndGoWithTheirHolder) {
  const auto store = open(Duration{0});
  {
    const Capability mine = store->grant(data::Purpose::kTrain);
    std::vector<OpenedRecord> held;
    for (std::size_t i = 0; i < kRecords; ++i)
      held.push_back(store->open_record(mine, i).value());
    search.outside_of_the_arena();
    expect_nothing("held");
    held.clear();
    search.everywhere();
    expect_nothing("released, the capability still there");
  }
}

TEST_F(RecordsImage, TheSearchFindsWhatIsHeld) {
  const auto store = open(Duration{0});
  const Capability mine = store->grant(data::Purpose::kTrain);
  const OpenedRecord held = store->open_record(mine, 3).value();
  search.everywhere();
  EXPECT_EQ(search.found(), std::set<std::string>{" text 3 in writable memory"});
}

TEST_F(RecordsImage, TheCacheOfManyLoadersIsWipedWithTheLastCapability) {
  const auto store = open(kMinute);
  {
    std::vector<std::jthread> loaders;
    for (std::size_t t = 0; t < 4; ++t)
      loaders.emplace_back([&, t] {
        const Capability mine = store->grant(data::Purpose::kEvaluate);
        for (std::size_t i = 0; i < 200; ++i)
          SOTTO_CHECK(store->open_record(mine, (i * (t + 1)) % kRecords).ok(), "it opens");
      });
  }
  search.everywhere();
  expect_nothing("loaders gone");
}

TEST_F(RecordsImage, ADamagedRecordLeavesNoPartOfIt) {
  {
    std::fstream file(folder / "store", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1, std::ios::end);
    file.put('\0');
  }
  const auto store = open(Duration{0});
  const Capability mine = store->grant(data::Purpose::kCheck);
  const auto last = store->open_record(mine, kRecords - 1);
  SOTTO_CHECK(!last.ok(), "it is damaged");
  search.everywhere();
  expect_nothing("refused");
}

TEST_F(RecordsImage, ImportingLinesLeavesNothing) {
  {
    data::RecordWriter writer(data::Kind::kTexts, key, random);
    const auto source =
        data::open_source(folder / "plain.txt", {.format = data::Format::kLines}).value();
    while (const auto record = source->next().value())
      writer.add(*record);
    SOTTO_CHECK(writer.count() == kRecords, "all are sealed");
  }
  search.everywhere();
  expect_nothing("imported");
}

}  // namespace
}  // namespace sotto::image_scan
