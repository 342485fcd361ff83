#include "common/simulation/faulty_storage.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/simulation/seeds.h"
#include "common/storage/atomic_file.h"

namespace sotto::simulation {

namespace {

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 30;

struct stat status_of(int fd) {
  struct stat status {};

  SOTTO_CHECK(::fstat(fd, &status) == 0, "an open file has a status");
  return status;
}

/// Opens an open file a second time, for reading and writing. The result shares no lock.
std::shared_ptr<storage::FileDescriptor> open_again(int fd) {
  const std::string file = "/proc/self/fd/" + std::to_string(fd);
  auto again = std::make_shared<storage::FileDescriptor>(::open(file.c_str(), O_RDWR | O_CLOEXEC));
  SOTTO_CHECK(again->is_open(), "a simulated file can be opened again");
  return again;
}

}  // namespace

FaultyStorage::FaultyStorage(std::uint64_t seed, double kill_probability)
    : random_(derive_seed(seed, "storage", 0)), kill_probability_(kill_probability) {}

template <class Whole, class Half>
auto FaultyStorage::perform(std::string_view name, Whole whole, Half half) -> decltype(whole()) {
  const auto point = next_point();
  if (!point) return whole();
  crashed_in_ = name;
  if (point->when == When::kDuring) half();
  if (point->when == When::kAfter) static_cast<void>(whole());
  end_process(point->loss);
  throw ProcessKilled{};
}

std::optional<CrashPoint> FaultyStorage::next_point() {
  const std::uint64_t operation = operations_++;
  if (const auto point = points_.find(operation); point != points_.end()) return point->second;
  if (kill_probability_ <= 0 || random_.unit() >= kill_probability_) return std::nullopt;
  return CrashPoint{.operation = operation,
                    .when = static_cast<When>(random_.below(3)),
                    .loss = static_cast<Loss>(random_.below(2))};
}

void FaultyStorage::end_process(Loss loss) {
  dead_ = true;
  if (loss == Loss::kUnsynced)
    for (auto change = unsynced_.rbegin(); change != unsynced_.rend(); ++change)
      change->undo();
  unsynced_.clear();  // a kill loses nothing: the system still writes it
}

void FaultyStorage::remember_content(int fd, std::uint64_t offset, std::uint64_t bytes) {
  const struct stat status = status_of(fd);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  const auto file = open_again(fd);
  Bytes before(std::min(size, offset + bytes) - std::min(size, offset));
  SOTTO_CHECK(::pread(file->get(), before.data(), before.size(), static_cast<off_t>(offset)) ==
                  static_cast<ssize_t>(before.size()),
              "a simulated file can be read");
  const auto undo = [file, offset, size, before = std::move(before)] {
    SOTTO_CHECK(::pwrite(file->get(), before.data(), before.size(), static_cast<off_t>(offset)) ==
                        static_cast<ssize_t>(before.size()) &&
                    ::ftruncate(file->get(), static_cast<off_t>(size)) == 0,
                "a simulated file can be put back");
  };
  unsynced_.push_back({.inode = status.st_ino, .file = file, .undo = undo});
}

void FaultyStorage::remember_name(const std::filesystem::path& file) {
  struct stat directory {};

  struct stat named {};

  SOTTO_CHECK(::stat(file.parent_path().c_str(), &directory) == 0, "a file has a directory");
  const bool exists = ::stat(file.c_str(), &named) == 0;
  Bytes before;
  if (exists) before = storage::read_file(file, kMaxFileBytes).value();
  unsynced_.push_back(
      {.inode = directory.st_ino,
       .file = nullptr,
       .undo = [this, file, exists, inode = named.st_ino, before = std::move(before)] {
         ::unlink(file.c_str());
         if (exists) put_back(file, inode, before);
       }});
}

/// Creates the removed file again. Changes that are undone after that are undone in the new file.
void FaultyStorage::put_back(const std::filesystem::path& file, std::uint64_t inode,
                             const Bytes& content) {
  const auto open_file = [&file] {
    return storage::FileDescriptor(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  };
  SOTTO_CHECK(::pwrite(open_file().get(), content.data(), content.size(), 0) ==
                  static_cast<ssize_t>(content.size()),
              "a simulated file can be put back");
  for (Unsynced& change : unsynced_)
    if (change.file != nullptr && change.inode == inode) *change.file = open_file();
}

void FaultyStorage::forget_undo(int fd) {
  std::erase_if(unsynced_,
                [inode = status_of(fd).st_ino](const Unsynced& u) { return u.inode == inode; });
}

// ---- The system calls

ssize_t FaultyStorage::write(int fd, BytesView bytes, std::uint64_t offset) {
  if (dead_) return errno = EIO, -1;
  const auto put = [&](BytesView part) {
    remember_content(fd, offset, part.size());
    return Storage::write(fd, part, offset);
  };
  return perform(
      "write", [&] { return put(bytes); }, [&] { put(bytes.first(bytes.size() / 2)); });
}

int FaultyStorage::sync(int fd) {
  if (dead_) return errno = EIO, -1;
  // The files of a simulation need not survive a failure of the machine, so nothing is really
  // synced.
  return perform(
      "sync", [&] { return forget_undo(fd), 0; }, [] {});
}

int FaultyStorage::sync_data(int fd) {
  return sync(fd);
}

int FaultyStorage::resize(int fd, std::uint64_t bytes) {
  if (dead_) return errno = EIO, -1;
  return perform(
      "resize",
      [&] {
        const auto size = static_cast<std::uint64_t>(status_of(fd).st_size);
        remember_content(fd, std::min(size, bytes), size - std::min(size, bytes));
        return Storage::resize(fd, bytes);
      },
      [] {});
}

int FaultyStorage::rename(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (dead_) return errno = EIO, -1;
  return perform(
      "rename",
      [&] {
        remember_name(to);
        return Storage::rename(from, to);
      },
      [] {});
}

int FaultyStorage::remove(const std::filesystem::path& file) {
  if (dead_) return errno = EIO, -1;
  return perform(
      "remove",
      [&] {
        remember_name(file);
        return Storage::remove(file);
      },
      [] {});
}

Status FaultyStorage::transact(
    const std::function<Status(const std::function<void()>&)>& transaction) {
  if (dead_) return Error{"the simulated process has ended"};
  return perform(
      "transaction", [&] { return transaction([] {}); },
      [&] {
        try {
          static_cast<void>(transaction([] { throw ProcessKilled{}; }));
        } catch (const ProcessKilled&) {  // the open transaction is rolled back when it is closed
        }
      });
}

}  // namespace sotto::simulation
