// Who is in no further round of a run, or not in the next one, and why: members that evidence
// convicts, for the rest of the run, and members that may have spoiled sums (suspicion.h). Durable
// in exclusions.json of the run folder, before any attempt that depends on it is offered: a process
// that begins again leaves out the same. What is in it is public to the coordinator: signed
// messages and members of sums. One thread.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "coordinator/members/suspicion.h"

namespace sotto::coordinator {

class Exclusions {
 public:
  /// Empty and nowhere: nothing but open() is for it.
  Exclusions() = default;
  /// Reads `file` when it is there. An Error when it is damaged.
  static Result<Exclusions> open(std::filesystem::path file);

  // Each is durable when it returns OK.

  /// Evidence that verifies convicts the member of breaking `rule`. The first rule stays.
  Status convict(MemberId member, const std::string& rule);
  /// The sum of an attempt over these members failed its checks. Once an attempt: one that goes on
  /// after a crash may find it again. Nobody is suspected where one of them is convicted: what it
  /// did may be the reason.
  Status lost(RoundNumber round, const std::vector<MemberId>& sum);
  /// The sum of an attempt is good.
  Status good(RoundNumber round, const std::vector<MemberId>& sum);
  /// An attempt is about to be offered; its cohort may name members whom it leaves out.
  Status begin(RoundNumber round, std::vector<MemberId> left_out);

  /// With the rules that they broke.
  [[nodiscard]] const std::map<MemberId, std::string>& convicted() const { return convicted_; }

  [[nodiscard]] const Suspicion& suspicion() const { return suspicion_; }

  /// Whom the attempt, if it is the newest that began, leaves out.
  [[nodiscard]] std::vector<MemberId> left_out_of(RoundNumber round) const;

 private:
  [[nodiscard]] Status save() const;

  std::filesystem::path file_;
  std::map<MemberId, std::string> convicted_;
  Suspicion suspicion_;
  RoundNumber judged_;  // the newest attempt whose sum was lost or good
  RoundNumber begun_;
  std::vector<MemberId> left_out_;  // of begun_
};

}  // namespace sotto::coordinator
