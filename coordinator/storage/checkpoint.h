// CheckpointStore keeps what a coordinator needs to continue after kill -9: the last finished
// round, in one file that is replaced as a whole, and the number of the attempt under way, which is
// durable before its offer leaves, so that a round number is never offered twice.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/crypto/secure_random.h"
#include "common/model/flat_parameters.h"
#include "common/model/optimizers/server_optimizer.h"
#include "common/storage/atomic_file.h"
#include "coordinator/driver/stopping.h"

namespace sotto::coordinator {

struct Checkpoint {
  RunId run{};
  Bytes32 job_hash{};
  std::uint64_t finished_rounds = 0;  // server rounds that the model includes
  FlatParameters model;
  ServerOptimizer optimizer{{}, 0};
  BestSoFar best;                     // of the metric that `stopping` names
  std::optional<EarlyEnd> early_end;  // finished_rounds is then at least the job's rounds
  double wall_s = 0;                  // seconds spent on the run so far, by all its processes
};

/// CheckpointStore owns the durable state of the run folder and holds an exclusive lock on the
/// folder. One thread.
class CheckpointStore {
 public:
  /// Opens the store and creates the folder if it is missing. An Error when another coordinator
  /// holds the lock.
  static Result<CheckpointStore> open(const std::filesystem::path& folder);

  /// The run that the caller expects in the folder.
  struct Expected {
    Bytes32 job_hash{};
    ServerOptimizerSpec optimizer;
  };

  /// Returns the checkpoint, or nullopt when there is none. A damaged file, or one of a run of
  /// another job, is an Error that says what to do. The pages of the file are released as they are
  /// read, so that only the checkpoint stays in memory.
  [[nodiscard]] Result<std::optional<Checkpoint>> load(const Expected& expected) const;
  Status save(const Checkpoint& checkpoint);

  /// Returns the last round number whose offer may have left; 0 at first.
  [[nodiscard]] Result<RoundNumber> last_offered() const;
  Status save_offered(RoundNumber round);

  /// Returns the last server round of which a sum may have been certified; 0 at first.
  [[nodiscard]] Result<std::uint64_t> counted_round() const;
  Status save_counted(std::uint64_t server_round);

 private:
  CheckpointStore(std::filesystem::path folder, storage::LockFile lock)
      : folder_(std::move(folder)), lock_(std::move(lock)) {}

  std::filesystem::path folder_;
  storage::LockFile lock_;
};

/// The initial state of a run.
struct NewRun {
  Bytes32 job_hash{};
  FlatParameters model;
  ServerOptimizerSpec optimizer;
};

struct OpenedRun {
  CheckpointStore store;
  Checkpoint checkpoint;
  bool resumed = false;
};

/// Returns true when the folder holds a run, with its model, so that no initial one is needed.
bool holds_run(const std::filesystem::path& folder);

/// Returns an Error where `folder` holds no run, but something under a name that a run writes and
/// that a new run would replace: a job.json of a person, or a model. Other files may lie beside a
/// run.
Status check_free_for_run(const std::filesystem::path& folder);

/// Opens the run that `folder` holds, or saves a new one there under a RunId drawn from `random`.
/// Throws StartupError when the folder belongs to another job, is damaged or in use, or cannot be
/// written.
OpenedRun open_run(const std::filesystem::path& folder, NewRun begin, crypto::SecureRandom& random);

}  // namespace sotto::coordinator
