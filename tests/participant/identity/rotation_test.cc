// Rotation and revocation with real roster versions: the keystore, the card, the operator, the pin
// and the audit log together.
#include "common/observability/audit_check.h"
#include "participant/identity/site_audit.h"
#include "tests/coordinator/members/enrolment_fixture.h"

namespace sotto::enrolment_test {
namespace {

using identity::Rotation;

/// A coordinator, and members a and b under roster version 1, both joined.
class RotationTest : public Enrolment {
 protected:
  RotationTest() {
    enroll({init("a"), init("b")});
    for (const char* name : {"a", "b"})
      join(name);
  }

  FederationConfig revoke(const config::Revocation& statement) {
    return coordinator::revoke(operator_folder(), operators(), {{statement}}, kOneYear);
  }

  participant::Membership join(const std::string& name, PinChange change = PinChange::kRefuse) {
    const Keystore keys = keys_of(name);
    const auto out = participant::join(site(name), keys, federation_file(), kNow, change);
    const config::Identity identity = keys.identity(out.generation);
    auto log = participant::open_audit(site(name), keys, identity, kNow);
    EXPECT_TRUE(log.append({"roster_pinned", {}}, kNow).ok());
    return out;
  }

  participant::Membership start(const std::string& name) {
    const Keystore keys = keys_of(name);
    auto out = participant::load_membership(site(name), keys, kNow);
    participant::require_all_uses(keys, out);
    return out;
  }

  Card rotate(const std::string& name, Rotation which, CardKind kind = CardKind::kSuccessor) {
    Keystore keys = keys_of(name);
    keys.rotate(which, random_);
    keys.save(site(name));
    participant::write_card(site(name), keys, kind);
    return config::load_card(site(name) / (name + ".card.json"));
  }
};

TEST_F(RotationTest, OldKeysStayGoodUntilTheRosterThatNamesTheNewOnesIsJoinedAndThenGo) {
  const Keystore before = keys_of("a");
  const Card card = rotate("a", Rotation::kBoth);
  EXPECT_EQ(start("a").generation, 1u) << "nothing has changed for the roster that is pinned";
  expect_contains(participant::keys_line(keys_of("a"), start("a")),
                  "generation 2 waits for a roster that names it");
  expect_contains(refusal_of([&] { participant::require_newest(keys_of("a"), start("a")); }),
                  "nothing is erased");
  const FederationConfig made = enroll({card});
  EXPECT_EQ(made.roster.version, 2u);
  ASSERT_EQ(made.roster.members.size(), 2u);
  EXPECT_EQ(made.roster.members[0].id, MemberId{1}) << "the member keeps its id";
  EXPECT_EQ(made.roster.members[0].signing_key, card.signing_key);
  EXPECT_EQ(made.roster.members[0].transport_key, card.transport_key);
  EXPECT_EQ(start("a").generation, 1u) << "not joined yet";
  EXPECT_EQ(join("b").federation.roster.version, 2u);
  EXPECT_EQ(join("a").generation, 2u);
  EXPECT_EQ(start("a").self, MemberId{1});
  EXPECT_EQ(refusal_of([&] { participant::require_newest(keys_of("a"), start("a")); }), "");
  Keystore keys = keys_of("a");
  EXPECT_TRUE(keys.identity(1).signing.seed().equals(before.identity(1).signing.seed()));
  keys.retire_old();
  keys.save(site("a"));
  EXPECT_EQ(start("a").generation, 2u);
  EXPECT_EQ(keys_of("a").description().retired, before.description().held);
}

TEST_F(RotationTest, TheAuditLogIsHandedOverAndBothHalvesVerifyByTheirKeys) {
  enroll({rotate("a", Rotation::kBoth)});
  join("a");
  const Keystore keys = keys_of("a");
  const std::string first = to_hex(keys.description().held[0].signing_key).substr(0, 16);
  const fs::path ended = site("a") / ("audit-" + first + ".jsonl"), log = site("a") / "audit.jsonl";
  const auto verified = [&](const fs::path& file) {
    return observability::check_audit_file(
        file, observability::audit_key({.log = file, .federation = {}, .member = {}}), {});
  };
  const observability::AuditReport old = verified(ended), fresh = verified(log);
  EXPECT_TRUE(old.whole());
  EXPECT_EQ(old.lines, 2u) << "pinned, keys_replaced";
  EXPECT_TRUE(fresh.whole());
  EXPECT_EQ(fresh.lines, 2u) << "keys_taken_over, pinned";
  std::ifstream in(log);
  std::string line;
  std::getline(in, line);
  expect_contains(line, observability::to_text(old.head));
  expect_contains(line, to_hex(keys.description().held[0].signing_key));
  join("a");
  EXPECT_EQ(verified(log).lines, 3u) << "handed over once";
}

TEST_F(RotationTest, OnlyTheTransportKeyCanBeReplacedAndTheAuditLogGoesOn) {
  const Card card = rotate("a", Rotation::kTransport);
  enroll({card});
  EXPECT_EQ(join("a").generation, 2u);
  EXPECT_TRUE(
      observability::check_audit_file(site("a") / "audit.jsonl", card.signing_key, {}).whole());
  EXPECT_FALSE(
      fs::exists(site("a") / ("audit-" + to_hex(card.signing_key).substr(0, 16) + ".jsonl")));
}

TEST_F(RotationTest, ASuccessorNeedsTheWordOfTheVeryKeysThatAreEnrolled) {
  const Card honest = rotate("a", Rotation::kBoth);
  const Keystore thief = Keystore::make("a", random_);
  expect_contains(refusal_of([&] { enroll({config::card_of(thief.identity(1))}); }),
                  "a member of this name is already enrolled");
  // Signed by keys of its own choice, for those of the member.
  Card forged = config::card_of(thief.identity(1));
  forged.replaces = honest.replaces;
  const auto parsed = config::parse_card(config::to_json(forged), "card");
  ASSERT_TRUE(std::holds_alternative<config::ConfigErrors>(parsed));
  expect_contains(
      std::get<config::ConfigErrors>(parsed).joined(),
      "$.replaces.signature: the signature was not made by the key that this card replaces");
  // The transport key is public: to name it beside a signing key of one's own proves nothing.
  config::Identity half = Keystore::make("a", random_).identity(1);
  half.transport_public = honest.replaces.transport_key;
  expect_contains(refusal_of([&] { enroll({config::successor_card(thief.identity(1), half)}); }),
                  "it replaces other keys than those that are enrolled");
  const Keystore other = Keystore::make("a", random_);
  expect_contains(
      refusal_of([&] { enroll({config::successor_card(thief.identity(1), other.identity(1))}); }),
      "it replaces other keys than those that are enrolled");
  const Card unauthenticated =
      config::successor_card(Keystore::make("c", random_).identity(1), other.identity(1));
  expect_contains(refusal_of([&] { enroll({unauthenticated}); }), "a card that is not enrolled");
  // Another member's successor cannot take this one's place.
  Keystore b = keys_of("b");
  config::Identity as_a = b.identity(1);
  as_a.name = "a";
  expect_contains(refusal_of([&] { enroll({config::successor_card(as_a, b.identity(1))}); }),
                  "it replaces other keys than those that are enrolled");
  EXPECT_EQ(enroll({honest}).roster.version, 2u);
}

TEST_F(RotationTest, ReplacedKeysNeverComeBackAndAnOldSuccessorIsNotPlayedAgain) {
  const Card second = rotate("a", Rotation::kTransport);
  enroll({second});
  join("a");
  const Card third = rotate("a", Rotation::kTransport);
  enroll({third});
  expect_contains(refusal_of([&] { enroll({second}); }), "it replaces other keys");
  const Keystore keys = keys_of("a");
  Card back = config::successor_card(keys.identity(2), keys.identity(3));
  expect_contains(refusal_of([&] { enroll({back}); }), "was revoked or replaced");
  const FederationConfig now = config::load_federation(operator_folder() / "federation.json");
  EXPECT_EQ(now.revoked_keys.size(), 2u) << "two transport keys; the signing key is in use";
}

TEST_F(RotationTest, RevokedKeysLeaveTheRosterAndAreNeverEnrolledAgain) {
  const config::Identity identity = keys_of("a").identity(1);
  const config::Revocation statement = config::revocation_of(identity);
  const auto read = config::parse_revocation(config::to_json(statement), "r");
  ASSERT_TRUE(std::holds_alternative<config::Revocation>(read));
  const FederationConfig made = revoke(std::get<config::Revocation>(read));
  EXPECT_EQ(made.roster.version, 2u);
  ASSERT_EQ(made.roster.members.size(), 1u);
  EXPECT_EQ(made.roster.members[0].name, "b");
  expect_contains(refusal_of([&] { join("a"); }), "a is not in the roster");
  expect_contains(refusal_of([&] { enroll({config::card_of(identity)}); }),
                  "was revoked or replaced and cannot be enrolled again");
  Keystore half = keys_of("a");
  half.rotate(Rotation::kSigning, random_);
  expect_contains(refusal_of([&] { enroll({config::card_of(half.identity(2))}); }),
                  "was revoked or replaced");
  // New keys are a new member of the old name; keys for data stay.
  const crypto::Secret32 records = keys_of("a").data_key("records");
  const Card fresh = rotate("a", Rotation::kBoth, CardKind::kNewMember);
  EXPECT_FALSE(fresh.is_successor());
  EXPECT_EQ(enroll({fresh}).roster.members.back().id, MemberId{3});
  expect_contains(refusal_of([&] { join("a"); }),
                  "it gives this site the member id 3 instead of 1");
  EXPECT_EQ(join("a", PinChange::kReplace).generation, 2u);
  EXPECT_TRUE(keys_of("a").data_key("records").equals(records));
}

TEST_F(RotationTest, ARevocationIsTheKeysOwnWordAndHitsNobodyElse) {
  config::Revocation statement = config::revocation_of(keys_of("a").identity(1));
  statement.transport_key[0] ^= 1;
  const auto parsed = config::parse_revocation(config::to_json(statement), "r");
  ASSERT_TRUE(std::holds_alternative<config::ConfigErrors>(parsed));
  expect_contains(std::get<config::ConfigErrors>(parsed).joined(), "not made by the key");
  // A member that names another's transport key in its own statement.
  config::Identity bent = keys_of("a").identity(1);
  bent.transport_public = keys_of("b").newest().transport_key;
  expect_contains(refusal_of([&] { revoke(config::revocation_of(bent)); }),
                  "its transport key belongs to another member");
}

TEST_F(RotationTest, TheOperatorCanRevokeByNameAndRemovingAloneIsNotForEver) {
  const std::vector<std::string> a{"a"}, b{"b"};
  const Card card_a = config::card_of(keys_of("a").identity(1));
  const Card card_b = config::card_of(keys_of("b").identity(1));
  coordinator::remove(operator_folder(), operators(), a, coordinator::Removal::kRemove, kOneYear);
  EXPECT_EQ(enroll({card_a}).roster.members.size(), 2u);
  coordinator::remove(operator_folder(), operators(), b, coordinator::Removal::kRevoke, kOneYear);
  expect_contains(refusal_of([&] { enroll({card_b}); }), "was revoked");
}

TEST_F(RotationTest, RestoredKeysTakePartInNothingUntilTheRosterNamesTheirSuccessor) {
  const identity::Opener seal = identity::KeyFile{crypto::Secret32::random(random_)};
  keys_of("a").save_backup(folder_ / "backup", seal, crypto::kLeastCost, random_);
  fs::remove(site("a") / "keystore.json");
  Keystore restored = Keystore::open_backup(folder_ / "backup", seal);
  restored.restrict_to_successor();
  restored.save_new(site("a"), identity::Nothing{}, crypto::kLeastCost, random_);
  expect_contains(refusal_of([&] { start("a"); }), "restored from a backup");
  const Card card = rotate("a", Rotation::kBoth);
  EXPECT_TRUE(card.is_successor());
  expect_contains(refusal_of([&] { start("a"); }), "keys rotate");
  enroll({card});
  join("a");
  EXPECT_EQ(start("a").generation, 2u);
}

TEST_F(RotationTest, ABackupOlderThanARotationIsToldByTheRoster) {
  const identity::Opener seal = identity::KeyFile{crypto::Secret32::random(random_)};
  keys_of("a").save_backup(folder_ / "backup", seal, crypto::kLeastCost, random_);
  enroll({rotate("a", Rotation::kBoth)});
  join("a");
  fs::remove(site("a") / "keystore.json");
  const Keystore old = Keystore::open_backup(folder_ / "backup", seal);
  old.save_new(site("a"), identity::Nothing{}, crypto::kLeastCost, random_);
  const std::string why = refusal_of([&] { start("a"); });
  expect_contains(why, "a is enrolled with other keys (");
  expect_contains(why, "restored from a backup from before a rotation, the newer keys are lost");
}

TEST_F(RotationTest, AFederationWithoutRevokedKeysIsWrittenAsBeforeThereWereAny) {
  std::ifstream in(operator_folder() / "federation.json");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(text.find("revoked_keys"), std::string::npos);
  FederationConfig federation = config::load_federation(operator_folder() / "federation.json");
  federation.revoked_keys = {"zz"};
  const auto parsed = config::parse_federation(config::to_json(federation), "f");
  ASSERT_TRUE(std::holds_alternative<config::ConfigErrors>(parsed));
  expect_contains(std::get<config::ConfigErrors>(parsed).joined(), "$.revoked_keys[0]: this is not a key");
}

}  // namespace
}  // namespace sotto::enrolment_test
