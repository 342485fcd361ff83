#include "participant/admission/offered_jobs.h"

#include <algorithm>
#include <vector>

#include "common/storage/atomic_file.h"

namespace sotto::participant {

namespace fs = std::filesystem;

namespace {

/// Returns the files that this program wrote there, and no others.
std::vector<fs::path> oldest_first(const fs::path& folder) {
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder, failed))
    if (entry.path().extension() == ".json" && entry.path().stem().string().size() == 64)
      files.emplace_back(entry.last_write_time(failed), entry.path());
  std::sort(files.begin(), files.end());
  std::vector<fs::path> out;
  for (auto& [time, file] : files)
    out.push_back(std::move(file));
  return out;
}

}  // namespace

Result<fs::path> keep_offered_job(const fs::path& folder, const config::JobConfig& job) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) return Error{folder.string() + ": " + failed.message()};
  fs::path file = folder / (to_hex(job.hash) + ".json");
  if (fs::exists(file, failed)) return file;
  const std::vector<fs::path> files = oldest_first(folder);
  for (std::size_t i = 0; i + kMaxOfferedJobs <= files.size(); ++i)
    fs::remove(files[i], failed);
  SOTTO_TRY(storage::write_file_atomically(file, {view_of(job.canonical)},
                                           storage::FileAccess::kOwnerOnly));
  return file;
}

}  // namespace sotto::participant
