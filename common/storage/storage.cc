#include "common/storage/storage.h"

#include <utility>

#include <unistd.h>

namespace sotto::storage {

namespace {

/// Null means the operating system's storage. The pointer is not shared between threads, so that it
/// needs no lock and a test cannot affect another thread.
thread_local Storage* in_use = nullptr;

}  // namespace

ssize_t Storage::write(int fd, BytesView bytes, std::uint64_t offset) {
  return ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
}

int Storage::sync(int fd) {
  return ::fsync(fd);
}

int Storage::sync_data(int fd) {
  return ::fdatasync(fd);
}

int Storage::resize(int fd, std::uint64_t bytes) {
  return ::ftruncate(fd, static_cast<off_t>(bytes));
}

int Storage::rename(const std::filesystem::path& from, const std::filesystem::path& to) {
  return ::rename(from.c_str(), to.c_str());
}

int Storage::remove(const std::filesystem::path& file) {
  return ::unlink(file.c_str());
}

Status Storage::transact(const std::function<Status(const std::function<void()>&)>& transaction) {
  return transaction([] {});
}

Storage& storage() {
  static Storage operating_system;
  return in_use == nullptr ? operating_system : *in_use;
}

StorageScope::StorageScope(Storage& used) : before_(std::exchange(in_use, &used)) {}

StorageScope::~StorageScope() {
  in_use = before_;
}

}  // namespace sotto::storage
