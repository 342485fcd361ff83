#include "common/net/transport.h"

#include <optional>
#include <thread>

#include <boost/asio/post.hpp>

#include "tests/common/net/net_fixture.h"

namespace sotto::net {
namespace {

constexpr MemberId kOne{1};

TEST(Transport, FramesGoBothWaysWithFourMembers) {
  constexpr std::size_t kEach = 1000;
  boost::asio::io_context loop;
  const Federation federation(4);
  std::unique_ptr<Transport> server;
  std::map<MemberId, std::size_t> at_server;
  TransportHandlers echo;
  echo.on_frame = [&](ReceivedFrame received) {
    ++at_server[received.peer];
    EXPECT_EQ(server->send(received.peer, received.frame), SendOutcome::kSent);
  };
  server = listen(loop, federation.listening(), echo);

  std::map<std::uint32_t, std::unique_ptr<Transport>> clients;
  std::map<std::uint32_t, std::size_t> echoed;
  const auto say = [&](std::uint32_t id) {
    const std::string text = std::to_string(id) + ":" + std::to_string(echoed[id]);
    EXPECT_EQ(clients[id]->send(kCoordinatorId, bytes_of(text)), SendOutcome::kSent);
  };
  for (const auto& [id, identity] : federation.members) {
    TransportHandlers handlers;
    handlers.on_connected = [&, id = id] { say(id); };
    handlers.on_frame = [&, id = id](const ReceivedFrame& received) {
      EXPECT_EQ(received.peer, kCoordinatorId);
      EXPECT_EQ(text_of(received.frame), std::to_string(id) + ":" + std::to_string(echoed[id]));
      if (++echoed[id] < kEach) say(id);
    };
    clients[id] = connect(loop, federation.joining(id, bound_endpoint(*server)), handlers);
  }
  ASSERT_TRUE(run_until(loop, [&] {
    for (std::uint32_t id = 1; id <= 4; ++id)
      if (echoed[id] < kEach) return false;
    return true;
  })) << "a wake-up was lost";
  for (std::uint32_t id = 1; id <= 4; ++id)
    EXPECT_EQ(at_server[MemberId{id}], kEach);
  EXPECT_EQ(server->counters().frames_received, 4 * kEach);
  EXPECT_EQ(server->counters().frames_sent, 4 * kEach);
  EXPECT_EQ(server->counters().bytes_received, server->counters().bytes_sent);
  EXPECT_EQ(server->counters().handshakes_refused, 0U);
}

TEST(Transport, NobodyIsReachableBeforeTheirLinkIsUp) {
  boost::asio::io_context loop;
  const Federation federation(1);
  Seen at_server;
  Seen at_client;
  const auto server = listen(loop, federation.listening(), at_server.handlers());
  const auto client =
      connect(loop, federation.joining(1, bound_endpoint(*server)), at_client.handlers());
  EXPECT_EQ(client->send(kCoordinatorId, bytes_of("early")), SendOutcome::kUnreachable);
  EXPECT_EQ(server->send(kOne, bytes_of("early")), SendOutcome::kUnreachable);
  EXPECT_EQ(server->send(MemberId{77}, bytes_of("nobody")), SendOutcome::kUnreachable);
  ASSERT_TRUE(run_until(loop, [&] { return at_client.connected == 1; }));
  EXPECT_EQ(client->send(kCoordinatorId, bytes_of("hello")), SendOutcome::kSent);
  ASSERT_TRUE(run_until(loop, [&] { return !at_server.frames.empty(); }));
  EXPECT_EQ(text_of(at_server.frames[0].frame), "hello");
  EXPECT_EQ(server->send(kOne, bytes_of("welcome")), SendOutcome::kSent);
}

TEST(Transport, ParticipantReconnectsWhenTheCoordinatorRestartsOnItsPort) {
  boost::asio::io_context loop;
  const Federation federation(2);
  Seen first;
  auto server = listen(loop, federation.listening(), first.handlers());
  const std::string endpoint = bound_endpoint(*server);
  Seen at_client;
  std::unique_ptr<Transport> client;
  auto handlers = at_client.handlers();
  handlers.on_connected = [&] {
    ++at_client.connected;
    EXPECT_EQ(client->send(kCoordinatorId, bytes_of("hello")), SendOutcome::kSent);
  };
  client = connect(loop, federation.joining(1, endpoint), handlers);
  ASSERT_TRUE(run_until(loop, [&] { return first.frames.size() == 1; }));

  server.reset();
  ASSERT_TRUE(run_until(loop, [&] { return at_client.disconnected == 1; }));
  EXPECT_EQ(client->send(kCoordinatorId, bytes_of("to nobody")), SendOutcome::kUnreachable);
  Seen second;
  server = listen(loop, federation.listening(endpoint), second.handlers());
  ASSERT_TRUE(run_until(loop, [&] { return second.frames.size() == 1; }));
  EXPECT_EQ(at_client.connected, 2);
  EXPECT_EQ(text_of(second.frames[0].frame), "hello");
  EXPECT_EQ(server->send(kOne, bytes_of("again")), SendOutcome::kSent);
  ASSERT_TRUE(run_until(loop, [&] { return at_client.frames.size() == 1; }));
}

TEST(Transport, RefusedParticipantJoinsOnceTheRosterHasIt) {
  boost::asio::io_context loop;
  const Federation federation(2);
  auto without = federation.listening();
  without.members.pop_back();
  auto server = listen(loop, std::move(without), {});
  const std::string endpoint = bound_endpoint(*server);
  Seen at_client;
  const auto client = connect(loop, federation.joining(2, endpoint), at_client.handlers());
  ASSERT_TRUE(
      run_until(loop, [&] { return at_client.warned_of("this participant's card is enrolled"); }));
  server.reset();
  server = listen(loop, federation.listening(endpoint), {});
  EXPECT_TRUE(run_until(loop, [&] { return at_client.connected == 1; }));
}

TEST(Transport, CoordinatorAnswersAMembersNewLink) {
  boost::asio::io_context loop;
  const Federation federation(1);
  Seen at_server;
  const auto server = listen(loop, federation.listening(), at_server.handlers());
  for (std::size_t restart = 1; restart <= 6; ++restart) {
    Seen at_client;
    const auto client =
        connect(loop, federation.joining(1, bound_endpoint(*server)), at_client.handlers());
    ASSERT_TRUE(run_until(loop, [&] { return at_client.connected == 1; }));
    ASSERT_EQ(client->send(kCoordinatorId, bytes_of("hello")), SendOutcome::kSent);
    ASSERT_TRUE(run_until(loop, [&] { return at_server.frames.size() == restart; }));
    ASSERT_EQ(server->send(kOne, bytes_of("welcome")), SendOutcome::kSent);
    ASSERT_TRUE(run_until(loop, [&] { return at_client.frames.size() == 1; }));
  }
  run_for(loop, 100);
  EXPECT_EQ(server->send(kOne, bytes_of("gone")), SendOutcome::kUnreachable);
}

TEST(Transport, FullQueueIsSaidAndNothingIsLost) {
  boost::asio::io_context loop;
  boost::asio::io_context busy;  // of a participant that does not read for a while
  const Federation federation(1);
  auto options = federation.listening();
  options.queue_frames = 8;
  Seen at_server;
  const auto server = listen(loop, std::move(options), at_server.handlers());
  Seen at_client;
  const auto client =
      connect(busy, federation.joining(1, bound_endpoint(*server)), at_client.handlers());
  ASSERT_TRUE(run_until(busy, [&] { return at_client.connected == 1; }));
  ASSERT_EQ(client->send(kCoordinatorId, bytes_of("hello")), SendOutcome::kSent);
  ASSERT_TRUE(run_until(loop, [&] { return at_server.frames.size() == 1; }));

  const Bytes frame(std::size_t{256} << 10);
  std::size_t sent = 0;
  SendOutcome outcome = SendOutcome::kSent;
  for (int tries = 0; tries < 10000; ++tries) {
    outcome = server->send(kOne, frame);
    if (outcome == SendOutcome::kSent) ++sent;
    if (outcome == SendOutcome::kWouldBlock && sent > 64) break;
    run_for(loop, 1);
  }
  EXPECT_EQ(outcome, SendOutcome::kWouldBlock);
  EXPECT_LT(sent, 1000U);
  ASSERT_TRUE(run_until(busy,
                        [&] {
                          loop.restart();
                          loop.poll();
                          return at_client.frames.size() == sent;
                        }))
      << at_client.frames.size() << " of " << sent;
  EXPECT_EQ(server->send(kOne, frame), SendOutcome::kSent);
}

TEST(Transport, LastFramesLeaveBeforeTheTransportGoes) {
  boost::asio::io_context loop;
  const Federation federation(3);
  Seen at_server;
  auto server = listen(loop, federation.listening(), at_server.handlers());
  std::map<std::uint32_t, Seen> seen;
  std::map<std::uint32_t, std::unique_ptr<Transport>> clients;
  for (std::uint32_t id = 1; id <= 3; ++id) {
    auto handlers = seen[id].handlers();
    handlers.on_connected = [&, id] {
      EXPECT_EQ(clients[id]->send(kCoordinatorId, bytes_of("hello")), SendOutcome::kSent);
    };
    clients[id] = connect(loop, federation.joining(id, bound_endpoint(*server)), handlers);
  }
  ASSERT_TRUE(run_until(loop, [&] { return at_server.frames.size() == 3; }));
  for (std::uint32_t id = 1; id <= 3; ++id)
    for (int i = 0; i < 10; ++i)
      ASSERT_EQ(server->send(MemberId{id}, Bytes(100000)), SendOutcome::kSent);
  server.reset();
  EXPECT_TRUE(run_until(loop, [&] {
    return seen[1].frames.size() == 10 && seen[2].frames.size() == 10 &&
           seen[3].frames.size() == 10;
  }));
}

// A send takes ZeroMQ's news of what arrived before it, and with it the wake-up for that.
TEST(Transport, FrameThatArrivedBeforeASendIsStillDelivered) {
  boost::asio::io_context loop;
  boost::asio::io_context client_loop;
  const Federation federation(1);
  Seen at_server;
  Seen at_client;
  const auto server = listen(loop, federation.listening(), at_server.handlers());
  const auto client =
      connect(client_loop, federation.joining(1, bound_endpoint(*server)), at_client.handlers());
  ASSERT_TRUE(run_until(client_loop, [&] { return at_client.connected == 1; }));
  ASSERT_EQ(client->send(kCoordinatorId, bytes_of("hello")), SendOutcome::kSent);
  ASSERT_TRUE(run_until(loop, [&] { return at_server.frames.size() == 1; }));
  run_for(client_loop, 50);
  run_for(loop, 50);
  const auto let_it_arrive = [] { std::this_thread::sleep_for(std::chrono::milliseconds(50)); };

  ASSERT_EQ(client->send(kCoordinatorId, bytes_of("to the server")), SendOutcome::kSent);
  let_it_arrive();
  ASSERT_EQ(server->send(kOne, bytes_of("to the client")), SendOutcome::kSent);
  EXPECT_TRUE(run_until(
      loop, [&] { return at_server.frames.size() == 2; }, 2000));
  let_it_arrive();
  ASSERT_EQ(client->send(kCoordinatorId, bytes_of("and on")), SendOutcome::kSent);
  EXPECT_TRUE(run_until(
      client_loop, [&] { return at_client.frames.size() == 1; }, 2000));
}

TEST(Transport, AFloodLeavesTheLoopToOthers) {
  boost::asio::io_context loop;
  const Federation federation(1);
  Seen at_client;
  std::size_t frames = 0;
  std::optional<std::size_t> frames_when_run;
  TransportHandlers handlers;
  handlers.on_frame = [&](const ReceivedFrame& /*frame*/) {
    if (++frames == 1) boost::asio::post(loop, [&] { frames_when_run = frames; });
  };
  const auto server = listen(loop, federation.listening(), handlers);
  boost::asio::io_context client_loop;
  auto joining = federation.joining(1, bound_endpoint(*server));
  joining.queue_frames = 1000;
  const auto client = connect(client_loop, std::move(joining), at_client.handlers());
  ASSERT_TRUE(run_until(client_loop, [&] { return at_client.connected == 1; }));
  for (int i = 0; i < 1000; ++i)
    ASSERT_EQ(client->send(kCoordinatorId, bytes_of("x")), SendOutcome::kSent);
  run_for(client_loop, 200);
  ASSERT_TRUE(run_until(loop, [&] { return frames == 1000; }));
  ASSERT_TRUE(frames_when_run.has_value());
  EXPECT_LE(*frames_when_run, 100U);
}

template <class Call>
std::string startup_error(Call call) {
  try {
    call();
  } catch (const StartupError& error) {
    return error.what();
  }
  return "";
}

TEST(TransportStart, AddressInUseSaysWhatToDo) {
  boost::asio::io_context loop;
  const Federation federation(1);
  const auto server = listen(loop, federation.listening(), {});
  const std::string taken = bound_endpoint(*server);
  const std::string error = startup_error([&] { listen(loop, federation.listening(taken), {}); });
  EXPECT_NE(error.find(taken), std::string::npos);
  EXPECT_NE(error.find("another program uses this port"), std::string::npos) << error;
}

TEST(TransportStart, BadAddressesAreNamed) {
  boost::asio::io_context loop;
  const Federation federation(1);
  for (const std::string bad : {"", "7400", "127.0.0.1:7400", "tcp://127.0.0.1", "tcp://:7400",
                                "tcp://127.0.0.1:", "tcp://127.0.0.1:99999", "tcp://h:port",
                                "ipc:///tmp/x", "inproc://x:1"}) {
    const std::string at_listen =
        startup_error([&] { listen(loop, federation.listening(bad), {}); });
    EXPECT_NE(at_listen.find("listen address is '" + bad + "'"), std::string::npos) << at_listen;
    const std::string at_connect =
        startup_error([&] { connect(loop, federation.joining(1, bad), {}); });
    EXPECT_NE(at_connect.find("address is '" + bad + "'"), std::string::npos) << at_connect;
  }
  const std::string foreign =
      startup_error([&] { listen(loop, federation.listening("tcp://192.0.2.1:7400"), {}); });
  EXPECT_NE(foreign.find("does not have this address"), std::string::npos) << foreign;
}

TEST(TransportStart, KeysThatCannotWorkAreRefused) {
  boost::asio::io_context loop;
  Federation federation(2);
  auto options = federation.listening();
  options.identity.public_key[0] ^= 1;
  EXPECT_NE(startup_error([&] { listen(loop, std::move(options), {}); }).find("key pair"),
            std::string::npos);
  options = federation.listening();
  options.members[1].transport_key = options.members[0].transport_key;
  EXPECT_NE(startup_error([&] { listen(loop, std::move(options), {}); }).find("same transport key"),
            std::string::npos);
}

TEST(TransportStart, PortZeroPicksOne) {
  boost::asio::io_context loop;
  const Federation federation(1);
  const auto a = listen(loop, federation.listening("tcp://127.0.0.1:0"), {});
  const auto b = listen(loop, federation.listening("tcp://127.0.0.1:0"), {});
  EXPECT_NE(bound_endpoint(*a), bound_endpoint(*b));
}

TEST(TransportStart, FileLimitIsRaisedAndStaysRaised) {
  const std::uint64_t files = raise_file_limit();
  EXPECT_GE(files, 256U);
  EXPECT_EQ(raise_file_limit(), files);
}

}  // namespace
}  // namespace sotto::net
