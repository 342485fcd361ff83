// How long each phase of an attempt at a round took. One thread.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "common/base/ids.h"
#include "coordinator/run_report.h"

namespace sotto::coordinator {

class PhaseTimes {
 public:
  /// A new attempt: nothing has taken any time yet.
  void begin(TimePoint now) {
    spent_s_.clear();
    phase_.clear();
    since_ = now;
  }

  void enter(std::string_view phase, TimePoint now) {
    if (!phase_.empty()) spent_s_[phase_] += seconds(now - since_);
    phase_ = phase;
    since_ = now;
  }

  /// The attempt is over: seconds by phase.
  std::map<std::string, double> end(TimePoint now) {
    enter({}, now);
    return std::exchange(spent_s_, {});
  }

 private:
  std::map<std::string, double> spent_s_;
  std::string phase_;
  TimePoint since_;
};

}  // namespace sotto::coordinator
