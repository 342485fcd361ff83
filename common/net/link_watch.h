// LinkWatch watches the connections of a listening socket, which ZeroMQ accepts by itself. It
// counts those that end without a frame and closes some when there are too many. A connection is
// unauthenticated until it has delivered a frame. Unauthenticated connections are bounded in number
// and in time, whoever opened them, so that they can exhaust neither memory nor file descriptors.
// Runs on the loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "common/base/ids.h"
#include "common/base/repeats.h"
#include "common/net/zmq_pump.h"
#include "common/net/zmq_socket.h"

namespace sotto::net {

class LinkWatch {
 public:
  struct Limits {
    std::size_t unauthenticated = 1024;  // unauthenticated connections at a time
    std::uint32_t patience_s = 30;       // longest time until a connection's first frame
  };

  /// `warn` receives sentences for the operator. `on_ended` receives the member of each connection
  /// that ended after it had delivered frames, unless shut() ended it. `socket` outlives the watch;
  /// construct the watch before the socket is bound.
  LinkWatch(boost::asio::io_context& loop, ZmqContext& context, ZmqSocket& socket, Limits limits,
            std::function<void(std::string)> warn, std::function<void(MemberId)> on_ended);
  ~LinkWatch();
  LinkWatch(const LinkWatch&) = delete;
  LinkWatch& operator=(const LinkWatch&) = delete;

  /// Identifies one connection for good, while the system reuses descriptors.
  using Serial = std::uint64_t;

  /// Records that a frame from the member arrived over this descriptor: the connection is
  /// authenticated from now on. Returns nothing when it is already closed.
  std::optional<Serial> authenticated(int descriptor, MemberId member);
  /// Ends the connection, which both ends notice. Does nothing when it is already closed.
  void shut(Serial serial);

  /// Counts the connections that ended without a frame: with no handshake, or with none that a
  /// frame followed. Refused keys and closed connections (shed()) are not among them.
  [[nodiscard]] std::uint64_t broken() const { return broken_.total(); }

  /// Counts the connections that were closed because there were too many, or because no frame
  /// arrived.
  [[nodiscard]] std::uint64_t shed() const { return shed_.total(); }

 private:
  struct Connection {
    int descriptor = -1;
    std::string peer;                  // address and port; empty: it ended before it could be read
    std::string address;               // without the port
    std::uint64_t since = 0;           // in calls of look()
    bool unauthenticated = true;       // no frame yet, and not being closed
    std::optional<MemberId> member{};  // sender of its frames, until shut()
  };

  bool event_one();
  void happened(std::uint16_t event, int value);
  void accepted(int descriptor);
  void disconnected(int descriptor);
  void check_connections();
  void schedule_check();
  void shed_one_of_the_most();
  void shed(Connection& connection, const char* why);
  void shut(const Connection& connection);

  Limits limits_;
  std::function<void(std::string)> warn_;
  std::function<void(MemberId)> on_ended_;
  ZmqSocket& watched_;
  ZmqSocket monitor_;
  std::map<Serial, Connection> connections_;  // oldest first
  std::map<int, Serial> at_descriptor_;
  std::size_t unauthenticated_ = 0;
  std::uint64_t checks_ = 0;  // calls of look(), one a second
  Serial next_ = 1;
  std::uint64_t refused_ = 0;  // refused keys whose connections have not ended yet
  Repeats broken_;
  Repeats shed_;
  boost::asio::steady_timer alarm_;
  std::unique_ptr<ZmqPump> pump_;
  std::shared_ptr<LinkWatch*> self_;  // handlers in the loop hold it weakly
};

}  // namespace sotto::net
