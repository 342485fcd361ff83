// Offered jobs that wait for approval, as files for `policy explain` and `policy approve`:
// FOLDER/HASH.json, which holds the canonical bytes.
#pragma once

#include <filesystem>

#include "common/base/result.h"
#include "common/config/job.h"

namespace sotto::participant {

/// The largest number of files. A further job replaces the oldest, so that no coordinator can fill
/// the disk.
inline constexpr std::size_t kMaxOfferedJobs = 100;

/// Stores the job durably and returns its file. Creates the folder. Storing the same job again
/// changes nothing.
Result<std::filesystem::path> keep_offered_job(const std::filesystem::path& folder,
                                               const config::JobConfig& job);

}  // namespace sotto::participant
