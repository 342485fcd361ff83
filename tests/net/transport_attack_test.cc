// What outsiders and dishonest members try.
#include <random>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include "common/net/transport.h"
#include "common/wire/codec.h"
#include "tests/net/net_fixture.h"

namespace sotto::net {
namespace {

constexpr MemberId kOne{1};
constexpr MemberId kTwo{2};

/// A coordinator with one honest member, connected, that says "ping" when asked to.
struct World {
  explicit World(std::uint32_t members) : federation(members) {
    server = listen(loop, federation.listening(), at_server.handlers());
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

TEST(TransportAttack, StrangersKeyIsRefusedCountedAndCannotDeliver) {
  World world(1);
  Seen at_stranger;
  auto options = world.federation.joining(1, world.endpoint);
  options.identity = new_identity();
  const auto stranger = connect(world.loop, std::move(options), at_stranger.handlers());
  RawDealer raw;  // with ZMQ_IMMEDIATE off it queues before it is admitted
  raw.use_curve(new_identity(), world.federation.coordinator.public_key);
  raw.connect_to(world.endpoint);
  raw.say("let me in");
  ASSERT_TRUE(run_until(world.loop,
                        [&] {
                          return world.server->counters().handshakes_refused >= 3 &&
                                 at_stranger.warned_of("refused our key");
                        }))
      << world.server->counters().handshakes_refused << " refusals";
  EXPECT_EQ(at_stranger.connected, 0);
  EXPECT_EQ(stranger->send(kCoordinatorId, bytes_of("x")), SendOutcome::kUnreachable);
  EXPECT_TRUE(world.at_server.frames.empty());
  EXPECT_TRUE(world.at_server.warned_of("not in the roster"));
  EXPECT_EQ(at_stranger.warnings.size(), 1U) << "once, not at every try";
  world.expect_traffic();
}

TEST(TransportAttack, WithoutCurveNothingIsDelivered) {
  World world(1);
  RawDealer raw;
  raw.connect_to(world.endpoint);
  raw.say("plain text");
  run_for(world.loop, 500);
  EXPECT_TRUE(world.at_server.frames.empty());
  world.expect_traffic();
}

TEST(TransportAttack, ParticipantNeverConnectsToAnotherCoordinatorsKey) {
  World world(2);
  Seen at_client;
  auto options = world.federation.joining(2, world.endpoint);
  options.coordinator_key = new_identity().public_key;
  const auto client = connect(world.loop, std::move(options), at_client.handlers());
  run_for(world.loop, 1000);
  EXPECT_EQ(at_client.connected, 0);
  EXPECT_EQ(client->send(kCoordinatorId, bytes_of("x")), SendOutcome::kUnreachable);
  EXPECT_TRUE(at_client.warned_of("not the coordinator whose key we have"));
  world.expect_traffic();
}

TEST(TransportAttack, PeerIsWhoProvedItsKeyWhateverTheFrameSays) {
  World world(2);
  Seen at_two;
  const auto two =
      connect(world.loop, world.federation.joining(2, world.endpoint), at_two.handlers());
  ASSERT_TRUE(run_until(world.loop, [&] { return at_two.connected == 1; }));
  ASSERT_EQ(two->send(kCoordinatorId, wire::encode(kOne, {}, wire::Hello{})), SendOutcome::kSent);
  ASSERT_TRUE(run_until(world.loop, [&] { return world.at_server.frames.size() == 1; }));
  const auto decoded = wire::decode(world.at_server.frames[0].frame);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->sender, kOne);
  EXPECT_EQ(world.at_server.frames[0].peer, kTwo);
}

TEST(TransportAttack, MemberCannotTakeAnothersLivingLink) {
  World world(3);
  RawDealer two;
  two.use_curve(world.federation.members.at(2), world.federation.coordinator.public_key);
  two.set(ZMQ_ROUTING_ID, view_of("name"));
  two.connect_to(world.endpoint);
  two.say("I am two");
  ASSERT_TRUE(run_until(world.loop, [&] { return world.at_server.frames.size() == 1; }));

  RawDealer three;
  three.use_curve(world.federation.members.at(3), world.federation.coordinator.public_key);
  three.set(ZMQ_ROUTING_ID, view_of("name"));
  three.connect_to(world.endpoint);
  three.say("so am I");
  run_for(world.loop, 300);
  EXPECT_EQ(world.at_server.frames.size(), 1U);
  EXPECT_EQ(world.server->send(kTwo, bytes_of("for two")), SendOutcome::kSent);
  std::string heard;
  ASSERT_TRUE(run_until(world.loop, [&] { return !(heard = two.heard()).empty(); }));
  EXPECT_EQ(heard, "for two");
  EXPECT_EQ(three.heard(), "");
  world.expect_traffic();
}

TEST(TransportAttack, LinkNameOfAMemberThatLeftIsNoLongerItsLink) {
  World world(3);
  RawDealer two;
  two.use_curve(world.federation.members.at(2), world.federation.coordinator.public_key);
  two.set(ZMQ_ROUTING_ID, view_of("name"));
  two.connect_to(world.endpoint);
  two.say("I am two");
  ASSERT_TRUE(run_until(world.loop, [&] { return world.at_server.frames.size() == 1; }));
  two.close();
  run_for(world.loop, 200);

  RawDealer three;
  three.use_curve(world.federation.members.at(3), world.federation.coordinator.public_key);
  three.set(ZMQ_ROUTING_ID, view_of("name"));
  three.connect_to(world.endpoint);
  three.say("so am I");
  ASSERT_TRUE(run_until(world.loop, [&] { return world.at_server.frames.size() == 2; }));
  EXPECT_EQ(world.at_server.frames[1].peer, MemberId{3});
  EXPECT_EQ(world.server->send(kTwo, bytes_of("for two")), SendOutcome::kUnreachable);
  run_for(world.loop, 100);
  EXPECT_EQ(three.heard(), "");
}

TEST(TransportAttack, MultipartAndOversizedFramesAreNotDelivered) {
  World world(2);
  RawDealer two;
  two.use_curve(world.federation.members.at(2), world.federation.coordinator.public_key);
  two.connect_to(world.endpoint);
  zmq_send(two.socket, "a", 1, ZMQ_SNDMORE);
  zmq_send(two.socket, "b", 1, 0);
  two.say("single");
  ASSERT_TRUE(run_until(world.loop, [&] { return !world.at_server.frames.empty(); }));
  EXPECT_EQ(text_of(world.at_server.frames[0].frame), "single");
  EXPECT_EQ(world.at_server.frames.size(), 1U);

  const Bytes huge(std::size_t{4} << 20);
  zmq_send(two.socket, huge.data(), huge.size(), 0);
  run_for(world.loop, 500);
  EXPECT_EQ(world.at_server.frames.size(), 1U);
  world.expect_traffic();
}

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

TEST(TransportAttack, GarbageAndPortScannersDisturbNobody) {
  World world(1);
  std::mt19937 random(5);      // NOLINT
  const Bytes greeting = [] {  // a correct ZMTP 3.0 greeting for CURVE
    Bytes g(64);
    g[0] = 0xff;
    g[9] = 0x7f;
    g[10] = 3;
    const std::string_view mechanism = "CURVE";
    std::copy(mechanism.begin(), mechanism.end(), g.begin() + 12);
    return g;
  }();
  std::vector<std::unique_ptr<TcpConnection>> silent;
  for (int i = 0; i < 100; ++i) {
    TcpConnection scanner(world.endpoint);
    EXPECT_TRUE(scanner.connected());
    TcpConnection liar(world.endpoint);
    if (i % 2 == 0) liar.write(greeting);
    Bytes noise(random() % 2000);
    for (auto& b : noise)
      b = static_cast<std::uint8_t>(random());
    liar.write(noise);
    TcpConnection web(world.endpoint);
    web.write(bytes_of("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    if (i < 20) silent.push_back(std::make_unique<TcpConnection>(world.endpoint));
    if (i % 10 == 0) world.expect_traffic();
  }
  world.expect_traffic();
  EXPECT_EQ(world.at_server.frames.size(), 11U);
  EXPECT_EQ(world.at_honest.disconnected, 0);
}

}  // namespace
}  // namespace sotto::net
