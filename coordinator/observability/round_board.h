// Who is where in the attempt under way and how long its phases took, told from the events of the
// round: what the console, status.json and the dashboard show. Takes no part in any decision. One
// thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "coordinator/members/members.h"
#include "coordinator/observability/run_report.h"
#include "coordinator/protocol/round.h"

namespace sotto::coordinator {

class RoundBoard {
 public:
  /// A new attempt: nothing has taken any time yet, nobody outside of `cohort` takes part.
  void begin(RoundNumber round, const std::vector<MemberId>& cohort, TimePoint now);
  void on_event(const RoundEvent& event, TimePoint now);
  /// The attempt is over: seconds by phase. Who was where stays until the next one begins.
  std::map<std::string, double> end(TimePoint now);
  /// `status` with the attempt under way, its times and each member's part in it.
  [[nodiscard]] RunStatus running(RunStatus status, const RoundProgress& progress,
                                  TimePoint now) const;
  /// Between two attempts: each member's part in the last one.
  [[nodiscard]] RunStatus resting(RunStatus status) const;

 private:
  struct Part {
    RoundPart part = RoundPart::kPreparing;
    std::string reason;
  };

  void enter(std::optional<Phase> phase, TimePoint now);
  void drop(const RoundEvent& event);

  RoundNumber round_;
  std::map<MemberId, Part> parts_;
  std::map<std::string, double> spent_s_;
  std::optional<Phase> phase_;
  TimePoint since_;
};

/// Of what somebody should hear about: a rejected message (counted against its member, and not said
/// each time), a dropout, a failure. A member's words are made printable.
std::optional<std::string> line_for_log(const RoundEvent& event, RoundNumber round,
                                        Members& members);

}  // namespace sotto::coordinator
