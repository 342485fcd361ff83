// Which member fails when. Moments are named by what the member would have sent next, so that a
// plan means the same at every timing.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/wire/messages.h"

namespace sotto::simulation {

/// The member's own message that it does not get out any more.
enum class Moment : std::uint8_t {
  kAdvertise,  // never joins
  kShares,
  kShareCheck,
  kUpload,       // masked, never announced
  kUploadBytes,  // announced, its bytes never fetched
  kEndorse,
  kUnmask,
  kBurnVote
};
/// Of a round that goes well.
inline constexpr Moment kMoments[] = {Moment::kAdvertise, Moment::kShares,      Moment::kShareCheck,
                                      Moment::kUpload,    Moment::kUploadBytes, Moment::kEndorse,
                                      Moment::kUnmask};

std::string_view name(Moment moment);
/// The moment that sending this message passes; nothing for messages that are no step of a round.
std::optional<Moment> moment_of(const wire::Message& message);

struct Fault {
  MemberId member{};
  std::uint64_t round = 0;  // the simulation's count of rounds, from 0
  Moment moment{};
  /// What happens then: the link goes for the rest of the round (the process lives, its next round
  /// works), or the process dies and a new one starts after `restart_after`, its secrets gone.
  enum class Kind : std::uint8_t { kSilent, kCrash } kind = Kind::kSilent;
  Duration restart_after{0};
};

using FaultPlan = std::vector<Fault>;

/// The first fault of the plan that sending `message` in this round runs into.
const Fault* find_fault(const FaultPlan& plan, MemberId member, std::uint64_t round,
                        const wire::Message& message);

}  // namespace sotto::simulation
