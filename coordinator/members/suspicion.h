// Who may have spoiled the sums that failed their checks (docs/secure-aggregation.md, 2.7, "A lost
// sum is localised"). Masks hide whose upload was wrong, so what is known is who was in each sum
// that was lost and in each that was good. Pure; what it remembers is public, and the caller's to
// keep. One thread.
#pragma once

#include <set>
#include <vector>

#include "common/base/ids.h"
#include "common/crypto/secure_random.h"

namespace sotto::coordinator {

class Suspicion {
 public:
  /// A member is in one of the three sets at most. All of them empty: there is no trouble.
  struct State {
    std::set<MemberId> suspects;   // in every lost sum that nothing else explains
    std::set<MemberId> set_aside;  // were in a lost sum, and since then in no sum
    std::set<MemberId> suspended;  // each was the only suspect that was left
    bool searching = false;        // the newest sum was lost
    bool operator==(const State&) const = default;
  };

  Suspicion() = default;

  explicit Suspicion(State state) : state_(std::move(state)) {}

  [[nodiscard]] const State& state() const { return state_; }

  /// The sum over these members was opened and failed its checks. Of the suspects those remain that
  /// were in it. Where none was, there is another spoiler than the suspects: all of its members are
  /// suspects then, and a suspension ends, because its member does not explain this sum.
  void lost(const std::set<MemberId>& sum);
  /// The sum over these members was good: they are cleared. Where no suspect is left, those who
  /// were set aside are suspects.
  void good(const std::set<MemberId>& sum);
  /// What a member did is known: it is no suspect.
  void forget(MemberId member);

  /// Whom of `ready` the next attempt leaves out, `room` of them at most: who is suspended; half of
  /// the suspects, drawn by lot so that nobody can choose the half (the larger half while sums are
  /// being lost, else the smaller one: a single suspect is taken back); and while sums are being
  /// lost, who was set aside.
  [[nodiscard]] std::vector<MemberId> left_out(const std::vector<MemberId>& ready, std::size_t room,
                                               crypto::SecureRandom& random) const;

 private:
  State state_;
};

}  // namespace sotto::coordinator
