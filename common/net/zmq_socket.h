// Owners of ZeroMQ's context, socket and message. Private to common/net. A socket is used by one
// thread; a context may be shared.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/base/bytes.h"

struct zmq_msg_t;

namespace sotto::net {

/// ZmqContext owns a context. Its destruction waits until the last messages of the closed sockets
/// are sent or their linger time is over.
class ZmqContext {
 public:
  ZmqContext();
  ~ZmqContext();
  ZmqContext(const ZmqContext&) = delete;
  ZmqContext& operator=(const ZmqContext&) = delete;

  [[nodiscard]] void* get() const { return context_; }

  /// Makes every blocking call in this context return ETERM from now on.
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
  /// Returns the peer's user id as the ZAP handler set it; nullptr when there is none.
  [[nodiscard]] const char* user_id() const;
  /// Returns the descriptor of the connection over which it arrived, which may be closed by now.
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

  /// Returns false when there is nothing to read now (or, on a socket that blocks, when the context
  /// was shut down).
  [[nodiscard]] bool receive(ZmqMessage& message, int flags);
  /// Returns 0, or the errno of the failure. Never blocks with ZMQ_DONTWAIT.
  [[nodiscard]] int send(BytesView bytes, int flags);
  /// The same, but it returns EAGAIN only after a second try, for which ZeroMQ has processed the
  /// commands of its own thread. It does not process them on every send.
  [[nodiscard]] int send_now(BytesView bytes, int flags);

 private:
  void* socket_;
};

/// Throws a StartupError that names `setting` and shows examples, unless `endpoint` is a TCP
/// endpoint.
void require_tcp_endpoint(const std::string& endpoint, const char* setting);

}  // namespace sotto::net
