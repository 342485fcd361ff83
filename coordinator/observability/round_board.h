// RoundBoard tracks each member's part in the attempt under way and the duration of its phases,
// from the events of the round, for the console, status.json and the dashboard. It has no influence
// on any decision. One thread.
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
  /// Begins a new attempt: all durations are zero, and only the members of `cohort` take part.
  void begin(RoundNumber round, const std::vector<MemberId>& cohort, TimePoint now);
  void on_event(const RoundEvent& event, TimePoint now);
  /// Ends the attempt and returns the seconds of each phase. The members' parts stay until the next
  /// attempt begins.
  std::map<std::string, double> end(TimePoint now);
  /// Returns `status` with the attempt under way, its times and each member's part in it.
  [[nodiscard]] RunStatus running(RunStatus status, const RoundProgress& progress,
                                  TimePoint now) const;
  /// Returns `status`, between two attempts, with each member's part in the last one.
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

/// Returns a line for the log about a rejected message, a member that drops out, or a failure;
/// nothing for other events. A rejected message is counted as a protocol violation of its member
/// and not logged each time. Text from a member is made printable.
std::optional<std::string> line_for_log(const RoundEvent& event, RoundNumber round,
                                        Members& members);

}  // namespace sotto::coordinator
