// The genesis of a run, coordinator and participants as they are, over a network in a vector
// (docs/secure-aggregation.md, 2.1).
#include "participant/run_genesis.h"

#include <algorithm>
#include <functional>
#include <memory>

#include <gtest/gtest.h>

#include "common/secagg/transcript.h"
#include "coordinator/genesis.h"
#include "tests/unit/temporary_directory.h"

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
    coordinator = std::make_unique<coordinator::RunGenesis>(context, folder / "genesis.bin", kPhase,
                                                            signing, random);
    const Status loaded = coordinator->load();
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  }

  void restart_member(std::uint32_t i) {
    members[i].reset();
    logs[i].reset();
    auto log = participant::GenesisLog::open(folder / ("genesis-" + std::to_string(i) + ".log"));
    ASSERT_TRUE(log.ok()) << log.error().message;
    logs[i] = std::make_unique<participant::GenesisLog>(std::move(log).value());
    members[i] =
        std::make_unique<participant::RunGenesis>(context, ids[i], keys[i], random, *logs[i]);
  }

  /// Delivers everything until nobody says anything more. `reaches` may lose messages.
  void carry(coordinator::GenesisOutput out) {
    std::vector<wire::Envelope> queue = std::move(out.send);
    while (!queue.empty()) {
      const wire::Envelope next = queue.front();
      queue.erase(queue.begin());
      const auto i = static_cast<std::size_t>(raw(next.peer) / 10 - 1);
      if (!reaches(i, next.message)) continue;
      const auto outcome = members[i]->handle(next.message);
      if (!outcome.note.empty()) said.push_back(outcome.note);
      if (outcome.genesis) accepted[i] = outcome.genesis;
      if (!outcome.answer || !reaches(i, *outcome.answer)) continue;
      auto more = coordinator->handle(ids[i], *outcome.answer, now);
      for (const std::string& note : more.notes)
        said.push_back(note);
      queue.insert(queue.end(), more.send.begin(), more.send.end());
    }
  }

  void expire() {
    now += kPhase;
    auto out = coordinator->tick(now);
    for (const std::string& note : out.notes)
      said.push_back(note);
    failed = out.failed;
    carry(std::move(out));
  }

  [[nodiscard]] bool heard(const std::string& part) const {
    return std::ranges::any_of(
        said, [&](const std::string& line) { return line.find(part) != std::string::npos; });
  }

  TemporaryDirectory folder;
  crypto::StreamRandom random;
  crypto::SigningKey signing;
  secagg::GenesisContext context;
  std::vector<MemberId> ids;
  std::vector<crypto::SigningKey> keys;
  std::vector<std::unique_ptr<participant::GenesisLog>> logs;
  std::vector<std::unique_ptr<participant::RunGenesis>> members;
  std::unique_ptr<coordinator::RunGenesis> coordinator;
  std::function<bool(std::size_t, const wire::Message&)> reaches = [](auto, const auto&) {
    return true;
  };
  std::array<std::optional<secagg::Genesis>, kMembers> accepted;
  std::vector<std::string> said;
  std::optional<std::string> failed;
  TimePoint now{};
};

using RunGenesisTest = Federation;

TEST_F(RunGenesisTest, EverybodyGetsTheSameGenesis) {
  carry(coordinator->start(ids, now));
  ASSERT_TRUE(coordinator->genesis().has_value());
  EXPECT_EQ(coordinator->genesis()->members, ids);
  for (const auto& one : accepted)
    EXPECT_EQ(one, coordinator->genesis());
}

TEST_F(RunGenesisTest, WhoDoesNotCommitIsNotActive) {
  reaches = [](std::size_t i, const wire::Message&) { return i != 2; };
  carry(coordinator->start(ids, now));
  EXPECT_FALSE(coordinator->genesis().has_value());
  expire();
  ASSERT_TRUE(coordinator->genesis().has_value());
  EXPECT_EQ(coordinator->genesis()->members, (std::vector{ids[0], ids[1], ids[3], ids[4]}));
}

TEST_F(RunGenesisTest, WhoCommitsAndDoesNotRevealVoidsItAndIsLeftOutOfTheNext) {
  reaches = [](std::size_t i, const wire::Message& m) {
    return i != 4 || !std::holds_alternative<wire::GenesisReveal>(m);
  };
  carry(coordinator->start(ids, now));
  EXPECT_FALSE(coordinator->genesis().has_value());
  expire();
  EXPECT_TRUE(heard("member 50 committed to the genesis and did not reveal"));
  ASSERT_TRUE(coordinator->genesis().has_value());
  EXPECT_EQ(coordinator->genesis()->members.size(), 4U);
  EXPECT_EQ(logs[0]->memory(context.run).reveals, 2U);
}

TEST_F(RunGenesisTest, TooManyFailuresStopTheRun) {
  reaches = [](std::size_t, const wire::Message& m) {
    return !std::holds_alternative<wire::GenesisReveal>(m);
  };
  for (std::uint32_t attempt = 0; attempt < secagg::kMaxGenesisReveals; ++attempt) {
    carry(coordinator->start(ids, now));
    expire();
    ASSERT_FALSE(failed) << attempt;
  }
  const auto out = coordinator->start(ids, now);
  ASSERT_TRUE(out.failed.has_value());
  EXPECT_NE(out.failed->find("removed by the operator"), std::string::npos);
}

TEST_F(RunGenesisTest, AForgedRevealIsNotCounted) {
  reaches = [this](std::size_t i, const wire::Message& m) {
    const auto* reveal = std::get_if<wire::GenesisReveal>(&m);
    if (i != 1 || !reveal) return true;
    wire::GenesisReveal forged = *reveal;
    forged.r[0] ^= 1;
    secagg::sign_genesis_reveal(keys[1], forged);
    const auto out = coordinator->handle(ids[1], forged, now);
    said.insert(said.end(), out.notes.begin(), out.notes.end());
    return false;
  };
  carry(coordinator->start(ids, now));
  EXPECT_FALSE(coordinator->genesis().has_value());
  EXPECT_TRUE(heard("member 20: a reveal that does not verify"));
}

TEST_F(RunGenesisTest, ARestartedCoordinatorKeepsTheGenesis) {
  carry(coordinator->start(ids, now));
  const auto kept = coordinator->genesis();
  restart_coordinator();
  EXPECT_EQ(coordinator->genesis(), kept);
  EXPECT_TRUE(coordinator->start(ids, now).send.empty());
}

TEST_F(RunGenesisTest, ADamagedFileOfTheCoordinatorIsAnError) {
  carry(coordinator->start(ids, now));
  context.run[0] ^= 1;
  coordinator::RunGenesis other(context, folder / "genesis.bin", kPhase, signing, random);
  EXPECT_FALSE(other.load().ok());
}

TEST_F(RunGenesisTest, ARestartedMemberKnowsItsGenesisAndRefusesASecond) {
  carry(coordinator->start(ids, now));
  restart_member(3);
  EXPECT_EQ(members[3]->known(), coordinator->genesis());
  const auto outcome = members[3]->handle(wire::GenesisCall{context.run, Bytes32{9}});
  EXPECT_FALSE(outcome.answer.has_value());
  EXPECT_NE(outcome.note.find("this run has one"), std::string::npos);
}

TEST_F(RunGenesisTest, AMemberThatMissedTheEndGetsItWhenItIsBack) {
  reaches = [](std::size_t i, const wire::Message& m) {
    return i != 3 || !std::holds_alternative<wire::GenesisProof>(m);
  };
  carry(coordinator->start(ids, now));
  ASSERT_TRUE(coordinator->genesis().has_value());
  restart_member(3);
  EXPECT_FALSE(members[3]->known().has_value());
  reaches = [](auto, const auto&) { return true; };
  carry(coordinator->connected(ids[3]));
  EXPECT_EQ(accepted[3], coordinator->genesis());
}

TEST_F(RunGenesisTest, TheCountOfRevealsOutlivesTheMember) {
  reaches = [](std::size_t, const wire::Message& m) {
    return !std::holds_alternative<wire::GenesisReveal>(m);
  };
  carry(coordinator->start(ids, now));
  restart_member(0);
  EXPECT_EQ(logs[0]->memory(context.run).reveals, 1U);
  EXPECT_EQ(logs[0]->memory(Bytes32{7}).reveals, 0U);
}

}  // namespace
}  // namespace sotto
