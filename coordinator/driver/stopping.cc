#include "coordinator/driver/stopping.h"

#include <fmt/format.h>

namespace sotto::coordinator {

StoppingRules::StoppingRules(const config::JobConfig& job) : section_(job.stopping) {
  for (const tasks::FigureKind& kind : job.make_task()->figures())
    if (kind.name == section_.metric) less_is_better_ = kind.less_is_better;
}

bool StoppingRules::reaches_target(double value) const {
  if (section_.target == 0) return false;
  return less_is_better_ ? value <= section_.target : value >= section_.target;
}

bool StoppingRules::improves(const tasks::Evaluation& evaluation, std::uint64_t evaluated_round,
                             BestSoFar& best) const {
  const double value = evaluation.value(section_.metric);
  const double gain = less_is_better_ ? best.value - value : value - best.value;
  if (best.known && !(gain > 0 && gain >= section_.min_improvement)) return false;
  best = {.value = value, .evaluated_round = evaluated_round, .known = true};
  return true;
}

std::optional<std::string> StoppingRules::after_evaluation(const tasks::Evaluation& evaluation,
                                                           std::uint64_t evaluated_round,
                                                           const BestSoFar& best) const {
  const double value = evaluation.value(section_.metric);
  if (reaches_target(value))
    return fmt::format("{} is {:.4g} after round {}; the target was {:.4g}", section_.metric, value,
                       evaluated_round, section_.target);
  if (section_.patience > 0 && best.known &&
      evaluated_round >= best.evaluated_round + section_.patience)
    return fmt::format("{} has not improved on {:.4g}, of round {}, for {} rounds", section_.metric,
                       best.value, best.evaluated_round, section_.patience);
  return std::nullopt;
}

std::optional<std::string> StoppingRules::after_round(
    const std::optional<tasks::Evaluation>& evaluation, std::uint64_t evaluated_round,
    const BestSoFar& best, double wall_s) const {
  if (evaluation)
    if (auto why = after_evaluation(*evaluation, evaluated_round, best)) return why;
  if (section_.max_wall_time_s > 0 && wall_s >= section_.max_wall_time_s)
    return fmt::format("the run has taken {:.0f} s; stopping.max_wall_time_s is {}", wall_s,
                       section_.max_wall_time_s);
  return std::nullopt;
}

}  // namespace sotto::coordinator
