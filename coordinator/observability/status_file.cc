#include "coordinator/observability/status_file.h"

#include "common/storage/atomic_file.h"

namespace sotto::coordinator {

namespace {

constexpr double kRunningS = 1, kRestingS = 5;

}  // namespace

void StatusFile::on_status(const RunStatus& status, std::uint64_t /*unix_s*/) {
  const double interval = status.state == RunState::kRunning ? kRunningS : kRestingS;
  if (last_ && last_->state == status.state && last_->asked == status.asked &&
      status.wall_s < last_->wall_s + interval)
    return;
  last_ = {.state = status.state, .asked = status.asked, .wall_s = status.wall_s};
  (void)storage::write_file_atomically(folder_ / "status.json",
                                       {view_of(to_json(status)), view_of("\n")},
                                       storage::FileAccess::kEveryoneReads);
}

}  // namespace sotto::coordinator
