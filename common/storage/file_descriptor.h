// FileDescriptor, which owns one open file descriptor, and functions that read and write files.
#pragma once

#include <string_view>
#include <utility>

#include <unistd.h>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace sotto::storage {

class FileDescriptor {
 public:
  FileDescriptor() = default;

  explicit FileDescriptor(int fd) : fd_(fd) {}

  ~FileDescriptor() { close(); }

  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }

  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  [[nodiscard]] int get() const { return fd_; }

  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

/// Returns an Error of `what` and the text of the current errno.
Error system_error(std::string_view what);
/// Writes all of `bytes` at `offset`; continues after interruptions and short writes.
Status write_all_at(const FileDescriptor& file, BytesView bytes, std::uint64_t offset);
/// Reads up to out.size() bytes from `offset` and returns their number; it is smaller only at the
/// end of the file.
Result<std::size_t> read_at(const FileDescriptor& file, std::span<std::uint8_t> out,
                            std::uint64_t offset);

}  // namespace sotto::storage
