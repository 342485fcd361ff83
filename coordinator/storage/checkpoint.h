// What a coordinator needs to go on after kill -9: the last finished round, in one file that is
// replaced whole, and the number of the attempt under way, durable before its offer leaves (a round
// number is never offered twice).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/crypto/secure_random.h"
#include "common/model/flat_parameters.h"
#include "common/model/optimizers/server_optimizer.h"
#include "coordinator/driver/stopping.h"

namespace sotto::coordinator {

struct Checkpoint {
  RunId run{};
  Bytes32 job_hash{};
  std::uint64_t finished_rounds = 0;  // server rounds whose result is in the model
  FlatParameters model;
  ServerOptimizer optimizer{{}, 0};
  BestSoFar best;                     // of the metric that `stopping` names
  std::optional<EarlyEnd> early_end;  // finished_rounds is then the job's number of rounds
  double wall_s = 0;                  // spent on the run so far, over all its processes
};

/// Owner of the run folder's durable state; holds an exclusive lock on it. One thread.
class CheckpointStore {
 public:
  /// Creates the folder where needed. An Error when another coordinator holds it.
  static Result<CheckpointStore> open(const std::filesystem::path& folder);
  CheckpointStore(CheckpointStore&&) noexcept;
  CheckpointStore& operator=(CheckpointStore&&) noexcept;
  ~CheckpointStore();

  /// What the caller knows of its run.
  struct Expected {
    Bytes32 job_hash{};
    ServerOptimizerSpec optimizer;
  };

  /// nullopt: a new run. A damaged file, or that of a run of another job, is an Error that says
  /// what to do. The file's pages are given back as they are read: what is in memory is the
  /// checkpoint.
  [[nodiscard]] Result<std::optional<Checkpoint>> load(const Expected& expected) const;
  Status save(const Checkpoint& checkpoint);

  /// The last round number whose offer may have left; 0 at first.
  [[nodiscard]] Result<RoundNumber> last_offered() const;
  Status save_offered(RoundNumber round);

  /// The last server round of which a sum may have been certified; 0 at first.
  [[nodiscard]] Result<std::uint64_t> counted_round() const;
  Status save_counted(std::uint64_t server_round);

 private:
  struct Impl;
  explicit CheckpointStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// What a run begins with.
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

/// The folder holds a run: its model is there, and no first one is needed.
bool holds_run(const std::filesystem::path& folder);

/// The run that `folder` holds, else the new one, saved there under a name drawn from `random`.
/// Throws StartupError when the folder is of another job, damaged, in use or cannot be written.
OpenedRun open_run(const std::filesystem::path& folder, NewRun begin, crypto::SecureRandom& random);

}  // namespace sotto::coordinator
