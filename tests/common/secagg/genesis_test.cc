// The genesis of a run: who may be in it, what is refused, and that one honest member decides it
// (docs/secure-aggregation.md, 2.1).
#include <algorithm>
#include <functional>

#include <gtest/gtest.h>

#include "common/crypto/hash.h"
#include "common/secagg/randomness/genesis.h"
#include "common/secagg/shared/transcript.h"

namespace sotto::secagg {
namespace {

template <class T>
void expect_refused(const Result<T>& result, const std::string& why) {
  ASSERT_FALSE(result.ok()) << why;
  EXPECT_NE(result.error().message.find(why), std::string::npos) << result.error().message;
}

struct GenesisOfFour : ::testing::Test {
  static constexpr std::uint32_t kMembers = 4;

  GenesisOfFour() : random(11), coordinator(crypto::SigningKey::generate(random)) {
    context = {.run = Bytes32{1},
               .roster_hash = Bytes32{2},
               .roster = {},
               .coordinator = coordinator.verify_key(),
               .min_members = 3};
    for (std::uint32_t i = 0; i < kMembers; ++i) {
      keys.push_back(crypto::SigningKey::generate(random));
      context.roster.push_back({MemberId{5 * (i + 1)}, keys[i].verify_key()});
    }
    for (std::uint32_t i = 0; i < kMembers; ++i)
      members.push_back(member(i, {}));
  }

  GenesisMember member(std::uint32_t i, GenesisMemory memory) {
    return {context, context.roster[i].id, keys[i], random, std::move(memory)};
  }

  wire::GenesisList list_of(std::vector<GenesisMember>& from, const Bytes32& attempt) {
    wire::GenesisList list{.run = context.run, .entries = {}, .signature = {}};
    for (GenesisMember& each : from)
      list.entries.push_back(each.commit({context.run, attempt})->entry);
    sign(list);
    return list;
  }

  void sign(wire::GenesisList& list) const {
    sign_genesis_list(coordinator, genesis_digest(context.run, context.roster_hash, list.entries),
                      list);
  }

  wire::GenesisProof proof_of(std::vector<GenesisMember>& from, const Bytes32& attempt) {
    const wire::GenesisList list = list_of(from, attempt);
    wire::GenesisProof proof{.run = context.run, .entries = list.entries, .reveals = {}};
    for (GenesisMember& each : from)
      proof.reveals.push_back(each.reveal(list)->message);
    return proof;
  }

  void refuses(const std::function<void(wire::GenesisProof&)>& change, const std::string& why) {
    auto fresh = std::vector<GenesisMember>{};
    for (std::uint32_t i = 0; i < kMembers; ++i)
      fresh.push_back(member(i, {}));
    wire::GenesisProof proof = proof_of(fresh, Bytes32{3});
    change(proof);
    expect_refused(check_genesis(context, proof), why);
  }

  crypto::StreamRandom random;
  crypto::SigningKey coordinator;
  std::vector<crypto::SigningKey> keys;
  GenesisContext context;
  std::vector<GenesisMember> members;
};

TEST_F(GenesisOfFour, EverybodyAcceptsTheSame) {
  const wire::GenesisProof proof = proof_of(members, Bytes32{3});
  const auto genesis = members[0].accept(proof);
  ASSERT_TRUE(genesis.ok()) << genesis.error().message;
  EXPECT_EQ(genesis->members, (std::vector{MemberId{5}, MemberId{10}, MemberId{15}, MemberId{20}}));
  for (GenesisMember& each : members)
    EXPECT_EQ(each.accept(proof).value(), *genesis);
}

TEST_F(GenesisOfFour, TheValueIsTheHashOfRunRosterAndReveals) {
  const wire::GenesisProof proof = proof_of(members, Bytes32{3});
  ByteWriter text;
  text.bytes(context.run);
  text.bytes(context.roster_hash);
  for (const auto& reveal : proof.reveals) {
    text.u32(raw(reveal.id));
    text.bytes(reveal.r);
  }
  EXPECT_EQ(check_genesis(context, proof)->value, crypto::hash("SA1 gens", {text.view()}));
}

TEST_F(GenesisOfFour, TheDigestCoversRunRosterAndEveryIdAndCommitment) {
  const std::vector<wire::GenesisEntry> entries = list_of(members, Bytes32{3}).entries;
  const Bytes32 digest = genesis_digest(context.run, context.roster_hash, entries);
  EXPECT_NE(genesis_digest(Bytes32{8}, context.roster_hash, entries), digest);
  EXPECT_NE(genesis_digest(context.run, Bytes32{8}, entries), digest);
  for (std::size_t i = 0; i < kMembers; ++i) {
    // A member that signed two commitments cannot be in both lists under one digest.
    auto changed = entries;
    changed[i].commitment[31] ^= 1;
    EXPECT_NE(genesis_digest(context.run, context.roster_hash, changed), digest);
    changed = entries;
    changed[i].id = MemberId{99};
    EXPECT_NE(genesis_digest(context.run, context.roster_hash, changed), digest);
  }
}

TEST_F(GenesisOfFour, OneHonestRevealerChangesTheSeed) {
  // Three members repeat their numbers; only the fourth draws anew.
  const wire::GenesisProof proof = proof_of(members, Bytes32{3});
  wire::GenesisProof changed = proof;
  const Bytes32 r{99};
  changed.entries[2].commitment = genesis_commitment(context.run, MemberId{15}, r);
  sign_genesis_entry(keys[2], context.run, changed.entries[2]);
  changed.reveals[2].r = r;
  const Bytes32 digest = genesis_digest(context.run, context.roster_hash, changed.entries);
  for (std::uint32_t i = 0; i < kMembers; ++i) {
    changed.reveals[i].digest = digest;
    sign_genesis_reveal(keys[i], changed.reveals[i]);
  }
  const CohortDraw one{.genesis = check_genesis(context, proof).value(), .cohort_size = 0};
  const CohortDraw other{.genesis = check_genesis(context, changed).value(), .cohort_size = 0};
  EXPECT_NE(one.genesis.value, other.genesis.value);
  std::vector<CohortMember> cohort(64);
  for (std::uint32_t i = 0; i < 64; ++i)
    cohort[i].id = MemberId{i + 1};
  const auto id_of = [](const CohortMember& m) { return m.id; };
  EXPECT_FALSE(std::ranges::equal(ring_order(one.genesis, RoundNumber::of(1, 0), cohort),
                                  ring_order(other.genesis, RoundNumber::of(1, 0), cohort), {},
                                  id_of, id_of));
}

TEST_F(GenesisOfFour, GenesisMissingReveal) {
  refuses([](auto& p) { p.reveals.pop_back(); }, "not everybody who committed");
  refuses([](auto& p) { p.reveals.erase(p.reveals.begin()); }, "not everybody who committed");
  refuses([](auto& p) { p.reveals[1] = p.reveals[0]; }, "in order");
}

TEST_F(GenesisOfFour, GenesisRevealMismatch) {
  refuses(
      [&](auto& p) {
        p.reveals[1].r[0] ^= 1;
        sign_genesis_reveal(keys[1], p.reveals[1]);
      },
      "does not open its commitment");
  refuses([](auto& p) { p.reveals[1].r[0] ^= 1; }, "not signed by it");
  refuses(
      [&](auto& p) {
        p.reveals[1].digest[0] ^= 1;
        sign_genesis_reveal(keys[1], p.reveals[1]);
      },
      "another list");
}

TEST_F(GenesisOfFour, AnEntryThatIsForgedDoubledStrangeOrMissing) {
  refuses([](auto& p) { p.entries[1].commitment[0] ^= 1; }, "not signed by it");
  refuses([](auto& p) { std::swap(p.entries[0], p.entries[1]); }, "not in order");
  refuses([](auto& p) { p.entries[1] = p.entries[0]; }, "not in order");
  refuses([](auto& p) { p.entries[3].id = MemberId{21}; }, "not in the roster");
  refuses([](auto& p) { p.entries.resize(2); }, "at least 3");
  // Somebody left out after the reveals: the digest is another.
  refuses(
      [](auto& p) {
        p.entries.pop_back();
        p.reveals.pop_back();
      },
      "another list");
}

TEST_F(GenesisOfFour, AnotherRunOrRosterIsAnotherGenesis) {
  const wire::GenesisProof proof = proof_of(members, Bytes32{3});
  GenesisContext other = context;
  other.run[0] ^= 1;
  expect_refused(check_genesis(other, proof), "another run");
  other = context;
  other.roster_hash[0] ^= 1;
  expect_refused(check_genesis(other, proof), "another list");
}

// ---- a member's half

TEST_F(GenesisOfFour, TheSameAttemptGetsTheSameCommitmentAndAnotherAFreshOne) {
  const auto first = members[0].commit({context.run, Bytes32{3}});
  EXPECT_EQ(members[0].commit({context.run, Bytes32{3}}).value(), *first);
  EXPECT_NE(members[0].commit({context.run, Bytes32{4}})->entry.commitment,
            first->entry.commitment);
  expect_refused(members[0].commit({Bytes32{9}, Bytes32{5}}), "another run");
}

TEST_F(GenesisOfFour, ACommitmentIsRevealedForOneListOnly) {
  const wire::GenesisList list = list_of(members, Bytes32{3});
  const auto reveal = members[0].reveal(list);
  ASSERT_TRUE(reveal.ok());
  EXPECT_TRUE(reveal->first);
  const auto again = members[0].reveal(list);
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(again->first);
  EXPECT_EQ(again->message, reveal->message);
  wire::GenesisList shorter = list;
  shorter.entries.pop_back();
  sign(shorter);
  expect_refused(members[0].reveal(shorter), "a second list");
}

TEST_F(GenesisOfFour, AListIsCheckedBeforeTheReveal) {
  const wire::GenesisList list = list_of(members, Bytes32{3});
  wire::GenesisList changed = list;
  sign_genesis_list(keys[1], genesis_digest(context.run, context.roster_hash, changed.entries),
                    changed);
  expect_refused(members[0].reveal(changed), "coordinator's signature");
  changed = list;
  changed.entries.erase(changed.entries.begin());
  sign(changed);
  expect_refused(members[0].reveal(changed), "this member's commitment");
  changed = list;
  changed.entries[1].commitment[0] ^= 1;
  sign(changed);
  expect_refused(members[0].reveal(changed), "not signed by it");
  EXPECT_TRUE(members[0].reveal(list).ok());
  GenesisMember silent = member(1, {});
  expect_refused(silent.reveal(list), "not committed");
}

TEST_F(GenesisOfFour, AtMostSixteenRestartsAreAccepted) {
  for (std::uint32_t restart = 0; restart < most_reveals(1); ++restart) {
    const Bytes32 attempt{static_cast<std::uint8_t>(restart + 1)};
    ASSERT_TRUE(members[0].reveal(list_of(members, attempt)).ok()) << restart;
  }
  expect_refused(members[0].commit({context.run, Bytes32{77}}), "the most it does");
  // The count outlives the process.
  GenesisMember restarted = member(0, {.reveals = most_reveals(1), .genesis = std::nullopt});
  expect_refused(restarted.commit({context.run, Bytes32{77}}), "the most it does");
}

TEST(GenesisReveals, AreAsManyAsSilentColludersNeedAndNoMore) {
  EXPECT_EQ(most_reveals(1), 17U);
  EXPECT_EQ(most_reveals(16), 17U);
  EXPECT_EQ(most_reveals(17), 18U);
  EXPECT_EQ(most_reveals(2000), 2001U);
  EXPECT_EQ(most_reveals_a_month(1), 1024U);
  EXPECT_EQ(most_reveals_a_month(2000), 8004U);
}

TEST_F(GenesisOfFour, ASecondGenesisOfARunIsRefused) {
  const wire::GenesisProof first = proof_of(members, Bytes32{3});
  const wire::GenesisProof second = proof_of(members, Bytes32{4});
  const Genesis kept = members[0].accept(first).value();
  EXPECT_EQ(members[0].accept(first).value(), kept);
  expect_refused(members[0].accept(second), "another one already");
  // A member that was started again knows it from its record.
  GenesisMember restarted = member(0, {.reveals = 2, .genesis = kept});
  expect_refused(restarted.accept(second), "another one already");
  expect_refused(restarted.commit({context.run, Bytes32{5}}), "this run has one");
}

TEST_F(GenesisOfFour, OneThatLostItsMemoryChecksTheProofByItself) {
  const wire::GenesisProof proof = proof_of(members, Bytes32{3});
  GenesisMember restarted = member(2, {});
  EXPECT_TRUE(restarted.accept(proof).ok());
  context.roster.push_back({MemberId{25}, keys[0].verify_key()});
  GenesisMember stranger{context, MemberId{25}, keys[0], random, {}};
  expect_refused(stranger.accept(proof), "not in it");
}

}  // namespace
}  // namespace sotto::secagg
