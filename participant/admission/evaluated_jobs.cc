#include "participant/admission/evaluated_jobs.h"

#include <sstream>
#include <string>

#include "common/storage/atomic_file.h"

namespace sotto::participant {

namespace {

constexpr std::uint64_t kWindow = 86400;  // seconds
constexpr std::uint64_t kMaxJudgedJobsBytes = 1 << 22;

}  // namespace

/// The file has one line for each job: seconds since 1970, a space, the hash in hexadecimal.
Status EvaluatedJobs::read() {
  if (read_ || file_.empty()) return {};
  SOTTO_ASSIGN_OR_RETURN(const auto bytes,
                         storage::read_file_if_exists(file_, kMaxJudgedJobsBytes));
  if (bytes) {
    std::istringstream lines(std::string(bytes->begin(), bytes->end()));
    std::uint64_t when = 0;
    std::string hash;
    while (lines >> when >> hash) {
      const auto raw = from_hex(hash);
      if (!raw.ok() || raw->size() != sizeof(Bytes32))
        return Error{file_.string() + " is damaged; remove it"};
      Bytes32 key{};
      std::copy(raw->begin(), raw->end(), key.begin());
      evaluated_[key] = when;
    }
  }
  read_ = true;
  return {};
}

Status EvaluatedJobs::write() const {
  if (file_.empty()) return {};
  std::string text;
  for (const auto& [hash, when] : evaluated_)
    text += std::to_string(when) + " " + to_hex(hash) + "\n";
  return storage::write_file_atomically(file_, {view_of(text)}, storage::FileAccess::kOwnerOnly);
}

Result<bool> EvaluatedJobs::admit(const Bytes32& job_hash, std::uint64_t unix_now) {
  SOTTO_TRY(read());
  // After the clock was set back an entry is kept longer, never shorter.
  std::erase_if(evaluated_, [&](const auto& j) { return unix_now >= j.second + kWindow; });
  if (evaluated_.contains(job_hash)) return true;
  if (evaluated_.size() >= most_) return false;
  evaluated_[job_hash] = unix_now;
  SOTTO_TRY(write());
  return true;
}

}  // namespace sotto::participant
