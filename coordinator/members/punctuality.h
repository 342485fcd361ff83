// Who kept an attempt at a round waiting, from the events of its machine: members that were silent
// until the end of a phase, those that did their part long after the others, and those that went
// away. It takes no part in the attempt. One thread.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "coordinator/members/backoff.h"
#include "coordinator/protocol/round.h"

namespace sotto::coordinator {

class Punctuality {
 public:
  /// A member is late in a phase when the others had done their part and waited for it for this
  /// share of the time that the phase may last.
  static constexpr int kLateShare = 4;  // a quarter

  struct Attempt {
    RoundNumber round;
    std::vector<MemberId> cohort;
    wire::Deadlines deadline_ms{};
    std::uint32_t colluders = 0;  // whose being late does not excuse each other
    std::uint32_t uploads_at_once = 0;
  };

  /// `unexpected` are of the cohort but not waited for, because they are not there.
  void begin(Attempt attempt, const std::vector<MemberId>& unexpected);
  void on_event(const RoundEvent& event, TimePoint now);
  /// The attempt is over: the faults of its members.
  std::vector<Fault> end();

 private:
  /// A phase in which every member of the cohort has a part to do.
  struct Timed {
    Phase phase{};
    Duration most{};
    std::map<MemberId, TimePoint> done;
  };

  void end_phase();
  [[nodiscard]] std::string where(Phase phase) const;
  void add(MemberId member, Fault::Cost cost, const std::string& what);

  Attempt attempt_;
  std::set<MemberId> absent_;  // nobody waits for them any more
  std::optional<Timed> timed_;
  std::vector<Fault> faults_;
};

}  // namespace sotto::coordinator
