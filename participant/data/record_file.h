// The file of a record store: a site's records, each sealed separately under a key of the site.
//
//   file       "SOTTOREC" || u32 version || store id (32) || key check (32) || u64 size ||
//              directory || records
//   directory  sealed as one record, bound to all before it:
//              u8 kind || u64 count || count x u32 size of the sealed record
//   record i   sealed separately, bound to store id || u64 i
//
// The store's key is derived from the site's key and the store's id, which is random. A record that
// was moved, repeated, or taken from another store therefore does not open; the directory gives the
// number of records and the size of each, so that a truncated or extended file is detected. Records
// are sealed one by one (crypto/sealed_record.h): one long stream would not permit the random
// access that sampling for differential privacy needs, and opening a block would put neighbouring
// records into memory. Without the key the file reveals its size and the size of its directory, and
// so approximately the number of records.
#pragma once

#include <filesystem>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/crypto/secret.h"
#include "common/crypto/secure_random.h"
#include "common/storage/file_descriptor.h"
#include "participant/data/record.h"

namespace sotto::data {

/// RecordWriter collects sealed records in memory and writes them at once. One thread.
class RecordWriter {
 public:
  RecordWriter(Kind kind, const crypto::Secret32& site_key, crypto::SecureRandom& random);

  /// Adds a record of at most kMaxRecordBytes (SOTTO_CHECK). `random` of the constructor must still
  /// be alive.
  void add(BytesView record);

  [[nodiscard]] std::size_t count() const { return sizes_.size(); }

  [[nodiscard]] const Bytes32& id() const { return id_; }

  /// Writes `file` atomically, readable by its owner only. Call it after the last add().
  Status write(const std::filesystem::path& file) const;

 private:
  Kind kind_;
  crypto::SecureRandom& random_;
  Bytes32 id_{};
  crypto::Secret32 key_;
  std::vector<std::uint32_t> sizes_;
  Bytes sealed_;
};

/// RecordFile reads sealed records and opens them. Immutable; any thread may use it.
class RecordFile {
 public:
  /// Opens a store. Errors name the file: it is not a store, truncated, changed, or sealed under
  /// another key.
  static Result<RecordFile> open(const std::filesystem::path& file,
                                 const crypto::Secret32& site_key);

  [[nodiscard]] Kind kind() const { return kind_; }

  [[nodiscard]] std::size_t count() const { return places_.size() - 1; }

  [[nodiscard]] const Bytes32& id() const { return id_; }

  [[nodiscard]] const std::string& name() const { return name_; }

  /// Returns the size of the file.
  [[nodiscard]] std::uint64_t bytes() const { return places_.back(); }

  /// Returns the size of the opened record; index < count().
  [[nodiscard]] std::size_t size_of(std::size_t index) const;

  /// Opens record `index` into `out`, which has size_of(index) bytes; zeroes `out` on an Error.
  [[nodiscard]] Status read(std::size_t index, std::span<std::uint8_t> out) const;

 private:
  RecordFile(std::string name, storage::FileDescriptor file, crypto::Secret32 key)
      : name_(std::move(name)), file_(std::move(file)), key_(std::move(key)) {}

  Status read_directory(BytesView directory, std::uint64_t begin, std::uint64_t end);

  std::string name_;
  storage::FileDescriptor file_;
  crypto::Secret32 key_;
  Bytes32 id_{};
  Kind kind_ = Kind::kTexts;
  std::vector<std::uint64_t> places_;  // file offset of each record, then the end of the last
};

/// Returns whether the file begins as a store does; false where it cannot be read.
bool is_record_store(const std::filesystem::path& file);

}  // namespace sotto::data
