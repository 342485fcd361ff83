// Watches the connections of a listening socket, which ZeroMQ accepts by itself: counts those that
// come to nothing and closes some when there are too many. A connection is a stranger's until it
// has delivered a frame; strangers are bounded in number and in time, whoever they are, so that
// they can use up neither memory nor file descriptors. On the loop's thread.
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
    std::size_t strangers = 1024;   // connections at a time that have said nothing yet
    std::uint32_t patience_s = 30;  // how long one may say nothing
  };

  /// `warn` gets sentences for the operator; `on_ended` each member of whom a connection that had
  /// delivered frames ended, and was not shut. `socket` outlives the watch; construct the watch
  /// before it is bound.
  LinkWatch(boost::asio::io_context& loop, ZmqContext& context, ZmqSocket& socket, Limits limits,
            std::function<void(std::string)> warn, std::function<void(MemberId)> on_ended);
  ~LinkWatch();
  LinkWatch(const LinkWatch&) = delete;
  LinkWatch& operator=(const LinkWatch&) = delete;

  /// Names one connection for good; a descriptor is used again.
  using Serial = std::uint64_t;

  /// A frame came from the member over this descriptor: it counts as an unauthenticated
  /// connection no more. Returns nothing when the connection is closed already.
  std::optional<Serial> spoke(int descriptor, MemberId member);
  /// Both ends see the connection end. Nothing happens when it is closed already.
  void shut(Serial serial);

  /// Connections that ended without a word: no handshake, or none that made a frame follow. Neither
  /// refused keys nor shed ones.
  [[nodiscard]] std::uint64_t broken() const { return broken_.total(); }

  /// Connections closed because there were too many, or because they said nothing.
  [[nodiscard]] std::uint64_t shed() const { return shed_.total(); }

 private:
  struct Connection {
    int descriptor = -1;
    std::string peer;                  // address:port; empty: it was gone before it could be asked
    std::string address;               // without the port
    std::uint64_t since = 0;           // in looks
    bool stranger = true;              // has not spoken, and is not being shut
    std::optional<MemberId> member{};  // who spoke, until it is shut
  };

  bool event_one();
  void happened(std::uint16_t event, int value);
  void accepted(int descriptor);
  void disconnected(int descriptor);
  void look();
  void look_later();
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
  std::size_t strangers_ = 0;
  std::uint64_t looks_ = 0;  // one a second
  Serial next_ = 1;
  std::uint64_t refused_ = 0;  // keys, whose connections have not ended yet
  Repeats broken_;
  Repeats shed_;
  boost::asio::steady_timer alarm_;
  std::unique_ptr<ZmqPump> pump_;
  std::shared_ptr<LinkWatch*> self_;  // what waits in the loop holds it weakly
};

}  // namespace sotto::net
