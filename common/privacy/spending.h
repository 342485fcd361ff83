// What the rows of the ledger come to. ledger.cc alone uses it.
#pragma once

#include <limits>

#include "common/privacy/ledger.h"

namespace sotto::privacy {

/// What a data set has spent, in a form that adds up; the two statements apart.
struct Spending {
  ExampleAccountant examples;
  RdpAccountant participant;
  bool examples_unbounded = false;
  bool participant_unbounded = false;

  Status add(const Charge& charge) {
    const bool trained = charge.steps || charge.without_privacy;
    examples_unbounded = examples_unbounded || charge.without_privacy;
    participant_unbounded = participant_unbounded || (trained && !charge.noise);
    if (charge.steps)
      if (Status added = examples.add(*charge.steps); !added.ok()) return added;
    return charge.noise ? participant.add(*charge.noise) : Status{};
  }

  /// Whether at(delta).epsilon is at most `limit`; usually quicker.
  [[nodiscard]] bool examples_within(double limit, double delta) const {
    return limit == std::numeric_limits<double>::infinity() ||
           (!examples_unbounded && examples.within(limit, delta));
  }

  [[nodiscard]] double participant_epsilon(double delta) const {
    return participant_unbounded ? std::numeric_limits<double>::infinity()
                                 : participant.epsilon(delta);
  }

  [[nodiscard]] Spent at(double delta) const {
    return {.epsilon = examples_unbounded ? std::numeric_limits<double>::infinity()
                                          : examples.epsilon(delta),
            .participant_epsilon = participant_epsilon(delta)};
  }
};

}  // namespace sotto::privacy
