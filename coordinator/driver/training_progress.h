// What the finished rounds have made of a run: the model, the server optimizer, the best value so
// far, an early end; and the models that are kept beside the last one. All of it durable, in the
// run folder, before anybody hears of a round. One thread.
#pragma once

#include <optional>
#include <string>

#include "common/config/job.h"
#include "common/job/public_epsilon.h"
#include "coordinator/driver/run_folder.h"
#include "coordinator/driver/stopping.h"
#include "coordinator/observability/run_report.h"
#include "coordinator/protocol/round.h"

namespace sotto::coordinator {

class TrainingProgress {
 public:
  /// `job` and `folder` outlive it. Of the last `keep` rounds the model is kept, and the best one;
  /// with 0 none is.
  TrainingProgress(const config::JobConfig& job, RunFolder& folder, std::uint32_t keep);

  /// A round has its sum: fills `record` in, writes it, steps the model, saves the checkpoint. What
  /// its counters say is believed within record.declared_evaluation_examples; a round whose
  /// counters are void, or that carried none, has no evaluation and is otherwise as any other.
  void accept(RoundNumber round, const RoundOutcome& outcome, RoundRecord& record);
  /// An attempt ended without a sum: fills `record` in and writes it.
  void lose(wire::RoundStatus how, RoundRecord& record);
  /// An attempt at the closing evaluation ended without a sum although one may have been opened,
  /// and no member gives its counters a second time. The run is then complete without them, and
  /// early_end() says so, durably.
  bool closing_evaluation_is_lost();
  /// Everything but the closing evaluation is done.
  [[nodiscard]] bool only_closing_evaluation_is_left() const;
  /// The run is then complete without its closing evaluation, durably; early_end() says why.
  void end_without_closing_evaluation(const std::string& why);
  /// No further round trains: the closing evaluation is next.
  void end_early(const std::string& reason);

  [[nodiscard]] bool complete() const;  // the closing evaluation is done
  [[nodiscard]] std::uint64_t trained_rounds() const;

  /// Of the newest finished round's sum; nothing where that one has none.
  [[nodiscard]] const std::optional<tasks::Evaluation>& evaluation() const { return evaluation_; }

  /// Example-level, at the job's delta, of all attempts in which a site may have been charged.
  [[nodiscard]] std::optional<double> epsilon() const;
  /// Why training ended before its last round, or the run without its closing evaluation; empty
  /// when neither is the case.
  [[nodiscard]] std::string early_end() const;

  [[nodiscard]] const StoppingRules& stopping() const { return stopping_; }

 private:
  struct KnownEpsilon {
    std::uint64_t attempts = 0;
    bool over = false;
    std::optional<double> epsilon{};
  };

  void read_evaluation(const std::vector<std::uint64_t>& metrics, RoundRecord& record);
  void keep_model(const std::string& name) const;
  void drop_old_models() const;

  const config::JobConfig& job_;
  RunFolder& folder_;
  std::uint32_t keep_;
  run::PublicEpsilon epsilon_;
  mutable std::optional<KnownEpsilon> known_;  // it takes up to a tenth of a second to compute
  StoppingRules stopping_;
  std::optional<tasks::Evaluation> evaluation_;
};

}  // namespace sotto::coordinator
