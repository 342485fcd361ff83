// A small store of texts, a clock that stands still until it is moved, and a key.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/crypto/secure_random.h"
#include "participant/data/record_file.h"
#include "participant/data/secure_record_store.h"
#include "tests/temporary_directory.h"

namespace sotto::data {

inline std::string text_of(BytesView bytes) {
  return {bytes.begin(), bytes.end()};
}

inline TimePoint& test_time() {
  static TimePoint now{};
  return now;
}

inline TimePoint test_clock() {
  return test_time();
}

struct RecordStoreTest : testing::Test {
  /// Raw bytes as records: the store does not look into them.
  Bytes32 write(const std::string& name, const std::vector<std::string>& records) {
    RecordWriter writer(Kind::kTexts, key, random);
    for (const std::string& record : records)
      writer.add(view_of(record));
    const Status written = writer.write(folder / name);
    SOTTO_CHECK(written.ok(), "the store is written");
    return writer.id();
  }

  [[nodiscard]] Result<std::unique_ptr<SecureRecordStore>> open(const std::string& name,
                                                                StoreOptions options = {}) const {
    options.clock = test_clock;
    return SecureRecordStore::open(folder / name, key, options);
  }

  TemporaryDirectory folder;
  crypto::OsRandom random;
  crypto::Secret32 key = crypto::Secret32::random(random);
};

}  // namespace sotto::data
