#include "common/job/evaluation_bounds.h"

#include <algorithm>

#include "common/base/check.h"

namespace sotto::job {

namespace {

std::uint64_t most_units(const tasks::Task& task, std::uint64_t declared) {
  const std::uint64_t per_example = task.units_per_example();
  return std::min(declared, kMostUnits / per_example) * per_example;
}

/// Returns the counts, each moved to the nearest value within its bounds. Noise may have moved them
/// out of the bounds, including below zero.
std::vector<std::uint64_t> moved_into_bounds(const tasks::Task& task,
                                             std::span<const std::uint64_t> noisy,
                                             std::uint64_t most) {
  const auto moved = [](std::uint64_t count, std::uint64_t limit) {
    return static_cast<std::int64_t>(count) < 0 ? 0 : std::min(count, limit);
  };
  const std::vector<tasks::Counter> counters = task.counters();
  std::vector<std::uint64_t> out = {moved(noisy[0], most)};
  for (std::size_t i = 1; i < counters.size(); ++i)
    out.push_back(moved(noisy[i], out[0] * counters[i].most_steps()));
  return out;
}

}  // namespace

Status check_counters(const config::JobConfig& job, std::span<const std::uint64_t> counts,
                      std::uint64_t declared) {
  const auto task = job.make_task();
  const std::vector<tasks::Counter> counters = task->counters();
  SOTTO_CHECK(counts.size() == counters.size(), "the metrics do not match the job");
  if (counts[0] > most_units(*task, declared))
    return Error{"the counters are larger than the declared sizes allow"};
  for (std::size_t i = 1; i < counters.size(); ++i)
    if (counts[i] > counts[0] * counters[i].most_steps())
      return Error{std::string(counters[i].excess)};
  return task->check_relations(counts);
}

Status keep_to_bounds(const config::JobConfig& job, std::vector<std::uint64_t>& counts,
                      std::uint64_t declared) {
  Status possible = check_counters(job, counts, declared);
  if (!possible.ok()) std::ranges::fill(counts, 0);
  return possible;
}

Result<tasks::Evaluation> read_counters(const config::JobConfig& job,
                                        std::span<const std::uint64_t> counts,
                                        std::uint64_t declared) {
  if (counts.empty()) return Error{"this attempt carried no counters"};
  const auto task = job.make_task();
  std::vector<std::uint64_t> bounded(counts.begin(), counts.end());
  if (job.evaluation.counter_noise_multiplier > 0)
    bounded = moved_into_bounds(*task, counts, most_units(*task, declared));
  else if (Status possible = check_counters(job, counts, declared); !possible.ok())
    return Error{"void: " + possible.error().message};
  if (bounded[0] == 0) return Error{"no example was evaluated"};
  tasks::Evaluation out = task->summarise(bounded, tasks::four_decimals);
  out.units = 0;
  return out;
}

}  // namespace sotto::job
