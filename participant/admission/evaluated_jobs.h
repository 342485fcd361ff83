// EvaluatedJobs bounds the number of different jobs that a site evaluates. Every answer reveals
// something of the site's policy and ledger, so the number of questions is bounded, also across
// restarts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace sotto::participant {

/// Use from one thread.
class EvaluatedJobs {
 public:
  /// Admits `most` different jobs in 24 hours. `file` stores them; if it is empty, they are kept in
  /// memory.
  EvaluatedJobs(std::filesystem::path file, std::uint32_t most)
      : file_(std::move(file)), most_(most) {}

  /// Returns whether this job may be evaluated: it was evaluated in the last 24 hours, or the limit
  /// is not reached. A new job is counted, durably, before this returns. An Error if the file
  /// cannot be read or written.
  Result<bool> admit(const Bytes32& job_hash, std::uint64_t unix_now);

 private:
  Status read();
  Status write() const;

  std::filesystem::path file_;
  std::uint32_t most_;
  bool read_ = false;
  std::map<Bytes32, std::uint64_t> evaluated_;  // seconds since 1970, by job
};

}  // namespace sotto::participant
