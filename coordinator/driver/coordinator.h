// Coordinator runs one job: it gathers members, drives rounds one after the other, and owns the
// model, the optimizer and the checkpoints. It turns RoundOutputs into messages, computations and
// writes to disk, and it runs under any Host. It does not link torch: it treats the model as a
// named flat vector.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "common/base/host.h"
#include "common/config/federation.h"
#include "common/config/job.h"
#include "common/crypto/secure_random.h"
#include "common/crypto/sign.h"
#include "common/model/flat_parameters.h"
#include "coordinator/observability/run_events.h"

namespace sotto::coordinator {

struct CoordinatorOptions {
  config::Roster roster;
  config::JobConfig job;
  std::filesystem::path folder;  // of the run: checkpoint, metrics and model
  FlatParameters initial_model;  // of a new run; a resumed run uses its checkpoint's
  /// How long to wait for the rest of the roster once min_available_participants have accepted.
  Duration gather{3000};
  unsigned threads = 1;
  /// The wall clock, in seconds since 1970, with which the roster's expiry is compared. When empty,
  /// the roster does not expire.
  std::function<std::uint64_t()> unix_now{};
  std::uint32_t keep = 0;  // the models of so many last rounds are kept, and the best
};

enum class RunEnd : int { kCompleted = 0, kFailed = 3, kStopped = 130 };

class Coordinator final : public App {
 public:
  /// `host`, `signing`, `random` and `events` outlive the coordinator. It emits its events on the
  /// App's thread, the first one in start(). Opens or resumes the run folder; throws StartupError
  /// when the folder belongs to another job or another coordinator has it open.
  Coordinator(CoordinatorOptions options, Host& host, const crypto::SigningKey& signing,
              crypto::SecureRandom& random, const RunEvents& events);
  ~Coordinator() override;

  void start() override;
  void on_frame(MemberId peer, BytesView frame) override;
  void on_wake() override;
  void on_stop_requested() override;

  /// Called by the transport about a member's connections, for the log and the status.
  void on_too_many_links(MemberId peer);
  void on_link_ended(MemberId peer);

  /// After pause() no new round begins until resume(), also after a restart; the round under way is
  /// completed. An Error, and no change, when this cannot be made durable.
  Status pause();
  Status resume();
  /// Stops when the attempt under way is over, or at once when there is none.
  void finish_and_stop();

  /// The current model.
  [[nodiscard]] const FlatParameters& model() const;
  [[nodiscard]] bool resumed() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sotto::coordinator
