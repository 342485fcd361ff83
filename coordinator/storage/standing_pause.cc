#include "coordinator/storage/standing_pause.h"

#include <cerrno>
#include <string_view>
#include <system_error>

#include "common/base/bytes.h"
#include "common/storage/atomic_file.h"
#include "common/storage/storage.h"

namespace sotto::coordinator {

void StandingPause::open(const std::filesystem::path& folder) {
  file_ = folder / "paused";
  std::error_code ignored;
  holds_ = std::filesystem::exists(file_, ignored);
}

Status StandingPause::begin() {
  Status written = storage::write_text(file_, "no new round begins: sotto-coordinator resume\n");
  if (written.ok()) holds_ = true;
  return written;
}

Status StandingPause::end() {
  if (storage::storage().remove(file_) != 0 && errno != ENOENT)
    return storage::system_error("cannot remove " + file_.string());
  holds_ = false;
  return storage::sync_directory(file_.parent_path());
}

}  // namespace sotto::coordinator
