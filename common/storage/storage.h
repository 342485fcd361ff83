// The system calls by which a process changes its files. Everything that a coordinator or a
// participant must find again after a crash is written through them (atomic_file.h, append_log.h,
// the upload spool, the audit log, the ledger), so that a test can number these calls, let one of
// them fail, or end the process before, during or after it.
#pragma once

#include <filesystem>
#include <functional>

#include <sys/types.h>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace sotto::storage {

/// The operating system's calls, which a subclass may override. Each returns what POSIX specifies
/// for the call, with errno set on failure. An override may throw to end the simulated process; no
/// caller catches that. Calls come from any thread.
class Storage {
 public:
  virtual ~Storage() = default;
  /// pwrite(): may write fewer bytes than it was given.
  virtual ssize_t write(int fd, BytesView bytes, std::uint64_t offset);
  /// fsync(), of a file or a directory.
  virtual int sync(int fd);
  /// fdatasync().
  virtual int sync_data(int fd);
  /// ftruncate().
  virtual int resize(int fd, std::uint64_t bytes);
  virtual int rename(const std::filesystem::path& from, const std::filesystem::path& to);
  /// unlink().
  virtual int remove(const std::filesystem::path& file);
  /// Carries out a whole transaction of a SQLite database, which writes its files itself: returns
  /// what `transaction` returns. `transaction` calls its argument once, before it commits.
  virtual Status transact(const std::function<Status(const std::function<void()>&)>& transaction);
};

/// The storage of the calling thread: the operating system's, unless a StorageScope is alive.
Storage& storage();

/// While a StorageScope lives, storage() is `used` on this thread. It is for simulations, which run
/// many processes on one thread; production code creates none. Scopes nest.
class StorageScope {
 public:
  explicit StorageScope(Storage& used);
  ~StorageScope();
  StorageScope(const StorageScope&) = delete;
  StorageScope& operator=(const StorageScope&) = delete;

 private:
  Storage* before_;
};

}  // namespace sotto::storage
