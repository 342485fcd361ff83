#include "common/storage/mapped_file.h"

#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/storage/file_descriptor.h"

namespace sotto::storage {

Result<MappedFile> MappedFile::open(const std::filesystem::path& file) {
  // Without O_NONBLOCK open() would block if the path is that of a pipe.
  const FileDescriptor handle(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!handle.is_open()) return system_error(file.string() + ": cannot be opened");

  struct stat about {};

  if (::fstat(handle.get(), &about) != 0) return system_error(file.string());
  if (!S_ISREG(about.st_mode)) return Error{file.string() + ": no regular file"};
  const auto size = static_cast<std::size_t>(about.st_size);
  if (size == 0) return MappedFile(BytesView{});  // an empty file is not an error
  void* start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, handle.get(), 0);
  if (start == MAP_FAILED) return system_error(file.string() + ": cannot be mapped");
  return MappedFile({static_cast<const std::uint8_t*>(start), size});
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : bytes_(std::exchange(other.bytes_, BytesView{})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this != &other) {
    unmap();
    bytes_ = std::exchange(other.bytes_, BytesView{});
  }
  return *this;
}

MappedFile::~MappedFile() {
  unmap();
}

void MappedFile::forget_pages() const {
  if (bytes_.empty()) return;
  ::madvise(const_cast<std::uint8_t*>(bytes_.data()), bytes_.size(), MADV_DONTNEED);
}

void MappedFile::unmap() {
  if (bytes_.empty()) return;
  ::munmap(const_cast<std::uint8_t*>(bytes_.data()), bytes_.size());
}

}  // namespace sotto::storage
