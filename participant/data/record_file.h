// The file of a record store: a site's records, each sealed by itself, under a key of the site.
//
//   file       "SOTTOREC" || u32 version || store id (32) || key check (32) || u64 size ||
//   directory
//              || records
//   directory  sealed as one record, bound to all before it:
//              u8 kind || u64 count || count x u32 size of the sealed record
//   record i   sealed by itself, bound to store id || u64 i
//
// The store's key is derived from the site's and the store's id, which is random. So a record that
// was moved, repeated, or taken from another store does not open; the directory says how many there
// are and how long each is, so the file cannot be cut or lengthened. Records are sealed one by one
// (crypto/sealed_record.h) and not as one long stream, because sampling for differential privacy
// reads at random, and not in blocks, because opening one would put its neighbours into memory.
// What the file shows without the key is its size and how much of it is directory, and so about how
// many records there are.
#pragma once

#include <filesystem>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/crypto/secret.h"
#include "common/crypto/secure_random.h"
#include "common/storage/file_descriptor.h"
#include "participant/data/record.h"

namespace sotto::records {

/// Collects sealed records in memory, writes them at once. One thread.
class RecordWriter {
 public:
  RecordWriter(Kind kind, const crypto::Secret32& site_key, crypto::SecureRandom& random);

  /// At most kMaxRecordBytes (SOTTO_CHECK); `random` of the constructor lives that long.
  void add(BytesView record);

  [[nodiscard]] std::size_t count() const { return sizes_.size(); }

  [[nodiscard]] const Bytes32& id() const { return id_; }

  /// Under `file`, atomically, for its owner only. At the end.
  Status write(const std::filesystem::path& file) const;

 private:
  Kind kind_;
  crypto::SecureRandom& random_;
  Bytes32 id_{};
  crypto::Secret32 key_;
  std::vector<std::uint32_t> sizes_;
  Bytes sealed_;
};

/// Reads sealed records and opens them. Immutable: any thread.
class RecordFile {
 public:
  /// Errors name the file: no store, cut, changed, or sealed under another key.
  static Result<RecordFile> open(const std::filesystem::path& file,
                                 const crypto::Secret32& site_key);

  [[nodiscard]] Kind kind() const { return kind_; }

  [[nodiscard]] std::size_t count() const { return places_.size() - 1; }

  [[nodiscard]] const Bytes32& id() const { return id_; }

  [[nodiscard]] const std::string& name() const { return name_; }

  /// Of the file.
  [[nodiscard]] std::uint64_t bytes() const { return places_.back(); }

  /// Of the opened record; index < count().
  [[nodiscard]] std::size_t size_of(std::size_t index) const;

  /// Writes record `index` into `out`, which has size_of(index) bytes; zeroes it on an Error.
  [[nodiscard]] Status read(std::size_t index, std::span<std::uint8_t> out) const;

 private:
  RecordFile(std::string name, journal::FileDescriptor file, crypto::Secret32 key)
      : name_(std::move(name)), file_(std::move(file)), key_(std::move(key)) {}

  Status read_directory(BytesView directory, std::uint64_t begin, std::uint64_t end);

  std::string name_;
  journal::FileDescriptor file_;
  crypto::Secret32 key_;
  Bytes32 id_{};
  Kind kind_ = Kind::kTexts;
  std::vector<std::uint64_t> places_;  // of each record in the file; behind them its end
};

/// Whether it begins as a store does. False where it cannot be read.
bool is_record_store(const std::filesystem::path& file);

}  // namespace sotto::records
