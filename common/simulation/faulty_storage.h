// FaultyStorage numbers the changes of files and can interrupt them: a simulated process is killed
// before, during or after a chosen operation, or a power failure undoes what was not synced. One
// thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "common/crypto/secure_random.h"
#include "common/storage/file_descriptor.h"
#include "common/storage/storage.h"

namespace sotto::simulation {

/// Ends the simulated process; the simulation catches it outside of the App. It is not derived from
/// std::exception, so that no handler in a program takes it for an error of its own.
struct ProcessKilled {};

enum class When : std::uint8_t { kBefore, kDuring, kAfter };

enum class Loss : std::uint8_t {
  kNothing,  // kill -9: all writes are found again
  kUnsynced  // a power failure: changes without a sync are undone
};

/// Identifies a kill. A kill during a write leaves half of its bytes; a kill during a transaction
/// happens after its statements ran and before they are committed. Any other call has then not
/// happened.
struct CrashPoint {
  std::uint64_t operation = 0;  // in the count of operations(), from 0
  When when = When::kBefore;
  Loss loss = Loss::kNothing;
};

class FaultyStorage final : public storage::Storage {
 public:
  /// `kill_probability` is the probability of a kill at each operation, drawn from `seed`.
  explicit FaultyStorage(std::uint64_t seed = 0, double kill_probability = 0);

  /// Throws ProcessKilled at that point, once. Several points may be set.
  void crash_at(const CrashPoint& point) { points_[point.operation] = point; }

  /// Returns the number of operations that began so far, of all processes that ran on these files.
  [[nodiscard]] std::uint64_t operations() const { return operations_; }

  /// Returns the name of the operation at which the last process was killed, for a report.
  [[nodiscard]] std::string_view crashed_in() const { return crashed_in_; }

  /// Ends the process, also between two operations. Until restart() every call fails and changes
  /// nothing.
  void end_process(Loss loss);

  void restart() { dead_ = false; }

  ssize_t write(int fd, BytesView bytes, std::uint64_t offset) override;
  int sync(int fd) override;
  int sync_data(int fd) override;
  int resize(int fd, std::uint64_t bytes) override;
  int rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  int remove(const std::filesystem::path& file) override;
  Status transact(const std::function<Status(const std::function<void()>&)>& transaction) override;

 private:
  /// A change that is not durable yet, and how a power failure undoes it.
  struct Unsynced {
    std::uint64_t inode = 0;  // of the file, or of the directory that holds a name
    std::shared_ptr<storage::FileDescriptor> file;  // null for a name
    std::function<void()> undo;
  };

  /// Carries out `whole`, unless the process is killed at this operation; `half` is what a kill
  /// during it leaves.
  template <class Whole, class Half>
  auto perform(std::string_view name, Whole whole, Half half) -> decltype(whole());
  [[nodiscard]] std::optional<CrashPoint> next_point();
  void remember_content(int fd, std::uint64_t offset, std::uint64_t bytes);
  void remember_name(const std::filesystem::path& file);
  void put_back(const std::filesystem::path& file, std::uint64_t inode, const Bytes& content);
  void forget_undo(int fd);

  crypto::StreamRandom random_;
  double kill_probability_;
  std::map<std::uint64_t, CrashPoint> points_;  // by operation
  std::uint64_t operations_ = 0;
  std::string_view crashed_in_;
  bool dead_ = false;
  std::vector<Unsynced> unsynced_;
};

}  // namespace sotto::simulation
