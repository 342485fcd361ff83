// Functions that replace files atomically and durably, read them with a limit, and lock them.
#pragma once

#include <filesystem>
#include <functional>
#include <initializer_list>
#include <optional>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/storage/file_descriptor.h"

namespace sotto::storage {

/// The users who may read a written file.
enum class FileAccess { kOwnerOnly, kEveryoneReads };

/// Writes the concatenated parts to `file`: writes and fsyncs a temporary file beside it, renames
/// it to `file`, and fsyncs the directory. After a crash at any point `file` is the old or the new
/// one. On an Error the old file remains, unless only the last fsync failed, and no temporary file
/// is left.
Status write_file_atomically(const std::filesystem::path& file,
                             std::initializer_list<BytesView> parts, FileAccess access);

/// The same with parts that `next_part` returns one after the other, until an empty one.
Status write_file_atomically(const std::filesystem::path& file,
                             const std::function<BytesView()>& next_part, FileAccess access);

/// Writes `text` in the same way to a file that everyone may read.
inline Status write_text(const std::filesystem::path& file, std::string_view text) {
  return write_file_atomically(file, {view_of(text)}, FileAccess::kEveryoneReads);
}

/// Reads a whole regular file. Fails when it is longer than max_bytes or missing (kNotFound).
Result<Bytes> read_file(const std::filesystem::path& file, std::uint64_t max_bytes);
/// The same, but returns nothing when there is no such file. A file that exists and cannot be read
/// is an Error.
Result<std::optional<Bytes>> read_file_if_exists(const std::filesystem::path& file,
                                                 std::uint64_t max_bytes);

/// Makes a rename or a new file in `directory` durable.
Status sync_directory(const std::filesystem::path& directory);

/// LockFile is an exclusive lock on `file`, which is created when missing and remains when the lock
/// is released. The lock is held until destruction or any end of the process.
class LockFile {
 public:
  /// Fails at once when another holder, in this process or another, has the lock.
  static Result<LockFile> acquire(const std::filesystem::path& file);

 private:
  explicit LockFile(FileDescriptor file) : file_(std::move(file)) {}

  FileDescriptor file_;
};

}  // namespace sotto::storage
