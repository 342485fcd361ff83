// A coordinator's run of one job: gathers members, drives rounds one after the other, owns model,
// optimizer and checkpoints. Turns RoundOutputs into sends, computations and saves. Runs under any
// Host. It links no torch: the model is a named flat vector to it.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

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
  std::filesystem::path folder;  // of the run: checkpoint, metrics, model
  FlatParameters initial_model;  // of a new run; a resumed run takes its checkpoint's
  /// How long to wait for the rest of the roster once min_available_participants have accepted.
  Duration gather{3000};
  unsigned threads = 1;
  /// The wall clock, in seconds since 1970, that the roster's expiry is compared with. Without one
  /// the roster does not end.
  std::function<std::uint64_t()> unix_now{};
  std::uint32_t keep = 0;  // models of so many last rounds, and the best one (training_progress.h)
};

enum class RunEnd : int { kCompleted = 0, kFailed = 3, kStopped = 130 };

class Coordinator final : public App {
 public:
  /// `host`, `signing`, `random` and `events` outlive the coordinator. It emits its events on the
  /// App's thread, the first one in start(). Opens (or resumes) the run folder;
  /// throws StartupError when it belongs to another job or another coordinator holds it.
  Coordinator(CoordinatorOptions options, Host& host, const crypto::SigningKey& signing,
              crypto::SecureRandom& random, const RunEvents& events);
  ~Coordinator() override;

  void start() override;
  void on_frame(MemberId peer, BytesView frame) override;
  void on_wake() override;
  void on_stop_requested() override;

  /// What the transport sees of a member's connections, for log and status.
  void on_too_many_links(MemberId peer);
  void on_link_ended(MemberId peer);

  /// No new round begins until resume(), also after a restart; the one under way goes on to its
  /// end. An Error, and no change, when that cannot be written down.
  Status pause();
  Status resume();
  /// Stops when the attempt under way is over; at once where there is none.
  void finish_and_stop();

  /// After the end: the model as it is.
  [[nodiscard]] const FlatParameters& model() const;
  [[nodiscard]] bool resumed() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sotto::coordinator
