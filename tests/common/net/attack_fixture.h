// A coordinator under attack: an honest member whose traffic has to go on, and peers that do not
// run our code.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include "common/net/transport.h"
#include "tests/common/net/net_fixture.h"

namespace sotto::net {

inline constexpr MemberId kOne{1};

/// A coordinator with one honest member, connected, that says "ping" when asked to.
struct World {
  explicit World(std::uint32_t members) : federation(members) {
    CoordinatorSocketOptions options = federation.listening();
    options.links = {.on_too_many = [this](MemberId member) { ++too_many[member]; },
                     .on_ended = [this](MemberId member) { ++ended[member]; }};
    server = listen(loop, std::move(options), at_server.handlers());
    endpoint = bound_endpoint(*server);
    honest = connect(loop, federation.joining(1, endpoint), at_honest.handlers());
    EXPECT_TRUE(run_until(loop, [&] { return at_honest.connected == 1; }));
  }

  /// The honest member still reaches the coordinator and back.
  void expect_traffic() {
    const std::size_t before = at_server.frames.size();
    EXPECT_EQ(honest->send(kCoordinatorId, bytes_of("ping")), SendOutcome::kSent);
    EXPECT_TRUE(run_until(loop, [&] { return at_server.frames.size() > before; }));
    EXPECT_EQ(at_server.frames.back().peer, kOne);
    const std::size_t answers = at_honest.frames.size();
    EXPECT_EQ(server->send(kOne, bytes_of("pong")), SendOutcome::kSent);
    EXPECT_TRUE(run_until(loop, [&] { return at_honest.frames.size() > answers; }));
  }

  boost::asio::io_context loop;
  Federation federation;
  Seen at_server;
  Seen at_honest;
  std::map<MemberId, std::size_t> too_many, ended;
  std::unique_ptr<Transport> server;
  std::string endpoint;
  std::unique_ptr<Transport> honest;
};

/// A peer that does not run our code: a bare DEALER with options of its own choice.
struct RawDealer {
  RawDealer() : context(zmq_ctx_new()), socket(zmq_socket(context, ZMQ_DEALER)) {
    set(ZMQ_LINGER, 0);
  }

  ~RawDealer() { close(); }

  RawDealer(const RawDealer&) = delete;
  RawDealer& operator=(const RawDealer&) = delete;

  void close() {
    if (context == nullptr) return;
    zmq_close(socket);
    zmq_ctx_term(context);
    context = nullptr;
  }

  void set(int option, int value) const { zmq_setsockopt(socket, option, &value, sizeof value); }

  void set(int option, BytesView value) const {
    zmq_setsockopt(socket, option, value.data(), value.size());
  }

  void use_curve(const CurveIdentity& identity, const Bytes32& server_key) const {
    set(ZMQ_CURVE_PUBLICKEY, identity.public_key);
    set(ZMQ_CURVE_SECRETKEY, identity.secret_key.expose());
    set(ZMQ_CURVE_SERVERKEY, server_key);
  }

  void connect_to(const std::string& endpoint) const { zmq_connect(socket, endpoint.c_str()); }

  void say(std::string_view text) const {
    zmq_send(socket, text.data(), text.size(), ZMQ_DONTWAIT);
  }

  [[nodiscard]] std::string heard() const {
    char text[100] = {};
    const int n = zmq_recv(socket, text, sizeof text, ZMQ_DONTWAIT);
    return n < 0 ? "" : std::string(text, static_cast<std::size_t>(n));
  }

  void* context;
  void* socket;
};

class TcpConnection {
 public:
  explicit TcpConnection(const std::string& endpoint) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    const int port = std::stoi(endpoint.substr(endpoint.rfind(':') + 1));
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }

  ~TcpConnection() { ::close(fd_); }

  TcpConnection(const TcpConnection&) = delete;
  TcpConnection& operator=(const TcpConnection&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }

  void write(const Bytes& bytes) const {
    const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    static_cast<void>(sent);  // the other end may have hung up already
  }

 private:
  int fd_;
  bool connected_ = false;
};

/// A correct ZMTP 3.0 greeting for CURVE.
inline Bytes curve_greeting() {
  Bytes greeting(64);
  greeting[0] = 0xff;
  greeting[9] = 0x7f;
  greeting[10] = 3;
  const std::string_view mechanism = "CURVE";
  std::copy(mechanism.begin(), mechanism.end(), greeting.begin() + 12);
  return greeting;
}

}  // namespace sotto::net
