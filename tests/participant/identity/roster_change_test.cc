// What `join` shows of a newer roster, and what in it the coordinator's signature is not enough
// for.
#include "participant/identity/roster_change.h"

#include <algorithm>

#include "common/config/json_tree.h"
#include "common/crypto/secure_random.h"
#include "tests/coordinator/members/enrolment_fixture.h"

namespace sotto::enrolment_test {
namespace {

using participant::RosterChange;

class RosterChangeTest : public Enrolment {
 protected:
  RosterChangeTest() {
    enroll({init("a"), init("b"), init("c")});
    join("a");
  }

  /// What `join` showed; the first word of the refusal, if there was one, is in refused_.
  RosterChange change(PinChange pin = PinChange::kRefuse) {
    RosterChange seen;
    refused_ = refusal_of([&] {
      join("a", pin, [&](const participant::Membership& membership, const RosterChange& found) {
        seen = found;
        participant::refuse_key_changes(membership, found);
      });
    });
    return seen;
  }

  /// A card of `name` by keys that nobody has seen.
  Card fresh_card(const std::string& name) {
    return config::card_of(Keystore::make(name, random_).identity(1));
  }

  Card rotate(const std::string& name, identity::Rotation which = identity::Rotation::kBoth) {
    Keystore keys = keys_of(name);
    keys.rotate(which, random_);
    keys.save(site(name));
    join_quietly(name);
    return participant::write_card(site(name), keys, CardKind::kSuccessor);
  }

  /// So that the site's next card replaces the keys that the roster names.
  void join_quietly(const std::string& name) { join(name); }

  static bool has(const RosterChange& change, const std::string& part) {
    return std::ranges::any_of(change.lines, [&](const std::string& line) {
      return line.find(part) != std::string::npos;
    });
  }

  /// The file without what `edit` takes out of it, signed again.
  template <class Edit>
  void edit_file(Edit edit) {
    FederationConfig file = config::load_federation(federation_file());
    edit(file);
    file.signature = operators().signing.sign(file.signed_bytes());
    write_text(federation_file(), config::to_json(file));
  }

  [[nodiscard]] std::uint32_t pinned_version() { return load("a").federation.roster.version; }

  std::string refused_;
};

TEST_F(RosterChangeTest, AddedRemovedAndRenewedAreShownAndTaken) {
  enroll({init("d")});
  EXPECT_TRUE(has(change(), "added: d (member 4"));
  EXPECT_EQ(refused_, "");
  remove({"b"});
  EXPECT_TRUE(has(change(), "removed: b (member 2)"));
  coordinator::renew(operator_folder(), operators(), {.now_unix_s = kNow, .for_s = 2 * kYear});
  const RosterChange renewed = change();
  EXPECT_EQ(refused_, "");
  ASSERT_EQ(renewed.lines.size(), 3U);
  EXPECT_EQ(renewed.lines[0], "nothing but the version and the expiry has changed");
  EXPECT_EQ(renewed.lines[1], "version: 3 -> 4");
  EXPECT_EQ(renewed.lines[2], "valid until: 2028-01-15 -> 2029-01-14");
}

TEST_F(RosterChangeTest, OtherKeysUnderAKnownNameAreRefusedUntilSomebodyAccepts) {
  const std::string old = config::fingerprint(keys_of("b").identity(1).signing.verify_key());
  remove({"b", "c"});
  const Card b = fresh_card("b"), c = fresh_card("c");
  enroll({b, c});
  EXPECT_EQ(change().key_changes.size(), 2U);
  expect_contains(refused_, "b has other keys than this site has pinned");
  expect_contains(refused_, old);
  expect_contains(refused_, config::fingerprint(b.signing_key));
  expect_contains(refused_, "--accept-changed-keys b --accept-changed-keys c");
  EXPECT_EQ(pinned_version(), 1U) << "nothing was changed";
  change(PinChange::kReplace);
  EXPECT_NE(refused_, "") << "the word for another coordinator is none for other members";
  join("a", PinChange::kRefuse, [](const auto&, const auto&) {});
  EXPECT_EQ(pinned_version(), 3U);
  EXPECT_TRUE(has(change(), "nothing has changed"));
}

TEST_F(RosterChangeTest, ANameThatWasRemovedIsRememberedWithItsKeys) {
  const Card b = config::card_of(keys_of("b").identity(1));
  remove({"b"});
  join("a");
  enroll({fresh_card("b")});
  EXPECT_EQ(change().key_changes.size(), 1U);
  expect_contains(refused_, "b has other keys");
  remove({"b"});
  enroll({b});
  EXPECT_TRUE(has(change(), "enrolled again: b (member 5)"));
  EXPECT_EQ(refused_, "") << "with the keys that this site knew";
}

TEST_F(RosterChangeTest, AKnownKeyUnderANewNameIsADoubt) {
  const config::Identity b = keys_of("b").identity(1);
  remove({"b"});
  Card renamed = config::card_of(b);
  renamed.name = "bb";
  renamed.signature = b.signing.sign(renamed.signed_bytes());
  enroll({renamed});
  EXPECT_EQ(change().key_changes.size(), 1U);
  expect_contains(refused_, "bb has a key that this site has pinned as a key of b");
  EXPECT_EQ(pinned_version(), 1U);
}

TEST_F(RosterChangeTest, KeysThatTheOldOnesSignedForAreTakenOverAnyNumberOfRotations) {
  join("b");
  enroll({rotate("b")});
  enroll({rotate("b", identity::Rotation::kTransport)});
  enroll({rotate("b")});
  const RosterChange found = change();
  EXPECT_TRUE(has(found, "new keys: b, signed by its old keys"));
  EXPECT_TRUE(found.key_changes.empty());
  EXPECT_EQ(refused_, "");
  EXPECT_EQ(pinned_version(), 4U);
}

TEST_F(RosterChangeTest, AFileThatLacksALinkOfTheChainIsADoubt) {
  join("b");
  enroll({rotate("b")});
  enroll({rotate("b")});
  edit_file([](FederationConfig& file) { file.successions.erase(file.successions.begin()); });
  EXPECT_EQ(change().key_changes.size(), 1U);
}

TEST_F(RosterChangeTest, ASuccessionIsBelievedForItsOwnNameAndKeysAlone) {
  join("b");
  enroll({rotate("b")});
  const FederationConfig file = config::load_federation(federation_file());
  const auto refused = [&](auto edit) {
    FederationConfig other = file;
    edit(other.successions.at(0));
    other.signature = operators().signing.sign(other.signed_bytes());
    return std::holds_alternative<config::ConfigErrors>(
        config::parse_federation(config::to_json(other), "f"));
  };
  EXPECT_FALSE(refused([](Card&) {}));
  EXPECT_TRUE(refused([](Card& card) { card.name = "c"; }));
  EXPECT_TRUE(refused([](Card& card) { card.signing_key[0] ^= 1; }));
  EXPECT_TRUE(refused([](Card& card) { card.replaces.transport_key[0] ^= 1; }));
  EXPECT_TRUE(refused([](Card& card) { card.replaces = {}; }));
}

TEST_F(RosterChangeTest, ARevokedKeySignsForNobodyOnceTheRevocationIsPinned) {
  const config::Identity stolen = keys_of("b").identity(1);
  remove({"b"}, Removal::kRevoke);
  join("a");
  // The thief and the operator together: a successor that the revoked key signs.
  const config::Identity thief = Keystore::make("b", random_).identity(1);
  enroll({config::card_of(thief)});
  edit_file([&](FederationConfig& file) {
    file.successions.push_back(config::successor_card(thief, stolen));
  });
  EXPECT_EQ(change().key_changes.size(), 1U);
}

TEST_F(RosterChangeTest, AFileThatForgetsARevocationIsRefused) {
  const Card b = config::card_of(keys_of("b").identity(1));
  remove({"b"}, Removal::kRevoke);
  join("a");
  edit_file([](FederationConfig& file) {
    file.revoked_keys.clear();
    ++file.roster.version;
  });
  change();
  expect_contains(refused_, "it lacks the key " + to_hex(b.signing_key) +
                                ", which this site has pinned as revoked");
  enroll({b});  // comes back
  change();
  expect_contains(refused_, "it lacks the key " + to_hex(b.signing_key));
  EXPECT_EQ(pinned_version(), 2U);
  edit_file([&](FederationConfig& file) { file.revoked_keys = {to_hex(b.signing_key)}; });
  change();
  expect_contains(refused_, "is revoked, but the member b has it");
}

TEST_F(RosterChangeTest, APinOfAnEarlierVersionTakesItsMembersFromTheCopyThatItsHashCovers) {
  const std::string pin = read_text(site("a") / "pinned.json");
  // As it was written before members were pinned.
  config::JsonDocument earlier = config::read_json(pin);
  std::erase_if(*std::get_if<config::Json::Object>(&earlier.root.value), [](const auto& field) {
    return field.key == "former" || field.key == "members" || field.key == "revoked_keys" ||
           field.key == "roster_expiry_unix_s";
  });
  write_text(site("a") / "pinned.json", config::pretty_text(earlier.root));
  EXPECT_EQ(pinned_version(), 1U);
  remove({"b"});
  enroll({fresh_card("b")});
  EXPECT_EQ(change().key_changes.size(), 1U);
  fs::copy_file(federation_file(), site("a") / "federation.json",
                fs::copy_options::overwrite_existing);
  change();
  expect_contains(refused_, "Put the federation.json of version 1 there");
}

}  // namespace
}  // namespace sotto::enrolment_test
