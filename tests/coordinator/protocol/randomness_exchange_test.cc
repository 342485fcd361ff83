// The shared randomness of a run, coordinator and participants as they are, over a network in a
// vector (docs/secure-aggregation.md, 2.1).
#include "participant/protocol/randomness_exchange.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <set>

#include <gtest/gtest.h>

#include "common/secagg/shared/transcript.h"
#include "coordinator/protocol/randomness_exchange.h"
#include "tests/temporary_directory.h"

namespace sotto {
namespace {

constexpr Duration kPhase{1000};

struct Federation : ::testing::Test {
  static constexpr std::uint32_t kMembers = 5;

  Federation() : random(21), signing(crypto::SigningKey::generate(random)) {
    context = {.run = Bytes32{1},
               .roster_hash = Bytes32{2},
               .roster = {},
               .coordinator = signing.verify_key(),
               .min_members = 3};
    for (std::uint32_t i = 0; i < kMembers; ++i) {
      keys.push_back(crypto::SigningKey::generate(random));
      ids.push_back(MemberId{10 * (i + 1)});
      context.roster.push_back({ids[i], keys[i].verify_key()});
      logs.push_back(nullptr);
      members.push_back(nullptr);
    }
    for (std::uint32_t i = 0; i < kMembers; ++i)
      restart_member(i);
    restart_coordinator();
  }

  void restart_coordinator() {
    coordinator = std::make_unique<coordinator::RandomnessExchange>(context, folder / "genesis.bin",
                                                                    kPhase, signing, random);
    const Status loaded = coordinator->load();
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  }

  void restart_member(std::uint32_t i) {
    members[i].reset();
    logs[i].reset();
    auto log = participant::RandomnessLog::open(folder / ("genesis-" + std::to_string(i) + ".log"));
    ASSERT_TRUE(log.ok()) << log.error().message;
    logs[i] = std::make_unique<participant::RandomnessLog>(std::move(log).value());
    members[i] = std::make_unique<participant::RandomnessExchange>(context, ids[i], keys[i], random,
                                                                   *logs[i]);
  }

  /// Delivers everything until nobody says anything more. `reaches` may lose messages.
  void carry(coordinator::RandomnessOutput out) {
    std::vector<wire::Envelope> queue = std::move(out.send);
    while (!queue.empty()) {
      const wire::Envelope next = queue.front();
      queue.erase(queue.begin());
      const auto i = static_cast<std::size_t>(raw(next.peer) / 10 - 1);
      if (!reaches(i, next.message)) continue;
      const auto outcome = members[i]->handle(next.message, unix_seconds);
      if (!outcome.log_line.empty()) said.push_back(outcome.log_line);
      if (outcome.shared_randomness) accepted[i] = outcome.shared_randomness;
      if (!outcome.answer || !reaches(i, *outcome.answer)) continue;
      auto more = coordinator->handle(ids[i], *outcome.answer, now);
      keep(more);
      queue.insert(queue.end(), more.send.begin(), more.send.end());
    }
  }

  void keep(const coordinator::RandomnessOutput& out) {
    said.insert(said.end(), out.log_lines.begin(), out.log_lines.end());
    silent.insert(silent.end(), out.silent.begin(), out.silent.end());
    for (const auto& [member, what] : out.violations)
      said.push_back("member " + std::to_string(raw(member)) + ": " + what);
  }

  void expire() {
    now += kPhase;
    auto out = coordinator->tick(now);
    keep(out);
    failed = out.failed;
    carry(std::move(out));
  }

  [[nodiscard]] bool received(const std::string& part) const {
    return std::ranges::any_of(
        said, [&](const std::string& line) { return line.find(part) != std::string::npos; });
  }

  TemporaryDirectory folder;
  crypto::StreamRandom random;
  crypto::SigningKey signing;
  secagg::RandomnessContext context;
  std::vector<MemberId> ids;
  std::vector<crypto::SigningKey> keys;
  std::vector<std::unique_ptr<participant::RandomnessLog>> logs;
  std::vector<std::unique_ptr<participant::RandomnessExchange>> members;
  std::unique_ptr<coordinator::RandomnessExchange> coordinator;
  std::function<bool(std::size_t, const wire::Message&)> reaches = [](auto, const auto&) {
    return true;
  };
  std::array<std::optional<secagg::SharedRandomness>, kMembers> accepted;
  std::vector<std::string> said;
  std::vector<MemberId> silent;
  std::optional<std::string> failed;
  TimePoint now{};
  std::uint64_t unix_seconds = 1'800'000'000;
};

using RandomnessExchangeTest = Federation;

TEST_F(RandomnessExchangeTest, EverybodyGetsTheSameSharedRandomness) {
  carry(coordinator->start(ids, now));
  ASSERT_TRUE(coordinator->shared_randomness().has_value());
  EXPECT_EQ(coordinator->shared_randomness()->members, ids);
  for (const auto& one : accepted)
    EXPECT_EQ(one, coordinator->shared_randomness());
}

TEST_F(RandomnessExchangeTest, WhoDoesNotCommitIsNotActive) {
  reaches = [](std::size_t i, const wire::Message&) { return i != 2; };
  carry(coordinator->start(ids, now));
  EXPECT_FALSE(coordinator->shared_randomness().has_value());
  expire();
  ASSERT_TRUE(coordinator->shared_randomness().has_value());
  EXPECT_EQ(coordinator->shared_randomness()->members,
            (std::vector{ids[0], ids[1], ids[3], ids[4]}));
}

TEST_F(RandomnessExchangeTest, WhoCommitsAndDoesNotRevealVoidsItAndIsLeftOutOfTheNext) {
  reaches = [](std::size_t i, const wire::Message& m) {
    return i != 4 || !std::holds_alternative<wire::RandomnessReveal>(m);
  };
  carry(coordinator->start(ids, now));
  EXPECT_FALSE(coordinator->shared_randomness().has_value());
  expire();
  EXPECT_EQ(silent, std::vector{ids[4]});
  ASSERT_TRUE(coordinator->shared_randomness().has_value());
  EXPECT_EQ(coordinator->shared_randomness()->members.size(), 4U);
  EXPECT_EQ(logs[0]->memory(context.run).reveals, 2U);
}

TEST_F(RandomnessExchangeTest, TooManyFailuresStopTheRun) {
  reaches = [](std::size_t, const wire::Message& m) {
    return !std::holds_alternative<wire::RandomnessReveal>(m);
  };
  for (std::uint32_t attempt = 0; attempt < secagg::most_reveals(context.colluders); ++attempt) {
    carry(coordinator->start(ids, now));
    expire();
    ASSERT_FALSE(failed) << attempt;
  }
  const auto out = coordinator->start(ids, now);
  ASSERT_TRUE(out.failed.has_value());
  EXPECT_NE(out.failed->find("begin a new run"), std::string::npos);
}

TEST_F(RandomnessExchangeTest, AForgedRevealIsNotCounted) {
  reaches = [this](std::size_t i, const wire::Message& m) {
    const auto* reveal = std::get_if<wire::RandomnessReveal>(&m);
    if (i != 1 || !reveal) return true;
    wire::RandomnessReveal forged = *reveal;
    forged.r[0] ^= 1;
    secagg::sign_randomness_reveal(keys[1], forged);
    keep(coordinator->handle(ids[1], forged, now));
    return false;
  };
  carry(coordinator->start(ids, now));
  EXPECT_FALSE(coordinator->shared_randomness().has_value());
  EXPECT_TRUE(received("member 20: it sent a reveal that does not verify"));
}

TEST_F(RandomnessExchangeTest, ARestartedCoordinatorKeepsTheSharedRandomness) {
  carry(coordinator->start(ids, now));
  const auto kept = coordinator->shared_randomness();
  restart_coordinator();
  EXPECT_EQ(coordinator->shared_randomness(), kept);
  EXPECT_TRUE(coordinator->start(ids, now).send.empty());
}

TEST_F(RandomnessExchangeTest, ADamagedFileOfTheCoordinatorIsAnError) {
  carry(coordinator->start(ids, now));
  context.run[0] ^= 1;
  coordinator::RandomnessExchange other(context, folder / "genesis.bin", kPhase, signing, random);
  EXPECT_FALSE(other.load().ok());
}

TEST_F(RandomnessExchangeTest, ARestartedMemberKnowsItsSharedRandomnessAndRefusesASecond) {
  carry(coordinator->start(ids, now));
  restart_member(3);
  EXPECT_EQ(members[3]->known(), coordinator->shared_randomness());
  const auto outcome =
      members[3]->handle(wire::RandomnessCall{context.run, Bytes32{9}}, unix_seconds);
  EXPECT_FALSE(outcome.answer.has_value());
  EXPECT_NE(outcome.log_line.find("this run already has its shared randomness"), std::string::npos);
}

TEST_F(RandomnessExchangeTest, AMemberThatMissedTheEndGetsItWhenItIsBack) {
  reaches = [](std::size_t i, const wire::Message& m) {
    return i != 3 || !std::holds_alternative<wire::RandomnessProof>(m);
  };
  carry(coordinator->start(ids, now));
  ASSERT_TRUE(coordinator->shared_randomness().has_value());
  restart_member(3);
  EXPECT_FALSE(members[3]->known().has_value());
  reaches = [](auto, const auto&) { return true; };
  carry(coordinator->connected(ids[3]));
  EXPECT_EQ(accepted[3], coordinator->shared_randomness());
}

TEST_F(RandomnessExchangeTest, TheCountOfRevealsOutlivesTheMember) {
  reaches = [](std::size_t, const wire::Message& m) {
    return !std::holds_alternative<wire::RandomnessReveal>(m);
  };
  carry(coordinator->start(ids, now));
  restart_member(0);
  EXPECT_EQ(logs[0]->memory(context.run).reveals, 1U);
  EXPECT_EQ(logs[0]->memory(Bytes32{7}).reveals, 0U);
}

TEST_F(RandomnessExchangeTest, RevealsOfAllRunsOfAMonthAreCountedOverRestarts) {
  const std::uint32_t most = secagg::most_reveals_a_month(context.colluders);
  for (std::uint32_t i = 0; i < most; ++i) {
    RunId run{};
    run[0] = static_cast<std::uint8_t>(i);
    run[1] = static_cast<std::uint8_t>(i >> 8);
    ASSERT_TRUE(logs[0]->revealed(run, unix_seconds).ok());
  }
  restart_member(0);
  const wire::RandomnessCall call{context.run, Bytes32{9}};
  const auto refused = members[0]->handle(call, unix_seconds + 100);
  EXPECT_FALSE(refused.answer.has_value());
  EXPECT_NE(refused.log_line.find("in 30 days"), std::string::npos) << refused.log_line;
  const std::uint64_t month = 30 * 24 * 3600;
  EXPECT_FALSE(members[0]->handle(call, unix_seconds + month).answer.has_value());
  EXPECT_TRUE(members[0]->handle(call, unix_seconds + month + 1).answer.has_value());
}

// C members that commit and are then silent, one list after the other.
TEST(RandomnessExchangeOfMany, AsManySilentMembersAsMayColludeDoNotEndTheRun) {
  constexpr std::uint32_t kMembers = 40, kColluders = 17;
  TemporaryDirectory folder;
  crypto::StreamRandom random(33);
  const auto signing = crypto::SigningKey::generate(random);
  secagg::RandomnessContext context{.run = Bytes32{9},
                                    .roster_hash = {},
                                    .roster = {},
                                    .coordinator = signing.verify_key(),
                                    .min_members = kColluders + 2,
                                    .colluders = kColluders};
  std::vector<crypto::SigningKey> keys;
  std::vector<MemberId> ids;
  for (std::uint32_t i = 0; i < kMembers; ++i) {
    keys.push_back(crypto::SigningKey::generate(random));
    ids.push_back(MemberId{i + 1});
    context.roster.push_back({ids[i], keys[i].verify_key()});
  }
  std::vector<secagg::RandomnessMember> members;
  for (std::uint32_t i = 0; i < kMembers; ++i)
    members.emplace_back(context, ids[i], keys[i], random, secagg::RandomnessMemory{});
  coordinator::RandomnessExchange server(context, folder / "genesis.bin", kPhase, signing, random);
  TimePoint now{};
  std::set<Bytes32> lists;
  std::vector<MemberId> silent;
  auto output = server.start(ids, now);
  for (std::uint32_t phase = 0; phase <= kColluders && !server.shared_randomness(); ++phase) {
    for (std::vector<wire::Envelope> work = std::move(output.send); !work.empty();) {
      const wire::Envelope e = work.back();
      work.pop_back();
      secagg::RandomnessMember& member = members[raw(e.peer) - 1];
      coordinator::RandomnessOutput more;
      if (const auto* call = std::get_if<wire::RandomnessCall>(&e.message))
        more = server.handle(e.peer, member.commit(*call).value(), now);
      if (const auto* list = std::get_if<wire::RandomnessList>(&e.message)) {
        lists.insert(secagg::randomness_digest(context.run, context.roster_hash, list->entries));
        const bool falls_silent = raw(e.peer) == lists.size() && lists.size() <= kColluders;
        if (!falls_silent) more = server.handle(e.peer, member.reveal(*list).value().message, now);
      }
      if (const auto* proof = std::get_if<wire::RandomnessProof>(&e.message)) {
        EXPECT_TRUE(member.accept(*proof).ok());
      }
      ASSERT_FALSE(more.failed) << *more.failed;
      work.insert(work.end(), more.send.begin(), more.send.end());
    }
    now += kPhase;
    output = server.tick(now);
    ASSERT_FALSE(output.failed) << *output.failed;
    silent.insert(silent.end(), output.silent.begin(), output.silent.end());
  }
  ASSERT_TRUE(server.shared_randomness().has_value());
  EXPECT_EQ(lists.size(), kColluders + 1);
  EXPECT_EQ(server.shared_randomness()->members.size(), kMembers - kColluders);
  EXPECT_EQ(silent, std::vector(ids.begin(), ids.begin() + kColluders));
}

}  // namespace
}  // namespace sotto
