// Host is the environment of a coordinator or a participant: frames, a clock, one alarm and a
// thread pool. It has two implementations: AsioHost (common/net) uses ZeroMQ and the steady clock,
// that of common/simulation uses links in memory and a virtual clock. The same App runs under both.
#pragma once

#include <cstdint>
#include <functional>

#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace sotto {

/// App is a coordinator or a participant as its Host calls it. All calls are made on one thread,
/// one at a time; none may block.
class App {
 public:
  virtual ~App() = default;
  virtual void start() = 0;
  /// `peer` is the member that the transport authenticated.
  virtual void on_frame(MemberId peer, BytesView frame) = 0;
  /// Called at or after the time of the last Host::wake_at.
  virtual void on_wake() = 0;

  /// Called at a participant when the link to the coordinator is up, for the first time or again.
  virtual void on_connected() {}

  /// Called at SIGINT or SIGTERM: the App sends its last messages and calls Host::finish().
  virtual void on_stop_requested() = 0;
};

/// Counts of unauthenticated connections at the listener since the process began.
struct UnauthenticatedConnections {
  std::uint64_t refused_keys = 0;  // handshakes with a key that is not in the roster
  std::uint64_t ended_early = 0;   // connections that ended before they sent a frame
  std::uint64_t shed = 0;          // connections closed: too many, or silent for long
};

/// Host is what an App calls. It outlives its App; all calls are made on the App's thread.
class Host {
 public:
  virtual ~Host() = default;
  [[nodiscard]] virtual TimePoint now() const = 0;
  /// Sends a frame without a guarantee of delivery; the protocol repeats lost frames. Returns false
  /// when the peer is not connected now.
  virtual bool send(MemberId peer, Bytes frame) = 0;
  /// Sets the one alarm, after which App::on_wake() is called. A later call replaces it.
  virtual void wake_at(TimePoint when) = 0;
  /// Runs `work` on another thread, then `done` on the App's. `work` must not touch anything that
  /// the App uses meanwhile.
  virtual void compute(std::function<void()> work, std::function<void()> done) = 0;

  [[nodiscard]] virtual UnauthenticatedConnections unauthenticated() const { return {}; }

  /// Ends the event loop once all sent frames have left.
  virtual void finish(int exit_code) = 0;
};

}  // namespace sotto
