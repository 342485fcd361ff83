// Offered jobs that a person has to look at, as files for `policy explain` and `policy approve`:
// FOLDER/HASH.json, the canonical bytes.
#pragma once

#include <filesystem>

#include "common/base/result.h"
#include "common/config/job.h"

namespace sotto::participant {

/// Of so many jobs files are kept; the oldest goes when another comes, so that no coordinator fills
/// the disk.
inline constexpr std::size_t kMaxOfferedJobs = 100;

/// Where it lies, durably. Makes the folder; the same job again changes nothing.
Result<std::filesystem::path> keep_offered_job(const std::filesystem::path& folder,
                                               const config::JobConfig& job);

}  // namespace sotto::participant
