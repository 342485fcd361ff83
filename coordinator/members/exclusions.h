// Exclusions records who takes part in no further round of a run, or not in the next one, and why:
// members that evidence convicts, for the rest of the run, and members that may have spoiled sums
// (suspicion.h). Durable in exclusions.json of the run folder before any attempt that depends on it
// is offered, so that a restarted process leaves out the same members. The file holds only what the
// coordinator knows anyway: signed messages and members of sums. One thread.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "coordinator/members/suspicion.h"

namespace sotto::coordinator {

class Exclusions {
 public:
  /// An empty object without a file; only assignment from open() makes it usable.
  Exclusions() = default;
  /// Reads `file` if it exists. An Error when it is damaged.
  static Result<Exclusions> open(std::filesystem::path file);

  // Each of the following functions is durable when it returns OK.

  /// Verified evidence convicts the member of breaking `rule`. If the member is convicted already,
  /// the first rule stays.
  Status exclude_offender(MemberId member, const std::string& rule);
  /// The sum of an attempt over these members failed its checks. It counts once per attempt,
  /// because an attempt that continues after a crash may find it again. If one of the members is
  /// convicted, nobody is suspected: what that member did may be the reason.
  Status lost(RoundNumber round, const std::vector<MemberId>& sum);
  /// The sum of an attempt over these members is good.
  Status good(RoundNumber round, const std::vector<MemberId>& sum);
  /// An attempt is about to be offered. Its cohort may contain members of `left_out`.
  Status begin(RoundNumber round, std::vector<MemberId> left_out);

  /// The convicted members and the rules that they broke.
  [[nodiscard]] const std::map<MemberId, std::string>& offenders() const { return offenders_; }

  [[nodiscard]] const Suspicion& suspicion() const { return suspicion_; }

  /// Returns whom the attempt leaves out; empty unless it is the newest that began.
  [[nodiscard]] std::vector<MemberId> left_out_of(RoundNumber round) const;

 private:
  [[nodiscard]] Status save() const;

  std::filesystem::path file_;
  std::map<MemberId, std::string> offenders_;
  Suspicion suspicion_;
  RoundNumber judged_;  // the newest attempt whose sum was lost or good
  RoundNumber begun_;
  std::vector<MemberId> left_out_;  // of begun_
};

}  // namespace sotto::coordinator
