// What surrounds a coordinator or a participant: frames, a clock, one alarm, a pool. Two of them
// exist: AsioHost (common/net) over ZeroMQ and the steady clock, and that of common/simulation over
// links in memory and a virtual clock. The same App runs under both.
#pragma once

#include <cstdint>
#include <functional>

#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace sotto {

/// All calls come on one thread, one at a time; none may block.
class App {
 public:
  virtual ~App() = default;
  virtual void start() = 0;
  /// `peer` is who the transport authenticated.
  virtual void on_frame(MemberId peer, BytesView frame) = 0;
  /// At or after the time of the last Host::wake_at.
  virtual void on_wake() = 0;

  /// Participant: the link to the coordinator is up (again).
  virtual void on_connected() {}

  /// SIGINT or SIGTERM: say what is to be said and finish.
  virtual void on_stop_requested() = 0;
};

/// What others than members did at the door, since the process began.
struct Strangers {
  std::uint64_t refused_keys = 0;     // handshakes with a key that is not in the roster
  std::uint64_t came_to_nothing = 0;  // connections that ended without a word
  std::uint64_t shed = 0;             // connections closed: too many, or long without a word
};

/// Outlives its App. All calls from the App's thread.
class Host {
 public:
  virtual ~Host() = default;
  [[nodiscard]] virtual TimePoint now() const = 0;
  /// Best effort: what is lost is repeated by the protocol. False when the peer is not connected
  /// now.
  virtual bool send(MemberId peer, Bytes frame) = 0;
  /// One alarm: a later call replaces it.
  virtual void wake_at(TimePoint when) = 0;
  /// Runs `work` on another thread, then `done` on the App's. `work` touches nothing that the App
  /// uses meanwhile.
  virtual void compute(std::function<void()> work, std::function<void()> done) = 0;

  [[nodiscard]] virtual Strangers strangers() const { return {}; }

  /// Ends the event loop once what was sent has left.
  virtual void finish(int exit_code) = 0;
};

}  // namespace sotto
