// Many connections that mean no good, and members that do too much: others' work goes on, what is
// held for them is bounded, and each kind is counted and said with its address.
#include <algorithm>
#include <fstream>

#include "common/net/zap_handler.h"
#include "tests/common/net/attack_fixture.h"

namespace sotto::net {
namespace {

/// Resident memory of this process, in MiB.
double resident_mib() {
  std::ifstream in("/proc/self/statm");
  std::uint64_t total = 0, resident = 0;
  in >> total >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

TEST(Abuse, PortScannersAreCountedAndSaidWithTheirAddress) {
  World world(1);
  std::vector<std::unique_ptr<TcpConnection>> open;
  for (int i = 0; i < 40; ++i) {
    open.push_back(std::make_unique<TcpConnection>(world.endpoint));
    run_for(world.loop, 2);  // the scanner waits for a banner
    if (i % 2 == 0) open.back()->write(bytes_of("GET / HTTP/1.1\r\n\r\n"));
  }
  open.clear();
  EXPECT_TRUE(run_until(world.loop, [&] { return world.server->counters().ended_early == 40; }))
      << world.server->counters().ended_early;
  EXPECT_TRUE(
      world.at_server.warned_of("a connection from 127.0.0.1 ended before it sent a frame"));
  EXPECT_TRUE(world.at_server.warned_of("(16 times so far)"));
  EXPECT_LE(world.at_server.warnings.size(), 8U) << "at 1, 2, 4, 8, 16 and 32";
  world.expect_traffic();
}

TEST(Abuse, ScannersThatAreGoneAtOnceAreCountedToo) {
  World world(1);
  for (int i = 0; i < 100; ++i)
    TcpConnection(world.endpoint).write({});
  EXPECT_TRUE(run_until(world.loop, [&] { return world.server->counters().ended_early == 100; }))
      << world.server->counters().ended_early;
  world.expect_traffic();
}

TEST(Abuse, UnknownKeysAreCountedApartFromBrokenHandshakes) {
  World world(1);
  RawDealer raw;
  raw.use_curve(new_identity(), world.federation.coordinator.public_key);
  raw.connect_to(world.endpoint);
  ASSERT_TRUE(
      run_until(world.loop, [&] { return world.server->counters().handshakes_refused >= 1; }));
  run_for(world.loop, 200);
  EXPECT_EQ(world.server->counters().ended_early, 0U);
  EXPECT_TRUE(world.at_server.warned_of("refused a connection from 127.0.0.1"));
  world.expect_traffic();
}

// Each of 1,500 connections greets one byte at a time: more than may be strangers at once.
TEST(Abuse, SlowGreetingsNeitherHoldMemoryNorKeepMembersOut) {
  World world(2);
  world.expect_traffic();
  const double before = resident_mib();
  const Bytes greeting = curve_greeting();
  std::vector<std::unique_ptr<TcpConnection>> slow;
  for (int i = 0; i < 1500; ++i) {
    slow.push_back(std::make_unique<TcpConnection>(world.endpoint));
    ASSERT_TRUE(slow.back()->connected());
    slow.back()->write({greeting[0]});
    if (i % 10 == 0) run_for(world.loop, 1);
  }
  for (std::size_t byte = 1; byte < 4; ++byte) {
    for (const auto& one : slow)
      one->write({greeting[byte]});
    world.expect_traffic();
    run_for(world.loop, 200);
  }
  EXPECT_GE(world.server->counters().links_shed, 1500U - 1024U - 2U);
  EXPECT_TRUE(world.at_server.warned_of(
      "closed a connection from 127.0.0.1: too many connections are unauthenticated"));
  EXPECT_LT(resident_mib() - before, 100);
  // A member that comes now gets in.
  Seen at_two;
  const auto two =
      connect(world.loop, world.federation.joining(2, world.endpoint), at_two.handlers());
  EXPECT_TRUE(run_until(world.loop, [&] { return at_two.connected == 1; }));
  // And no slow one outlives the time for a handshake.
  EXPECT_TRUE(run_until(world.loop, [&] {
    const TransportCounters counters = world.server->counters();
    return counters.ended_early + counters.links_shed >= 1500;
  })) << world.server->counters().ended_early;
  EXPECT_EQ(world.at_honest.disconnected, 0);
}

/// A link under the key of member 2 that does not come again by itself.
std::unique_ptr<RawDealer> link_of_two(const World& world) {
  auto link = std::make_unique<RawDealer>();
  link->set(ZMQ_RECONNECT_IVL, -1);
  link->use_curve(world.federation.members.at(2), world.federation.coordinator.public_key);
  link->connect_to(world.endpoint);
  return link;
}

TEST(Abuse, AMembersTooManyLinksAreClosed) {
  World world(2);
  world.expect_traffic();
  std::vector<std::unique_ptr<RawDealer>> links;
  for (std::size_t i = 0; i < ZapHandler::kMostConnections; ++i) {
    links.push_back(link_of_two(world));
    links.back()->say("link " + std::to_string(i));
    ASSERT_TRUE(run_until(world.loop, [&] { return world.at_server.frames.size() == i + 2; }));
  }
  run_for(world.loop, 200);
  for (const auto& link : links)
    link->say("again");
  run_for(world.loop, 500);
  EXPECT_EQ(world.at_server.frames.size(), 1 + links.size() + 4U) << "four links are left";
  world.expect_traffic();
}

// 41 links under one enrolled key, each of which says a word and comes again when it is closed.
TEST(Abuse, LinksThatAMemberOpensAgainAndAgainAreRefusedAndCountedAsItsOwn) {
  World world(2);
  world.expect_traffic();
  std::vector<std::unique_ptr<RawDealer>> links;
  for (std::size_t i = 0; i < 41; ++i) {
    links.push_back(std::make_unique<RawDealer>());
    links.back()->use_curve(world.federation.members.at(2),
                            world.federation.coordinator.public_key);
    links.back()->connect_to(world.endpoint);
    links.back()->say("hello");
  }
  ASSERT_TRUE(run_until(world.loop, [&] { return world.too_many[MemberId{2}] >= 33; }))
      << world.too_many[MemberId{2}];
  run_for(world.loop, 1000);
  const auto frames_of_two =
      std::ranges::count(world.at_server.frames, MemberId{2}, &ReceivedFrame::peer);
  EXPECT_LE(static_cast<std::size_t>(frames_of_two), ZapHandler::kMostConnections);
  EXPECT_EQ(world.server->counters().handshakes_refused, 0U) << "it is no stranger";
  EXPECT_EQ(world.server->counters().ended_early, 0U);
  EXPECT_EQ(world.too_many.size(), 1U);
  world.expect_traffic();
}

TEST(Abuse, AFrameThatIsTooLongEndsTheLinkWithItsMembersNumber) {
  World world(2);
  const auto two = link_of_two(world);
  two->say("hello");
  ASSERT_TRUE(run_until(world.loop, [&] { return world.at_server.frames.size() == 1; }));
  const Bytes frame(std::size_t{32} << 20, 7);
  zmq_send(two->socket, frame.data(), frame.size(), ZMQ_DONTWAIT);
  EXPECT_TRUE(run_until(world.loop, [&] { return world.ended[MemberId{2}] == 1; }));
  EXPECT_EQ(world.at_server.frames.size(), 1U);
  world.expect_traffic();
}

TEST(Abuse, WhatAMemberFloodsWaitsAtItsOwnEnd) {
  World world(2);
  world.expect_traffic();
  const double before = resident_mib();
  RawDealer two;
  two.use_curve(world.federation.members.at(2), world.federation.coordinator.public_key);
  two.set(ZMQ_SNDHWM, 4);
  two.connect_to(world.endpoint);
  const Bytes frame(std::size_t{1} << 20, 7);
  // The loop does not run: nothing is read while a gigabyte is offered.
  std::size_t taken = 0;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(3);
  while (taken < 1000 && std::chrono::steady_clock::now() < until) {
    if (zmq_send(two.socket, frame.data(), frame.size(), ZMQ_DONTWAIT) > 0)
      ++taken;
    else
      usleep(1000);
  }
  EXPECT_LT(taken, 200U) << "the flooder was not held back";
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr double kSanitizer = 256;  // the quarantine of freed blocks, or the shadow of memory
#else
  constexpr double kSanitizer = 0;
#endif
  EXPECT_LT(resident_mib() - before, 250 + kSanitizer)
      << "at both ends, which are one process here";
  // Now it runs and the flood with it: the honest member is served beside it.
  for (int i = 0; i < 20; ++i) {
    zmq_send(two.socket, frame.data(), frame.size(), ZMQ_DONTWAIT);
    const std::size_t answers = world.at_honest.frames.size();
    EXPECT_EQ(world.honest->send(kCoordinatorId, bytes_of("ping")), SendOutcome::kSent);
    EXPECT_EQ(world.server->send(kOne, bytes_of("pong")), SendOutcome::kSent);
    EXPECT_TRUE(run_until(
        world.loop, [&] { return world.at_honest.frames.size() > answers; }, 2000));
  }
}

TEST(Abuse, AnswersThatAMemberDoesNotReadAreBounded) {
  World world(2);
  world.expect_traffic();
  RawDealer two;
  two.use_curve(world.federation.members.at(2), world.federation.coordinator.public_key);
  two.set(ZMQ_RCVHWM, 1);
  two.connect_to(world.endpoint);
  two.say("hello");
  ASSERT_TRUE(run_until(world.loop, [&] { return world.at_server.frames.size() == 2; }));
  const double before = resident_mib();
  const Bytes answer(std::size_t{1} << 20, 9);
  for (int i = 0; i < 2000; ++i) {
    static_cast<void>(world.server->send(MemberId{2}, answer));
    if (i % 100 == 0) run_for(world.loop, 5);
  }
  EXPECT_LT(resident_mib() - before, 150);
  world.expect_traffic();
}

}  // namespace
}  // namespace sotto::net
