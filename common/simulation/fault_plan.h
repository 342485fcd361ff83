// A plan of which member fails when. A moment is identified by the message that the member would
// have sent next, so that a plan has the same meaning at every timing.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/wire/messages.h"

namespace sotto::simulation {

/// The first message that the failing member does not send.
enum class Moment : std::uint8_t {
  kAdvertise,  // never joins
  kShares,
  kShareCheck,
  kUpload,       // masked, but not announced
  kUploadBytes,  // announced, but its bytes not fetched
  kEndorse,
  kUnmask,
  kAbortVote
};
/// The moments of a round that succeeds.
inline constexpr Moment kMoments[] = {Moment::kAdvertise, Moment::kShares,      Moment::kShareCheck,
                                      Moment::kUpload,    Moment::kUploadBytes, Moment::kEndorse,
                                      Moment::kUnmask};

std::string_view name(Moment moment);
/// Returns the moment that the sending of this message passes; nothing for a message that is no
/// step of a round.
std::optional<Moment> moment_of(const wire::Message& message);

struct Fault {
  MemberId member{};
  std::uint64_t round = 0;  // the simulation's count of rounds, from 0
  Moment moment{};
  /// The effect at the moment. kSilent: the link is down for the rest of the round, while the
  /// process lives and its next round works. kCrash: the process ends and loses its secrets, and a
  /// new one starts after `restart_after`.
  enum class Kind : std::uint8_t { kSilent, kCrash } kind = Kind::kSilent;
  Duration restart_after{0};
};

using FaultPlan = std::vector<Fault>;

/// Returns the first fault of the plan that applies when the member sends `message` in this round,
/// or null.
const Fault* find_fault(const FaultPlan& plan, MemberId member, std::uint64_t round,
                        const wire::Message& message);

}  // namespace sotto::simulation
