// Files that are whole or absent: replaced atomically and durably, read with a limit, locked.
#pragma once

#include <filesystem>
#include <functional>
#include <initializer_list>
#include <optional>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/storage/file_descriptor.h"

namespace sotto::journal {

/// Who may read a file we write.
enum class FileAccess { kOwnerOnly, kEveryoneReads };

/// The concatenated parts under `file`: written to a temporary file beside it, fsynced, renamed
/// over it, the directory fsynced. After a crash at any point `file` is the old one or the new one.
/// On an Error the old one stands, unless only the last fsync failed, and no temporary file is
/// left.
Status write_file_atomically(const std::filesystem::path& file,
                             std::initializer_list<BytesView> parts, FileAccess access);

/// The same of parts that are made one after the other, until an empty one.
Status write_file_atomically(const std::filesystem::path& file,
                             const std::function<BytesView()>& next_part, FileAccess access);

/// The whole of a regular file. An Error when it is longer than max_bytes, or missing (kNotFound).
Result<Bytes> read_file(const std::filesystem::path& file, std::uint64_t max_bytes);
/// Nothing where there is no such file. A file that is there and cannot be looked at is an error.
Result<std::optional<Bytes>> read_file_if_exists(const std::filesystem::path& file,
                                                 std::uint64_t max_bytes);

/// Makes a rename or a new file in `directory` durable.
Status sync_directory(const std::filesystem::path& directory);

/// An exclusive lock on `file`, which is created when missing and stays when the lock goes. Held
/// until destruction or the end of the process, however it ends.
class LockFile {
 public:
  /// An Error at once when another holder, in this process or another, has it.
  static Result<LockFile> acquire(const std::filesystem::path& file);

 private:
  explicit LockFile(FileDescriptor file) : file_(std::move(file)) {}

  FileDescriptor file_;
};

}  // namespace sotto::journal
