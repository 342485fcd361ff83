// AppendLog is an append-only file of records, each of which is durable when append() returns. It
// stores facts that must survive a crash before a message may leave the process. One thread uses
// an object, and one process at a time uses the file.
//
//   file    "SOTTOLOG" || u32 version || records
//   record  u32 length || u32 ~length || BLAKE2b-256("SOTTO log", u64 place || payload) || payload
// place = the record's offset in the file, so that a record is valid only where it was written.
#pragma once

#include <filesystem>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/storage/atomic_file.h"

namespace sotto::storage {

inline constexpr std::size_t kMaxRecordBytes = std::size_t{1} << 26;

class AppendLog {
 public:
  struct Opened;

  /// Creates the file when it is missing, takes the exclusive lock `file`.lock, reads and checks
  /// every record. Fails when the lock is held elsewhere, or when the file is of another version or
  /// damaged before its end: a damaged log is never read in part.
  static Result<Opened> open(const std::filesystem::path& file);

  AppendLog(AppendLog&&) noexcept = default;
  AppendLog& operator=(AppendLog&&) noexcept = default;

  /// Writes and fsyncs one record of at most kMaxRecordBytes (SOTTO_CHECK) before it returns. After
  /// an Error the record may or may not be found later, and every further append is an Error.
  /// The first record after a torn tail overwrites it; until that record is durable, every open()
  /// reports the torn tail again.
  Status append(BytesView payload);

 private:
  AppendLog(LockFile lock, FileDescriptor file) : lock_(std::move(lock)), file_(std::move(file)) {}

  LockFile lock_;
  FileDescriptor file_;
  std::uint64_t end_ = 0;   // offset of the next record
  std::uint64_t size_ = 0;  // of the file; more than end_ while there is a torn tail
  bool failed_ = false;
};

struct AppendLog::Opened {
  AppendLog log;
  std::vector<Bytes> records;
  /// The last write did not complete, so that a record is lost. The caller must assume the worst
  /// possible content of that record.
  bool torn_tail = false;
};

}  // namespace sotto::storage
