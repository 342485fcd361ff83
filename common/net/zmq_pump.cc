#include "common/net/zmq_pump.h"

#include <boost/asio/post.hpp>
#include <zmq.h>

namespace sotto::net {

namespace {

// The number of messages that are handled before timers and other handlers of the loop run.
constexpr int kBatch = 32;

}  // namespace

ZmqPump::ZmqPump(boost::asio::io_context& loop, ZmqSocket& socket,
                 std::function<bool()> receive_one)
    : loop_(loop),
      descriptor_(loop, socket.get_int(ZMQ_FD)),
      receive_one_(std::move(receive_one)),
      self_(std::make_shared<ZmqPump*>(this)) {
  wait();
  wake();
}

ZmqPump::~ZmqPump() {
  descriptor_.release();  // ZeroMQ closes it
}

void ZmqPump::wake() {
  if (woken_) return;
  woken_ = true;
  boost::asio::post(loop_, [weak = std::weak_ptr<ZmqPump*>(self_)] {
    if (const auto self = weak.lock()) (*self)->drain();
  });
}

void ZmqPump::wait() {
  descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [weak = std::weak_ptr<ZmqPump*>(self_)](boost::system::error_code error) {
                           const auto self = weak.lock();
                           if (error || !self) return;
                           (*self)->drain();
                           (*self)->wait();
                         });
}

void ZmqPump::drain() {
  woken_ = false;
  for (int i = 0; i < kBatch; ++i)
    if (!receive_one_()) return;
  wake();
}

}  // namespace sotto::net
