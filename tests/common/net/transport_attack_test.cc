// What outsiders and dishonest members try.
#include <random>

#include "common/wire/codec.h"
#include "tests/common/net/attack_fixture.h"

namespace sotto::net {
namespace {

constexpr MemberId kTwo{2};

TEST(TransportAttack, UnknownKeyIsRefusedCountedAndCannotDeliver) {
  World world(1);
  Seen at_non_member;
  auto options = world.federation.joining(1, world.endpoint);
  options.identity = new_identity();
  const auto unauthenticated = connect(world.loop, std::move(options), at_non_member.handlers());
  RawDealer raw;  // with ZMQ_IMMEDIATE off it queues before it is admitted
  raw.use_curve(new_identity(), world.federation.coordinator.public_key);
  raw.connect_to(world.endpoint);
  raw.say("let me in");
  ASSERT_TRUE(run_until(world.loop,
                        [&] {
                          return world.server->counters().handshakes_refused >= 3 &&
                                 at_non_member.warned_of("rejected this site's key");
                        }))
      << world.server->counters().handshakes_refused << " refusals";
  EXPECT_EQ(at_non_member.connected, 0);
  EXPECT_EQ(unauthenticated->send(kCoordinatorId, bytes_of("x")), SendOutcome::kUnreachable);
  EXPECT_TRUE(world.at_server.frames.empty());
  EXPECT_TRUE(world.at_server.warned_of("not in the roster"));
  EXPECT_EQ(at_non_member.warnings.size(), 1U) << "once, not at every try";
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
  EXPECT_TRUE(at_client.warned_of("not the coordinator with the pinned key"));
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

TEST(TransportAttack, GarbageAndPortScannersDisturbNobody) {
  World world(1);
  std::mt19937 random(5);  // NOLINT
  const Bytes greeting = curve_greeting();
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
