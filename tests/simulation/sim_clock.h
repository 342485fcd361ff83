// Time in a simulation: stands still until the simulation moves it. One thread.
#pragma once

#include "common/base/check.h"
#include "common/base/ids.h"

namespace sotto::simulation {

class SimClock {
 public:
  [[nodiscard]] TimePoint now() const { return now_; }

  void advance_to(TimePoint time) {
    SOTTO_CHECK(time >= now_, "time does not run backwards");
    now_ = time;
  }

 private:
  TimePoint now_{Duration(1'000'000)};  // not zero: nothing may rely on the epoch
};

}  // namespace sotto::simulation
