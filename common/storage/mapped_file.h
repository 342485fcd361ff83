// MappedFile maps a file into memory, so that its pages are read when they are accessed.
#pragma once

#include <filesystem>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace sotto::storage {

/// A mapped file is read-only and move-only. Views of bytes() are valid while it lives, also after
/// a move. Replacing the file (write_file_atomically) has no effect on it; truncating the file in
/// place while it is mapped ends the process, as with every mapped file.
class MappedFile {
 public:
  /// Fails when the file is missing, is not a regular file or cannot be mapped. The Error names it.
  static Result<MappedFile> open(const std::filesystem::path& file);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  [[nodiscard]] BytesView bytes() const { return bytes_; }

  /// Releases the pages that were accessed from this process's memory; they are read again at the
  /// next access. For files as large as the memory that their contents are copied to.
  void forget_pages() const;

 private:
  explicit MappedFile(BytesView bytes) : bytes_(bytes) {}

  void unmap();

  BytesView bytes_;
};

}  // namespace sotto::storage
