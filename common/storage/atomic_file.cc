#include "common/storage/atomic_file.h"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "common/storage/storage.h"

namespace sotto::storage {

namespace {

std::filesystem::path directory_of(const std::filesystem::path& file) {
  const std::filesystem::path parent = file.parent_path();
  return parent.empty() ? std::filesystem::path(".") : parent;
}

Error file_error(std::string_view what, const std::filesystem::path& file) {
  return system_error(std::string(what) + " " + file.string());
}

Status write_and_sync(const FileDescriptor& out, const std::function<BytesView()>& next_part) {
  std::uint64_t at = 0;
  for (BytesView part = next_part(); !part.empty(); part = next_part()) {
    SOTTO_TRY(write_all_at(out, part, at));
    at += part.size();
  }
  if (storage().sync(out.get()) != 0) return system_error("fsync failed");
  return {};
}

/// Fills the temporary file, makes it durable and renames it to `file`.
Status replace(const std::filesystem::path& file, const FileDescriptor& out,
               const std::filesystem::path& temporary, const std::function<BytesView()>& next_part,
               FileAccess access) {
  if (Status written = write_and_sync(out, next_part); !written.ok())
    return Error{"cannot write " + file.string() + ": " + written.error().message};
  if (access == FileAccess::kEveryoneReads && ::fchmod(out.get(), 0644) != 0)
    return file_error("cannot set the mode of", file);
  if (storage().rename(temporary, file) != 0) return file_error("cannot rename to", file);
  return {};
}

}  // namespace

Error system_error(std::string_view what) {
  return Error{std::string(what) + ": " + std::generic_category().message(errno),
               errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kInvalid};
}

Status write_all_at(const FileDescriptor& file, BytesView bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t n = storage().write(file.get(), bytes, offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("write failed");
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

Result<std::size_t> read_at(const FileDescriptor& file, std::span<std::uint8_t> out,
                            std::uint64_t offset) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = ::pread(file.get(), out.data() + done, out.size() - done,
                              static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("read failed");
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

Status sync_directory(const std::filesystem::path& directory) {
  const FileDescriptor handle(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!handle.is_open()) return file_error("cannot open directory", directory);
  if (storage().sync(handle.get()) != 0) return file_error("cannot fsync directory", directory);
  return {};
}

Status write_file_atomically(const std::filesystem::path& file,
                             std::initializer_list<BytesView> parts, FileAccess access) {
  const auto* next = parts.begin();
  const auto next_part = [&] {
    while (next != parts.end() && next->empty())
      ++next;
    return next == parts.end() ? BytesView() : *next++;
  };
  return write_file_atomically(file, next_part, access);
}

Status write_file_atomically(const std::filesystem::path& file,
                             const std::function<BytesView()>& next_part, FileAccess access) {
  std::string temporary = file.string() + ".tmp-XXXXXX";
  const FileDescriptor out(::mkostemp(temporary.data(), O_CLOEXEC));  // mode 0600
  if (!out.is_open()) return file_error("cannot create a file beside", file);
  if (Status done = replace(file, out, temporary, next_part, access); !done.ok()) {
    storage().remove(temporary);
    return done;
  }
  return sync_directory(directory_of(file));
}

Result<Bytes> read_file(const std::filesystem::path& file, std::uint64_t max_bytes) {
  const FileDescriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!in.is_open()) return file_error("cannot open", file);

  struct stat status {};

  if (::fstat(in.get(), &status) != 0) return file_error("cannot stat", file);
  if (!S_ISREG(status.st_mode)) return Error{file.string() + " is not a regular file"};
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > max_bytes)
    return Error{file.string() + " has " + std::to_string(size) + " bytes, more than the " +
                 std::to_string(max_bytes) + " allowed"};
  Bytes out(size);
  const Result<std::size_t> read = read_at(in, out, 0);
  if (!read.ok()) return Error{"cannot read " + file.string() + ": " + read.error().message};
  if (*read != size) return Error{file.string() + " became shorter while it was read"};
  return out;
}

Result<std::optional<Bytes>> read_file_if_exists(const std::filesystem::path& file,
                                                 std::uint64_t max_bytes) {
  Result<Bytes> read = read_file(file, max_bytes);
  if (read.ok()) return std::optional(std::move(read).value());
  if (read.error().code == ErrorCode::kNotFound) return std::optional<Bytes>();
  return read.error();
}

Result<LockFile> LockFile::acquire(const std::filesystem::path& file) {
  FileDescriptor handle(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!handle.is_open()) return file_error("cannot open lock file", file);
  if (::flock(handle.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      return Error{file.string() + " is locked: another process or object is using it"};
    return file_error("cannot lock", file);
  }
  return LockFile(std::move(handle));
}

}  // namespace sotto::storage
