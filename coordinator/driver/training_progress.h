// TrainingProgress is the result of the finished rounds of a run: the model, the server optimizer,
// the best value so far, an early end, and the models that are kept beside the last one. All of it
// is durable in the run folder before any message about a round is sent. One thread.
#pragma once

#include <optional>
#include <string>

#include "common/config/job.h"
#include "common/job/model_card.h"
#include "common/job/public_epsilon.h"
#include "coordinator/driver/run_folder.h"
#include "coordinator/driver/stopping.h"
#include "coordinator/observability/run_report.h"
#include "coordinator/protocol/round.h"

namespace sotto::coordinator {

class TrainingProgress {
 public:
  /// `job` and `folder` outlive it. The models of the last `keep` rounds and the best one are kept;
  /// with 0, none.
  TrainingProgress(const config::JobConfig& job, RunFolder& folder, std::uint32_t keep);

  /// A round has its sum: completes and writes `record`, steps the model and saves the checkpoint.
  /// Counters are accepted within the bounds of record.declared_evaluation_examples. A round whose
  /// counters are void, or that has none, has no evaluation and is otherwise like any other.
  void accept(RoundNumber round, const RoundOutcome& outcome, RoundRecord& record);
  /// An attempt ended without a sum: completes and writes `record`.
  void lose(wire::RoundStatus how, RoundRecord& record);
  /// Returns true when an attempt at the closing evaluation ended without a sum although one may
  /// have been opened: members do not send the same counters a second time. The run is then
  /// complete without the evaluation, durably, and early_end() gives the reason.
  bool closing_evaluation_is_lost();
  [[nodiscard]] bool only_closing_evaluation_is_left() const;
  /// Completes the run without its closing evaluation, durably; early_end() gives `why` as the
  /// reason.
  void end_without_closing_evaluation(const std::string& why);
  /// Ends training, durably: the closing evaluation is next.
  void end_early(const std::string& reason);

  [[nodiscard]] bool complete() const;  // the closing evaluation is done
  [[nodiscard]] std::uint64_t trained_rounds() const;

  /// The evaluation of the newest finished round; nothing when that round has none.
  [[nodiscard]] const std::optional<tasks::Evaluation>& evaluation() const { return evaluation_; }

  /// The example-level epsilon at the job's delta of all attempts in which a site may have been
  /// charged.
  [[nodiscard]] std::optional<double> epsilon() const;
  /// Why training ended before its last round, or the run without its closing evaluation; empty
  /// when neither happened.
  [[nodiscard]] std::string early_end() const;

  [[nodiscard]] const StoppingRules& stopping() const { return stopping_; }

 private:
  struct KnownEpsilon {
    std::uint64_t attempts = 0;
    bool over = false;
    std::optional<double> epsilon{};
  };

  void read_evaluation(const std::vector<std::uint64_t>& metrics, RoundRecord& record);
  void keep_model(const std::string& name, const job::RunFacts& facts) const;
  void drop_old_models() const;

  const config::JobConfig& job_;
  RunFolder& folder_;
  std::uint32_t keep_;
  job::PublicEpsilon epsilon_;
  mutable std::optional<KnownEpsilon> known_;  // cached, because computing it takes up to 0.1 s
  StoppingRules stopping_;
  std::optional<tasks::Evaluation> evaluation_;
};

}  // namespace sotto::coordinator
