// The shared randomness of a run: who may be in it, what is refused, and that one honest member
// decides it (docs/secure-aggregation.md, 2.1).
#include "common/secagg/randomness/shared_randomness.h"

#include <algorithm>
#include <functional>

#include <gtest/gtest.h>

#include "common/crypto/hash.h"
#include "common/secagg/shared/transcript.h"

namespace sotto::secagg {
namespace {

template <class T>
void expect_refused(const Result<T>& result, const std::string& why) {
  ASSERT_FALSE(result.ok()) << why;
  EXPECT_NE(result.error().message.find(why), std::string::npos) << result.error().message;
}

struct SharedRandomnessOfFour : ::testing::Test {
  static constexpr std::uint32_t kMembers = 4;

  SharedRandomnessOfFour() : random(11), coordinator(crypto::SigningKey::generate(random)) {
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

  RandomnessMember member(std::uint32_t i, RandomnessMemory memory) {
    return {context, context.roster[i].id, keys[i], random, std::move(memory)};
  }

  wire::RandomnessList list_of(std::vector<RandomnessMember>& from, const Bytes32& attempt) {
    wire::RandomnessList list{.run = context.run, .entries = {}, .signature = {}};
    for (RandomnessMember& each : from)
      list.entries.push_back(each.commit({context.run, attempt})->entry);
    sign(list);
    return list;
  }

  void sign(wire::RandomnessList& list) const {
    sign_randomness_list(coordinator,
                         randomness_digest(context.run, context.roster_hash, list.entries), list);
  }

  wire::RandomnessProof proof_of(std::vector<RandomnessMember>& from, const Bytes32& attempt) {
    const wire::RandomnessList list = list_of(from, attempt);
    wire::RandomnessProof proof{.run = context.run, .entries = list.entries, .reveals = {}};
    for (RandomnessMember& each : from)
      proof.reveals.push_back(each.reveal(list)->message);
    return proof;
  }

  void refuses(const std::function<void(wire::RandomnessProof&)>& change, const std::string& why) {
    auto fresh = std::vector<RandomnessMember>{};
    for (std::uint32_t i = 0; i < kMembers; ++i)
      fresh.push_back(member(i, {}));
    wire::RandomnessProof proof = proof_of(fresh, Bytes32{3});
    change(proof);
    expect_refused(check_randomness_proof(context, proof), why);
  }

  crypto::StreamRandom random;
  crypto::SigningKey coordinator;
  std::vector<crypto::SigningKey> keys;
  RandomnessContext context;
  std::vector<RandomnessMember> members;
};

TEST_F(SharedRandomnessOfFour, EverybodyAcceptsTheSame) {
  const wire::RandomnessProof proof = proof_of(members, Bytes32{3});
  const auto shared_randomness = members[0].accept(proof);
  ASSERT_TRUE(shared_randomness.ok()) << shared_randomness.error().message;
  EXPECT_EQ(shared_randomness->members,
            (std::vector{MemberId{5}, MemberId{10}, MemberId{15}, MemberId{20}}));
  for (RandomnessMember& each : members)
    EXPECT_EQ(each.accept(proof).value(), *shared_randomness);
}

TEST_F(SharedRandomnessOfFour, TheValueIsTheHashOfRunRosterAndReveals) {
  const wire::RandomnessProof proof = proof_of(members, Bytes32{3});
  ByteWriter text;
  text.bytes(context.run);
  text.bytes(context.roster_hash);
  for (const auto& reveal : proof.reveals) {
    text.u32(raw(reveal.id));
    text.bytes(reveal.r);
  }
  EXPECT_EQ(check_randomness_proof(context, proof)->value, crypto::hash("SA1 gens", {text.view()}));
}

TEST_F(SharedRandomnessOfFour, TheDigestCoversRunRosterAndEveryIdAndCommitment) {
  const std::vector<wire::RandomnessEntry> entries = list_of(members, Bytes32{3}).entries;
  const Bytes32 digest = randomness_digest(context.run, context.roster_hash, entries);
  EXPECT_NE(randomness_digest(Bytes32{8}, context.roster_hash, entries), digest);
  EXPECT_NE(randomness_digest(context.run, Bytes32{8}, entries), digest);
  for (std::size_t i = 0; i < kMembers; ++i) {
    // A member that signed two commitments cannot be in both lists under one digest.
    auto changed = entries;
    changed[i].commitment[31] ^= 1;
    EXPECT_NE(randomness_digest(context.run, context.roster_hash, changed), digest);
    changed = entries;
    changed[i].id = MemberId{99};
    EXPECT_NE(randomness_digest(context.run, context.roster_hash, changed), digest);
  }
}

TEST_F(SharedRandomnessOfFour, OneHonestRevealerChangesTheSeed) {
  // Three members repeat their numbers; only the fourth draws anew.
  const wire::RandomnessProof proof = proof_of(members, Bytes32{3});
  wire::RandomnessProof changed = proof;
  const Bytes32 r{99};
  changed.entries[2].commitment = randomness_commitment(context.run, MemberId{15}, r);
  sign_randomness_entry(keys[2], context.run, changed.entries[2]);
  changed.reveals[2].r = r;
  const Bytes32 digest = randomness_digest(context.run, context.roster_hash, changed.entries);
  for (std::uint32_t i = 0; i < kMembers; ++i) {
    changed.reveals[i].digest = digest;
    sign_randomness_reveal(keys[i], changed.reveals[i]);
  }
  const CohortDraw one{.shared_randomness = check_randomness_proof(context, proof).value(),
                       .cohort_size = 0};
  const CohortDraw other{.shared_randomness = check_randomness_proof(context, changed).value(),
                         .cohort_size = 0};
  EXPECT_NE(one.shared_randomness.value, other.shared_randomness.value);
  std::vector<CohortMember> cohort(64);
  for (std::uint32_t i = 0; i < 64; ++i)
    cohort[i].id = MemberId{i + 1};
  const auto id_of = [](const CohortMember& m) { return m.id; };
  EXPECT_FALSE(std::ranges::equal(
      ring_order(one.shared_randomness, RoundNumber::of(1, 0), cohort),
      ring_order(other.shared_randomness, RoundNumber::of(1, 0), cohort), {}, id_of, id_of));
}

TEST_F(SharedRandomnessOfFour, SharedRandomnessMissingReveal) {
  refuses([](auto& p) { p.reveals.pop_back(); }, "not every member that committed");
  refuses([](auto& p) { p.reveals.erase(p.reveals.begin()); }, "not every member that committed");
  refuses([](auto& p) { p.reveals[1] = p.reveals[0]; }, "in order");
}

TEST_F(SharedRandomnessOfFour, SharedRandomnessRevealMismatch) {
  refuses(
      [&](auto& p) {
        p.reveals[1].r[0] ^= 1;
        sign_randomness_reveal(keys[1], p.reveals[1]);
      },
      "does not open its commitment");
  refuses([](auto& p) { p.reveals[1].r[0] ^= 1; }, "not signed by it");
  refuses(
      [&](auto& p) {
        p.reveals[1].digest[0] ^= 1;
        sign_randomness_reveal(keys[1], p.reveals[1]);
      },
      "another list");
}

TEST_F(SharedRandomnessOfFour, AnEntryThatIsForgedDoubledStrangeOrMissing) {
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

TEST_F(SharedRandomnessOfFour, AnotherRunOrRosterIsAnotherSharedRandomness) {
  const wire::RandomnessProof proof = proof_of(members, Bytes32{3});
  RandomnessContext other = context;
  other.run[0] ^= 1;
  expect_refused(check_randomness_proof(other, proof), "another run");
  other = context;
  other.roster_hash[0] ^= 1;
  expect_refused(check_randomness_proof(other, proof), "another list");
}

// ---- a member's half

TEST_F(SharedRandomnessOfFour, TheSameAttemptGetsTheSameCommitmentAndAnotherAFreshOne) {
  const auto first = members[0].commit({context.run, Bytes32{3}});
  EXPECT_EQ(members[0].commit({context.run, Bytes32{3}}).value(), *first);
  EXPECT_NE(members[0].commit({context.run, Bytes32{4}})->entry.commitment,
            first->entry.commitment);
  expect_refused(members[0].commit({Bytes32{9}, Bytes32{5}}), "another run");
}

TEST_F(SharedRandomnessOfFour, ACommitmentIsRevealedForOneListOnly) {
  const wire::RandomnessList list = list_of(members, Bytes32{3});
  const auto reveal = members[0].reveal(list);
  ASSERT_TRUE(reveal.ok());
  EXPECT_TRUE(reveal->first);
  const auto again = members[0].reveal(list);
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(again->first);
  EXPECT_EQ(again->message, reveal->message);
  wire::RandomnessList shorter = list;
  shorter.entries.pop_back();
  sign(shorter);
  expect_refused(members[0].reveal(shorter), "a second list");
}

TEST_F(SharedRandomnessOfFour, AListIsCheckedBeforeTheReveal) {
  const wire::RandomnessList list = list_of(members, Bytes32{3});
  wire::RandomnessList changed = list;
  sign_randomness_list(
      keys[1], randomness_digest(context.run, context.roster_hash, changed.entries), changed);
  expect_refused(members[0].reveal(changed), "coordinator's signature");
  changed = list;
  changed.entries.erase(changed.entries.begin());
  sign(changed);
  expect_refused(members[0].reveal(changed), "the commitment of this member");
  changed = list;
  changed.entries[1].commitment[0] ^= 1;
  sign(changed);
  expect_refused(members[0].reveal(changed), "not signed by it");
  EXPECT_TRUE(members[0].reveal(list).ok());
  RandomnessMember silent = member(1, {});
  expect_refused(silent.reveal(list), "not committed");
}

TEST_F(SharedRandomnessOfFour, AtMostSixteenRestartsAreAccepted) {
  for (std::uint32_t restart = 0; restart < most_reveals(1); ++restart) {
    const Bytes32 attempt{static_cast<std::uint8_t>(restart + 1)};
    ASSERT_TRUE(members[0].reveal(list_of(members, attempt)).ok()) << restart;
  }
  expect_refused(members[0].commit({context.run, Bytes32{77}}), "which is the limit");
  // The count outlives the process.
  RandomnessMember restarted =
      member(0, {.reveals = most_reveals(1), .shared_randomness = std::nullopt});
  expect_refused(restarted.commit({context.run, Bytes32{77}}), "which is the limit");
}

TEST(SharedRandomnessReveals, AreAsManyAsSilentColludersNeedAndNoMore) {
  EXPECT_EQ(most_reveals(1), 17U);
  EXPECT_EQ(most_reveals(16), 17U);
  EXPECT_EQ(most_reveals(17), 18U);
  EXPECT_EQ(most_reveals(2000), 2001U);
  EXPECT_EQ(most_reveals_a_month(1), 1024U);
  EXPECT_EQ(most_reveals_a_month(2000), 8004U);
}

TEST_F(SharedRandomnessOfFour, ASecondSharedRandomnessOfARunIsRefused) {
  const wire::RandomnessProof first = proof_of(members, Bytes32{3});
  const wire::RandomnessProof second = proof_of(members, Bytes32{4});
  const SharedRandomness kept = members[0].accept(first).value();
  EXPECT_EQ(members[0].accept(first).value(), kept);
  expect_refused(members[0].accept(second), "already has different shared randomness");
  // A member that was started again knows it from its record.
  RandomnessMember restarted = member(0, {.reveals = 2, .shared_randomness = kept});
  expect_refused(restarted.accept(second), "already has different shared randomness");
  expect_refused(restarted.commit({context.run, Bytes32{5}}),
                 "this run already has its shared randomness");
}

TEST_F(SharedRandomnessOfFour, OneThatLostItsMemoryChecksTheProofByItself) {
  const wire::RandomnessProof proof = proof_of(members, Bytes32{3});
  RandomnessMember restarted = member(2, {});
  EXPECT_TRUE(restarted.accept(proof).ok());
  context.roster.push_back({MemberId{25}, keys[0].verify_key()});
  RandomnessMember unauthenticated{context, MemberId{25}, keys[0], random, {}};
  expect_refused(unauthenticated.accept(proof), "not in the list");
}

}  // namespace
}  // namespace sotto::secagg
