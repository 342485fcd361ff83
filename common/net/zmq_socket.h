// ZeroMQ's context, socket and message as owners. Private to common/net. A socket is used by one
// thread; a context may be shared.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/base/bytes.h"

struct zmq_msg_t;

namespace sotto::net {

/// Its destruction waits until the closed sockets' last messages left or their linger is over.
class ZmqContext {
 public:
  ZmqContext();
  ~ZmqContext();
  ZmqContext(const ZmqContext&) = delete;
  ZmqContext& operator=(const ZmqContext&) = delete;

  [[nodiscard]] void* get() const { return context_; }

  /// Every blocking call in this context returns ETERM from now on.
  void shut_down();

 private:
  void* context_;
};

class ZmqMessage {
 public:
  ZmqMessage();
  ~ZmqMessage();
  ZmqMessage(const ZmqMessage&) = delete;
  ZmqMessage& operator=(const ZmqMessage&) = delete;

  [[nodiscard]] BytesView bytes() const;
  [[nodiscard]] Bytes copy() const;
  [[nodiscard]] bool more() const;
  /// What the ZAP handler answered as the peer's user id; nullptr when none was.
  [[nodiscard]] const char* user_id() const;
  /// Of the connection that it came over; that may be closed by now.
  [[nodiscard]] int descriptor() const;

  [[nodiscard]] zmq_msg_t* get() { return message_.get(); }

 private:
  std::unique_ptr<zmq_msg_t> message_;
};

class ZmqSocket {
 public:
  ZmqSocket(ZmqContext& context, int type);
  ~ZmqSocket();
  ZmqSocket(const ZmqSocket&) = delete;
  ZmqSocket& operator=(const ZmqSocket&) = delete;

  [[nodiscard]] void* get() const { return socket_; }

  void set(int option, int value);
  void set(int option, std::int64_t value);
  void set(int option, BytesView value);
  [[nodiscard]] int get_int(int option) const;

  /// False: nothing to read now (or, on a socket that blocks, the context was shut down).
  [[nodiscard]] bool receive(ZmqMessage& message, int flags);
  /// 0 or the errno of why not. Never blocks with ZMQ_DONTWAIT.
  [[nodiscard]] int send(BytesView bytes, int flags);
  /// The same; EAGAIN is believed only after ZeroMQ has looked at what its own thread told it,
  /// which it does not do on every send.
  [[nodiscard]] int send_now(BytesView bytes, int flags);

 private:
  void* socket_;
};

/// An endpoint's parts, or a StartupError that names `setting` and what one looks like.
void require_tcp_endpoint(const std::string& endpoint, const char* setting);

}  // namespace sotto::net
