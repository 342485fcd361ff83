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
#include "coordinator/stopping.h"

namespace sotto::coordinator {

struct Checkpoint {
  RunId run{};
  Bytes32 job_hash{};
  std::uint64_t finished_rounds = 0;  // server rounds whose result is in the model
  FlatParameters model;
  Bytes optimizer_state;
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

  /// nullopt: a new run. A damaged or foreign file is an Error that names it and what to do.
  [[nodiscard]] Result<std::optional<Checkpoint>> load() const;
  Status save(const Checkpoint& checkpoint);

  /// The last round number whose offer may have left; 0 at first.
  [[nodiscard]] Result<RoundNumber> last_offered() const;
  Status save_offered(RoundNumber round);

 private:
  struct Impl;
  explicit CheckpointStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// What a run begins with.
struct NewRun {
  Bytes32 job_hash{};
  FlatParameters model;
  Bytes optimizer_state;
};

struct OpenedRun {
  CheckpointStore store;
  Checkpoint checkpoint;
  bool resumed = false;
};

/// The run that `folder` holds, else the new one, saved there under a name drawn from `random`.
/// Throws StartupError when the folder is of another job, damaged, in use or cannot be written.
OpenedRun open_run(const std::filesystem::path& folder, NewRun begin, crypto::SecureRandom& random);

}  // namespace sotto::coordinator
