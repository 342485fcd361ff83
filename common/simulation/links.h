// The links between the coordinator and each member. A frame may be lost, duplicated, delayed,
// reordered, or lost with its connection. The faults are deterministic for a seed. ZeroMQ over TCP
// keeps the order of frames on a connection and loses them only with it, so this network has more
// faults. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "common/base/ids.h"
#include "common/crypto/secure_random.h"

namespace sotto::simulation {

/// The probabilities and bounds of the faults. Delays and outages are distributed uniformly, so
/// frames overtake each other as soon as the bounds differ.
struct LinkFaults {
  double loss = 0;       // probability, of each frame
  double duplicate = 0;  // probability, of each frame
  Duration min_delay{1};
  Duration max_delay{1};
  /// The bandwidth of each member's link in either direction; frames wait for each other. 0: no
  /// limit.
  std::uint64_t bytes_per_second = 0;
  double break_on_delivery = 0;  // probability that a frame's arrival ends its connection
  Duration min_outage{10};
  Duration max_outage{310};
};

class Links {
 public:
  Links(std::uint64_t seed, const LinkFaults& faults);

  /// Returns when each copy of a frame of `bytes` bytes arrives that is sent now: no copy, one or
  /// two.
  std::vector<TimePoint> send(MemberId member, bool to_member, std::size_t bytes, TimePoint now);

  /// Ends the member's connection. Frames under way in either direction are lost, and so are those
  /// sent until restore().
  void cut(MemberId member);
  void restore(MemberId member);

  [[nodiscard]] bool is_cut(MemberId member) const;

  /// Returns the number of the member's connection. A frame of an earlier one does not arrive.
  [[nodiscard]] std::uint64_t connection(MemberId member) const;

  /// Draws whether the arrival of a frame ends its connection. Returns the duration of the outage,
  /// or zero.
  Duration draw_outage();

 private:
  struct Link {
    bool cut = false;
    std::uint64_t connection = 0;
    TimePoint busy_until[2] = {};  // from the member, to the member
  };

  TimePoint leaves(Link& link, bool to_member, std::size_t bytes, TimePoint now) const;

  LinkFaults faults_;
  crypto::StreamRandom delays_;
  crypto::StreamRandom outages_;
  std::map<MemberId, Link> links_;
};

}  // namespace sotto::simulation
