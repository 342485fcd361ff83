// A file's bytes in memory without reading them: pages come when they are touched.
#pragma once

#include <filesystem>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace sotto::journal {

/// Read-only, move-only; views of bytes() are good while this lives, also after a move. Replacing
/// the file (write_file_atomically) is harmless; cutting it in place while it is mapped ends the
/// process, as with every mapped file.
class MappedFile {
 public:
  /// An Error that names the file when it is missing, no regular file or cannot be mapped.
  static Result<MappedFile> open(const std::filesystem::path& file);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  [[nodiscard]] BytesView bytes() const { return bytes_; }

  /// Pages that were touched no longer count as this process's memory; they come again when they
  /// are. For files as big as the memory that they are read into.
  void forget_pages() const;

 private:
  explicit MappedFile(BytesView bytes) : bytes_(bytes) {}

  void unmap();

  BytesView bytes_;
};

}  // namespace sotto::journal
