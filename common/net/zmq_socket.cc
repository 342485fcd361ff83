#include "common/net/zmq_socket.h"

#include <cerrno>

#include <zmq.h>

#include "common/base/check.h"
#include "common/base/result.h"

#ifdef __SANITIZE_THREAD__
extern "C" void AnnotateIgnoreReadsBegin(const char* file, int line);
extern "C" void AnnotateIgnoreReadsEnd(const char* file, int line);
#endif

namespace sotto::net {

namespace {

/// ThreadSanitizer does not see the atomic operations in libzmq by which a message is handed over
/// from its thread, and would report each word of it, slowly. Reads while an object of this type
/// exists are ignored.
struct UnseenHandover {
#ifdef __SANITIZE_THREAD__
  UnseenHandover() {
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  }

  ~UnseenHandover() {
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  }

  UnseenHandover(const UnseenHandover&) = delete;
  UnseenHandover& operator=(const UnseenHandover&) = delete;
#else
  UnseenHandover() {}  // user-provided, so that the variable counts as used
#endif
};

}  // namespace

ZmqContext::ZmqContext() : context_(zmq_ctx_new()) {
  if (context_ == nullptr)
    throw StartupError(std::string("ZeroMQ cannot start: ") + zmq_strerror(errno) +
                       "; is the limit on open files (ulimit -n) very small?");
}

ZmqContext::~ZmqContext() {
  while (zmq_ctx_term(context_) != 0 && errno == EINTR) {
  }
}

void ZmqContext::shut_down() {
  zmq_ctx_shutdown(context_);
}

ZmqMessage::ZmqMessage() : message_(std::make_unique<zmq_msg_t>()) {
  zmq_msg_init(message_.get());
}

ZmqMessage::~ZmqMessage() {
  zmq_msg_close(message_.get());
}

BytesView ZmqMessage::bytes() const {
  return {static_cast<const std::uint8_t*>(zmq_msg_data(message_.get())),
          zmq_msg_size(message_.get())};
}

Bytes ZmqMessage::copy() const {
  const UnseenHandover unseen;
  const BytesView view = bytes();
  return {view.begin(), view.end()};
}

bool ZmqMessage::more() const {
  return zmq_msg_more(message_.get()) != 0;
}

const char* ZmqMessage::user_id() const {
  return zmq_msg_gets(message_.get(), "User-Id");
}

int ZmqMessage::descriptor() const {
  return zmq_msg_get(message_.get(), ZMQ_SRCFD);
}

ZmqSocket::ZmqSocket(ZmqContext& context, int type) : socket_(zmq_socket(context.get(), type)) {
  if (socket_ == nullptr)
    throw StartupError(std::string("ZeroMQ cannot open a socket: ") + zmq_strerror(errno) +
                       "; is the limit on open files (ulimit -n) very small?");
}

ZmqSocket::~ZmqSocket() {
  zmq_close(socket_);
}

void ZmqSocket::set(int option, int value) {
  SOTTO_CHECK(zmq_setsockopt(socket_, option, &value, sizeof value) == 0, zmq_strerror(errno));
}

void ZmqSocket::set(int option, std::int64_t value) {
  SOTTO_CHECK(zmq_setsockopt(socket_, option, &value, sizeof value) == 0, zmq_strerror(errno));
}

void ZmqSocket::set(int option, BytesView value) {
  SOTTO_CHECK(zmq_setsockopt(socket_, option, value.data(), value.size()) == 0,
              zmq_strerror(errno));
}

int ZmqSocket::get_int(int option) const {
  int value = 0;
  std::size_t size = sizeof value;
  SOTTO_CHECK(zmq_getsockopt(socket_, option, &value, &size) == 0, zmq_strerror(errno));
  return value;
}

bool ZmqSocket::receive(ZmqMessage& message, int flags) {
  while (zmq_msg_recv(message.get(), socket_, flags) < 0) {
    if (errno == EINTR) continue;
    SOTTO_CHECK(errno == EAGAIN || errno == ETERM, zmq_strerror(errno));
    return false;
  }
  return true;
}

int ZmqSocket::send(BytesView bytes, int flags) {
  while (zmq_send(socket_, bytes.data(), bytes.size(), flags) < 0)
    if (errno != EINTR) return errno;
  return 0;
}

int ZmqSocket::send_now(BytesView bytes, int flags) {
  const int error = send(bytes, flags);
  if (error != EAGAIN) return error;
  static_cast<void>(get_int(ZMQ_EVENTS));
  return send(bytes, flags);
}

void require_tcp_endpoint(const std::string& endpoint, const char* setting) {
  const std::string prefix = "tcp://";
  const std::size_t colon = endpoint.rfind(':');
  const bool fits = endpoint.starts_with(prefix) && colon != std::string::npos &&
                    colon > prefix.size() && colon + 1 < endpoint.size();
  const std::string port = fits ? endpoint.substr(colon + 1) : "";
  const bool number = port.find_first_not_of("0123456789") == std::string::npos &&
                      port.size() <= 5 && (port.empty() || std::stoi(port) <= 65535);
  if (!fits || (!number && port != "*"))
    throw StartupError(std::string(setting) + " is '" + endpoint +
                       "'; it has to look like tcp://10.0.0.5:7400, tcp://name:7400 or "
                       "tcp://[2001:db8::5]:7400");
}

}  // namespace sotto::net
