// Punctuality determines which members delayed an attempt at a round, from the events of its
// machine: members that were silent until the end of a phase, that did their part long after the
// others, or that went away. It has no influence on the attempt. One thread.
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
  /// A member is late in a phase when the others had done their part and waited for it for at least
  /// 1/kLateShare of the time that the phase may last.
  static constexpr int kLateShare = 4;

  struct Attempt {
    RoundNumber round;
    std::vector<MemberId> cohort;
    wire::Deadlines deadline_ms{};
    std::uint32_t colluders = 0;  // the delays of so many members do not excuse others
    std::uint32_t uploads_at_once = 0;
  };

  /// Begins an attempt. The members in `unexpected` belong to the cohort but are not waited for,
  /// because they are absent.
  void begin(Attempt attempt, const std::vector<MemberId>& unexpected);
  void on_event(const RoundEvent& event, TimePoint now);
  /// Ends the attempt and returns the faults of its members.
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
  std::set<MemberId> absent_;  // not waited for any more
  std::optional<Timed> timed_;
  std::vector<Fault> faults_;
};

}  // namespace sotto::coordinator
