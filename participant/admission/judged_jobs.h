// How many different jobs a site judges. Every answer tells something of the site's policy and
// ledger, so the number of questions is bounded, also over restarts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace sotto::participant {

/// One thread.
class JudgedJobs {
 public:
  /// `most` different jobs in 24 hours. `file` keeps them; empty: they are kept in memory.
  JudgedJobs(std::filesystem::path file, std::uint32_t most)
      : file_(std::move(file)), most_(most) {}

  /// Whether this job may be judged: it was in the last 24 hours, or the number is not reached. A
  /// new one is counted, durably, before this returns. An Error where the file cannot be read or
  /// written.
  Result<bool> admit(const Bytes32& job_hash, std::uint64_t unix_now);

 private:
  Status read();
  Status write() const;

  std::filesystem::path file_;
  std::uint32_t most_;
  bool read_ = false;
  std::map<Bytes32, std::uint64_t> judged_;  // when, by job
};

}  // namespace sotto::participant
