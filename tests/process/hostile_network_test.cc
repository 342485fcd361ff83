// Whole runs on real processes while the network is bad or means no good.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "common/config/parse.h"
#include "common/identity/keystore.h"
#include "tests/common/net/attack_fixture.h"
#include "tests/common/net/relay.h"
#include "tests/process/federation.h"

namespace sotto::process_test {
namespace {

constexpr seconds kRun{150};
constexpr std::size_t kRoundsAndEvaluation = 5;

TEST(HostileNetwork, RoundsCompleteThroughCutsAndStalls) {
  const std::string listen = free_endpoint();
  net::Relay relay(listen);
  Federation f(3, {.listen = listen, .endpoint = relay.endpoint()});
  std::vector<Child> members;
  for (int m = 1; m <= 3; ++m)
    members.push_back(f.start_member(m));
  Child coordinator = f.start_coordinator({"rounds.attempts_per_round=5"});
  ASSERT_TRUE(f.wait_for_rounds(1, kRun)) << f.coordinator_log();
  relay.cut();
  ASSERT_TRUE(f.wait_for_rounds(2, kRun)) << f.coordinator_log();
  relay.stall();
  std::this_thread::sleep_for(seconds(2));
  relay.resume();
  relay.cut_after(100000);  // in the middle of a model or an update
  ASSERT_TRUE(f.wait_for_rounds(3, kRun)) << f.coordinator_log();
  relay.delay(std::chrono::milliseconds(40));
  ASSERT_EQ(coordinator.wait(kRun), 0) << f.coordinator_log();
  EXPECT_EQ(f.done_rounds().size(), kRoundsAndEvaluation);
  for (auto& [round, record] : f.done_rounds())
    EXPECT_EQ(record["survivors"], 3) << "each was taken up again: " << record;
  EXPECT_GT(relay.connections(), 6U) << "the cuts cut nothing";
}

/// Everything that a stranger and a bad member can do at once, until it is destroyed.
class Attack {
 public:
  Attack(const Federation& f, int member) : federation_(f), member_(member) {
    thread_ = std::thread([this] { run(); });
  }

  ~Attack() {
    over_ = true;
    thread_.join();
  }

 private:
  void run() {
    const net::Federation keys(1);
    boost::asio::io_context loop;
    const config::Identity insider =
        identity::Keystore::open(federation_.site(member_), identity::Nothing{}).identity(1);
    const auto roster =
        config::load_federation(federation_.folder() / "coordinator" / "federation.json").roster;
    net::ParticipantSocketOptions joining{
        .endpoint = federation_.endpoint(),
        .identity = {insider.transport_public, insider.transport_secret.clone()},
        .coordinator_key = roster.coordinator_transport_key};
    const auto inside = net::connect(loop, std::move(joining), {});
    auto unauthenticated = keys.joining(1, federation_.endpoint());
    unauthenticated.coordinator_key = roster.coordinator_transport_key;
    const auto outside = net::connect(loop, std::move(unauthenticated), {});
    std::vector<std::unique_ptr<net::TcpConnection>> slow;
    const Bytes greeting = net::curve_greeting();
    const Bytes garbage(900000, 0x5a);
    for (std::size_t i = 0; !over_; ++i) {
      net::TcpConnection(federation_.endpoint()).write(i % 2 == 0 ? greeting : garbage);
      slow.push_back(std::make_unique<net::TcpConnection>(federation_.endpoint()));
      if (slow.size() > 300) slow.erase(slow.begin());
      for (std::size_t s = 0; s < slow.size(); s += 10)
        slow[s]->write({greeting[0]});
      for (int frame = 0; frame < 20; ++frame)
        static_cast<void>(inside->send(kCoordinatorId, frame == 0 ? garbage : Bytes(50, 0x5a)));
      net::run_for(loop, 10);
    }
  }

  const Federation& federation_;
  int member_;
  std::atomic<bool> over_ = false;
  std::thread thread_;
};

TEST(HostileNetwork, AdmittedWorkGoesOnUnderAttackAndTheStatusSaysWhoDidWhat) {
  Federation f(4);
  std::vector<Child> members;
  for (int m = 1; m <= 3; ++m)
    members.push_back(f.start_member(m));
  Child coordinator = f.start_coordinator();
  double peak = 0;
  {
    const Attack attack(f, 4);
    ASSERT_TRUE(f.wait_for_rounds(4, kRun)) << f.coordinator_log();
    peak = coordinator.peak_resident_mib();
    EXPECT_GT(peak, 1);
    EXPECT_LT(peak, 250);
  }
  ASSERT_EQ(coordinator.wait(kRun), 0) << f.coordinator_log();
  EXPECT_EQ(f.done_rounds().size(), kRoundsAndEvaluation);
  for (auto& [round, record] : f.done_rounds())
    EXPECT_EQ(record["survivors"], 3) << record;

  const auto status = f.status();
  EXPECT_GE(status["strangers"]["refused_keys"], 1);
  EXPECT_GE(status["strangers"]["came_to_nothing"], 20);
  for (const auto& member : status["members"]) {
    if (member["name"] == "site-4")
      EXPECT_GE(member["misdeeds"], 100);
    else
      EXPECT_EQ(member["misdeeds"], 0) << member;
  }
  const std::string log = f.coordinator_log();
  EXPECT_NE(log.find("a connection from 127.0.0.1 ended before it sent a frame"), std::string::npos)
      << log;
  EXPECT_NE(log.find("refused a connection from 127.0.0.1"), std::string::npos) << log;
  EXPECT_NE(log.find("site-4: it sent a frame that cannot be decoded"), std::string::npos) << log;
  EXPECT_LT(std::ranges::count(log, '\n'), 300) << "the attack filled the log";
}

}  // namespace
}  // namespace sotto::process_test
