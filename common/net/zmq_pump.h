// ZmqPump connects a ZeroMQ socket to an Asio loop. ZeroMQ's descriptor is edge-triggered and
// signals that ZeroMQ has work to do, not that there is a message. After each wake-up and after
// each send the socket has to be read until it would block; otherwise a wake-up is lost for good.
#pragma once

#include <functional>
#include <memory>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "common/net/zmq_socket.h"

namespace sotto::net {

class ZmqPump {
 public:
  /// `receive_one` reads and handles one message and returns false when there is none. All calls
  /// are made on the loop's thread. The socket has to outlive the pump.
  ZmqPump(boost::asio::io_context& loop, ZmqSocket& socket, std::function<bool()> receive_one);
  ~ZmqPump();
  ZmqPump(const ZmqPump&) = delete;
  ZmqPump& operator=(const ZmqPump&) = delete;

  /// Reads the socket soon. Call it after every send.
  void wake();

 private:
  void wait();
  void drain();

  boost::asio::io_context& loop_;
  boost::asio::posix::stream_descriptor descriptor_;
  std::function<bool()> receive_one_;
  bool woken_ = false;
  // Posted handlers hold it weakly and do nothing once the pump is gone.
  std::shared_ptr<ZmqPump*> self_;
};

}  // namespace sotto::net
