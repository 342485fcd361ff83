// A network in memory: every message is encoded where it is sent and decoded where it arrives, and
// may on its way be lost, doubled, delayed, overtaken or cut off. Deterministic for a seed. The
// real transport keeps the order of a connection and loses only with it, so this is the harsher
// one. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "common/base/ids.h"
#include "common/crypto/secure_random.h"
#include "common/wire/codec.h"
#include "common/wire/messages.h"

namespace sotto::simulation {

/// What may happen to one message. Delays are uniform, so messages overtake each other as soon as
/// the two differ.
struct LinkFaults {
  double loss = 0;
  double duplicate = 0;
  Duration min_delay{1};
  Duration max_delay{1};
  /// Of each member's link, either way; messages queue for it. 0: no limit.
  std::uint64_t bytes_per_second = 0;
};

struct Delivery {
  MemberId to{};
  wire::Envelope envelope;  // peer: the sender, as the transport would have authenticated it
};

class SimNetwork {
 public:
  SimNetwork(std::uint64_t seed, const LinkFaults& faults);

  /// `envelope.peer` is the recipient; one end is always the coordinator.
  void send(MemberId from, const wire::Envelope& envelope, TimePoint now);
  /// When the next message arrives.
  [[nodiscard]] std::optional<TimePoint> next() const;
  /// The next message that arrives at or before `now`; those of one instant in the order sent.
  std::optional<Delivery> receive(TimePoint now);

  /// The member's link is down: what is under way in either direction and what is sent meanwhile is
  /// lost.
  void cut(MemberId member);
  void restore(MemberId member);

  [[nodiscard]] bool is_cut(MemberId member) const { return cut_.contains(member); }

  struct Totals {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    std::uint64_t lost = 0;
  };

  [[nodiscard]] const Totals& totals() const { return totals_; }

 private:
  struct InFlight {
    MemberId from{};
    MemberId to{};
    Bytes frame;
  };

  /// When the last byte of a message of `bytes` has left for the member, or from it.
  TimePoint leaves(MemberId member, bool to_member, std::size_t bytes, TimePoint now);

  using Arrival = std::pair<TimePoint, std::uint64_t>;  // and the order of sending

  LinkFaults faults_;
  crypto::StreamRandom random_;
  std::uint64_t order_ = 0;
  std::map<Arrival, InFlight> in_flight_;
  std::set<MemberId> cut_;
  std::map<std::pair<MemberId, bool>, TimePoint>
      busy_until_;  // of a link, to the member or from it
  Totals totals_;
};

}  // namespace sotto::simulation
