// Suspicion determines who may have spoiled the sums that failed their checks
// (docs/secure-aggregation.md, 2.7, "A lost sum is localised"). Masks hide whose upload was wrong,
// so it uses only who was in each sum that was lost and in each that was good. It does no I/O; its
// state is public, and the caller makes it durable. One thread.
#pragma once

#include <set>
#include <vector>

#include "common/base/ids.h"
#include "common/crypto/secure_random.h"

namespace sotto::coordinator {

class Suspicion {
 public:
  /// A member is in at most one of the three sets. All of them are empty while no sum was lost.
  struct State {
    std::set<MemberId> suspects;   // in every lost sum that is not explained otherwise
    std::set<MemberId> set_aside;  // were in a lost sum and in no sum since
    std::set<MemberId> suspended;  // each was the only remaining suspect
    bool searching = false;        // the newest sum was lost
    bool operator==(const State&) const = default;
  };

  Suspicion() = default;

  explicit Suspicion(State state) : state_(std::move(state)) {}

  [[nodiscard]] const State& state() const { return state_; }

  /// The sum over these members was opened and failed its checks. The suspects that were in it
  /// remain suspects. If none was, somebody else spoiled it: then all of its members become
  /// suspects, and suspensions end, because their members do not explain this sum.
  void lost(const std::set<MemberId>& sum);
  /// The sum over these members was good: they are cleared. If no suspect is left, those that were
  /// set aside become suspects.
  void good(const std::set<MemberId>& sum);
  /// There is evidence of what the member did: it is removed from all sets.
  void forget(MemberId member);

  /// Returns which members of `ready` the next attempt leaves out, at most `room` of them: those
  /// that are suspended; half of the suspects, drawn at random so that no party can choose the half
  /// (rounded up while sums are being lost and down otherwise, so that a single suspect takes part
  /// again); and, while sums are being lost, those that were set aside.
  [[nodiscard]] std::vector<MemberId> left_out(const std::vector<MemberId>& ready, std::size_t room,
                                               crypto::SecureRandom& random) const;

 private:
  State state_;
};

}  // namespace sotto::coordinator
