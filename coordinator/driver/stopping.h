// StoppingRules decides when a run ends before its last round: a target reached, no improvement, a
// time limit, a spent budget (job.json, `stopping`). The model is then the one after the last
// finished round, and the closing evaluation follows at once. It does no I/O; the caller keeps the
// state between rounds in the checkpoint. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/config/job.h"

namespace sotto::coordinator {

/// The best value of the metric so far, over all processes of the run.
struct BestSoFar {
  double value = 0;
  std::uint64_t evaluated_round = 0;  // the value is that of the model after this round
  bool known = false;
};

/// After how many rounds training ended, and why.
struct EarlyEnd {
  std::uint64_t trained_rounds = 0;
  std::string reason;  // a sentence
};

class StoppingRules {
 public:
  explicit StoppingRules(const config::JobConfig& job);

  /// Returns true when `evaluation`, of the model after `evaluated_round`, is better than all
  /// earlier ones by at least min_improvement; `best` is then set to it.
  bool improves(const tasks::Evaluation& evaluation, std::uint64_t evaluated_round,
                BestSoFar& best) const;

  /// Returns a sentence about the rule that ends the run after a round; nothing while the run
  /// continues. `best` is as improves() left it, `evaluation` that of the model with which the
  /// round began. After a round without an evaluation, or with a void one, neither target nor
  /// patience ends the run.
  [[nodiscard]] std::optional<std::string> after_round(
      const std::optional<tasks::Evaluation>& evaluation, std::uint64_t evaluated_round,
      const BestSoFar& best, double wall_s) const;

  [[nodiscard]] bool when_budget_spent() const { return section_.when_budget_spent; }

 private:
  [[nodiscard]] bool reaches_target(double value) const;
  [[nodiscard]] std::optional<std::string> after_evaluation(const tasks::Evaluation& evaluation,
                                                            std::uint64_t evaluated_round,
                                                            const BestSoFar& best) const;

  config::StoppingSection section_;
  bool less_is_better_ = true;
};

}  // namespace sotto::coordinator
