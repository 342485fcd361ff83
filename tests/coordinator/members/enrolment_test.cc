// Enrolment without a certificate authority: identities, cards, the signed roster and the pin.
#include "coordinator/members/enrolment.h"

#include "common/config/model_files.h"
#include "common/crypto/key_agreement.h"
#include "tests/common/config/samples.h"
#include "tests/coordinator/members/enrolment_fixture.h"

namespace sotto::enrolment_test {
namespace {

Bytes32 filled(std::uint8_t byte) {
  Bytes32 out;
  out.fill(byte);
  return out;
}

TEST(Roster, HashIsThatOfTheSpecifiedBytes) {
  Roster roster{.version = 3,
                .expiry_unix_s = 1'800'000'000,
                .coordinator_signing_key = filled(1),
                .coordinator_transport_key = filled(2),
                .members = {}};
  roster.members = {{MemberId{1}, 0, filled(0x11), filled(0x12), "hospital-a"},
                    {MemberId{5}, 0, filled(0x51), filled(0x52), "b"}};
  // Made with Python's hashlib.blake2b(digest_size=32, person=...) over the packed fields.
  EXPECT_EQ(roster.canonical().size(), 282u);
  EXPECT_EQ(to_hex(roster.hash()),
            "8c2289a64242d4c3492fa6368f9fccc2f39fd061fe1d8897de8d5b9765cee45b");
  EXPECT_EQ(roster.find(MemberId{5})->name, "b");
  EXPECT_EQ(roster.find(MemberId{2}), nullptr);
}

TEST(Fingerprint, IsEightGroupsOfEightDigits) {
  EXPECT_EQ(config::fingerprint(filled(0xab)),
            "abababab abababab abababab abababab abababab abababab abababab abababab");
}

TEST_F(Enrolment, ACardComesBackAndItsSignatureHoldsEveryFieldTogether) {
  const Card card = init("hospital-a");
  const Card loaded = config::load_card(site("hospital-a") / "hospital-a.card.json");
  EXPECT_EQ(loaded.signing_key, card.signing_key);
  EXPECT_EQ(loaded.transport_key, card.transport_key);
  const auto refused = [](const Card& changed) {
    return std::holds_alternative<config::ConfigErrors>(
        config::parse_card(config::to_json(changed), "card"));
  };
  EXPECT_FALSE(refused(card));
  Card changed = card;
  changed.name = "hospital-b";
  EXPECT_TRUE(refused(changed));
  changed = card;
  changed.transport_key[0] ^= 1;
  EXPECT_TRUE(refused(changed));
  changed = card;
  changed.signing_key = init("hospital-b").signing_key;
  EXPECT_TRUE(refused(changed));
}

TEST_F(Enrolment, ALowOrderTransportKeyIsRefusedEvenWhenItIsSigned) {
  init("hospital-a");
  const config::Identity identity = keys_of("hospital-a").identity(1);
  Card card = config::card_of(identity);
  card.transport_key = Bytes32{};
  card.signature = identity.signing.sign(card.signed_bytes());
  const auto parsed = config::parse_card(config::to_json(card), "card");
  ASSERT_TRUE(std::holds_alternative<config::ConfigErrors>(parsed));
  expect_contains(std::get<config::ConfigErrors>(parsed).joined(), "low order");
}

TEST_F(Enrolment, EveryEnrolmentIsANewVersionAndMembersKeepTheirIds) {
  const FederationConfig first = enroll({init("b"), init("a")});
  EXPECT_EQ(first.roster.version, 1u);
  EXPECT_EQ(first.roster.expiry_unix_s, kNow + kYear);
  ASSERT_EQ(first.roster.members.size(), 2u);
  EXPECT_EQ(first.roster.members[0].id, MemberId{1});
  EXPECT_EQ(first.roster.members[0].name, "b");
  const FederationConfig second = enroll({init("c")});
  EXPECT_EQ(second.roster.version, 2u);
  ASSERT_EQ(second.roster.members.size(), 3u);
  EXPECT_EQ(second.roster.members[1], first.roster.members[1]);
  EXPECT_EQ(second.roster.members[2].id, MemberId{3});
  const FederationConfig renewed =
      coordinator::renew(operator_folder(), operators(), {.now_unix_s = kNow, .for_s = 7});
  EXPECT_EQ(renewed.roster.version, 3u);
  EXPECT_EQ(renewed.roster.expiry_unix_s, kNow + 7);
  EXPECT_EQ(renewed.roster.members, second.roster.members);
  EXPECT_EQ(config::load_federation(federation_file()).roster.hash(), renewed.roster.hash());
}

TEST_F(Enrolment, ARemovedMembersIdIsNeverGivenToAnother) {
  enroll({init("a"), init("b"), init("c")});
  const std::vector<std::string> last{"c"}, unknown{"b", "nobody"};
  const FederationConfig removed = remove(last);
  EXPECT_EQ(removed.roster.version, 2u);
  EXPECT_EQ(removed.roster.members.size(), 2u);
  expect_contains(refusal_of([&] { remove(unknown); }),
                  "nobody: no member of this name is enrolled");
  const FederationConfig again = enroll({init("d")});
  EXPECT_EQ(again.roster.version, 3u) << "the refused removal changed nothing";
  EXPECT_NE(again.roster.find(MemberId{2}), nullptr);
  EXPECT_EQ(again.roster.find(MemberId{3}), nullptr);
  ASSERT_NE(again.roster.find(MemberId{4}), nullptr);
  EXPECT_EQ(again.roster.find(MemberId{4})->name, "d");
}

TEST_F(Enrolment, ANameOrKeyIsEnrolledOnce) {
  const Card a = init("a");
  enroll({a});
  const std::string before = read_text(federation_file());
  expect_contains(refusal_of([&] { enroll({a}); }), "card of a: a member of this name");
  Card renamed = a;
  renamed.name = "b";
  expect_contains(refusal_of([&] { enroll({renamed}); }), "card of b: its signing key");
  Card other = init("c");
  other.transport_key = a.transport_key;
  expect_contains(refusal_of([&] { enroll({other}); }), "card of c: its transport key");
  const Card d = init("d");
  expect_contains(refusal_of([&] { enroll({d, d}); }), "card of d: a member of this name");
  Card coordinators = d;
  coordinators.signing_key =
      config::load_federation(federation_file()).roster.coordinator_signing_key;
  expect_contains(refusal_of([&] { enroll({coordinators}); }), "its signing key");
  EXPECT_EQ(read_text(federation_file()), before);
}

TEST_F(Enrolment, TheFederationFileIsRefusedAfterAnyChange) {
  enroll({init("a"), init("b")});
  const std::string text = read_text(federation_file());
  const FederationConfig good = config::load_federation(federation_file());
  const auto errors_with = [&](auto change) {
    FederationConfig changed = good;
    change(changed);
    const auto parsed = config::parse_federation(config::to_json(changed), "f");
    const auto* errors = std::get_if<config::ConfigErrors>(&parsed);
    return errors == nullptr ? std::string() : errors->joined();
  };
  const std::string bad = "not the coordinator's signature";
  expect_contains(errors_with([](auto& f) { f.name = "south"; }), bad);
  expect_contains(errors_with([](auto& f) { f.endpoint = "tcp://evil.example:7700"; }), bad);
  expect_contains(errors_with([](auto& f) { ++f.roster.version; }), bad);
  expect_contains(errors_with([](auto& f) { ++f.roster.expiry_unix_s; }), bad);
  expect_contains(errors_with([](auto& f) { f.roster.members.pop_back(); }), bad);
  expect_contains(errors_with([](auto& f) { f.roster.members[0].name = "z"; }), bad);
  expect_contains(errors_with([](auto& f) { f.roster.members[0].transport_key[3] ^= 1; }), bad);
  expect_contains(errors_with([](auto& f) { f.signature[0] ^= 1; }), bad);
  EXPECT_EQ(errors_with([](auto& f) { f.listen = "tcp://10.0.0.1:7700"; }), "");
  expect_contains(errors_with([](auto& f) { std::swap(f.roster.members[0], f.roster.members[1]); }),
                  "ids must ascend");
  expect_contains(errors_with([](auto& f) { f.roster.members[1].name = "a"; }),
                  "the name of another member");
  EXPECT_EQ(config::to_json(good), text);
}

TEST_F(Enrolment, JoiningPinsCoordinatorRosterAndOwnPlace) {
  enroll({init("a"), init("b")});
  const participant::Membership joined = join("b");
  EXPECT_EQ(joined.self, MemberId{2});
  EXPECT_EQ(joined.federation.endpoint, "tcp://fed.example:7700");
  const participant::Membership loaded = load("b");
  EXPECT_EQ(loaded.self, MemberId{2});
  EXPECT_EQ(loaded.federation.roster.hash(), joined.federation.roster.hash());
  const std::string shown = participant::describe(joined);
  expect_contains(shown, config::fingerprint(joined.federation.roster.hash()));
  expect_contains(shown, config::fingerprint(joined.federation.roster.coordinator_signing_key));
  expect_contains(shown, "b (this site)");
}

TEST_F(Enrolment, JoiningNeedsTheOwnNameWithTheOwnKeys) {
  const Card a = init("a");
  const Card unauthenticated = init("stranger");
  enroll({a});
  expect_contains(refusal_of([&] { join("stranger"); }), "stranger is not in the roster");
  make_keys(folder_ / "impostor", "a");
  expect_contains(refusal_of([&] { join("impostor"); }), "a is enrolled with other keys");
  Card renamed = unauthenticated;
  renamed.name = "renamed";
  enroll({renamed});
  expect_contains(refusal_of([&] { join("stranger"); }), "enrolled under the name renamed");
  EXPECT_FALSE(fs::exists(site("stranger") / "pinned.json"));
}

TEST_F(Enrolment, AnExpiredRosterIsRefusedAtJoinAndAtStart) {
  init("a");
  enroll({config::load_card(site("a") / "a.card.json")});
  expect_contains(refusal_of([&] {
                    participant::join(site("a"), keys_of("a"), federation_file(), kNow + kYear,
                                      PinChange::kRefuse);
                  }),
                  "expired");
  join("a");
  EXPECT_EQ(refusal_of([&] { load("a", kNow + kYear - 1); }), "");
  expect_contains(refusal_of([&] { load("a", kNow + kYear); }), "expired");
}

TEST_F(Enrolment, ANewerRosterOfThePinnedCoordinatorIsTakenAnOlderOneIsNot) {
  enroll({init("a")});
  const std::string old = read_text(federation_file());
  join("a");
  enroll({init("b")});
  EXPECT_EQ(join("a").federation.roster.version, 2u);
  write_text(federation_file(), old);
  expect_contains(refusal_of([&] { join("a"); }), "older than the pinned version 2");
  EXPECT_EQ(load("a").federation.roster.version, 2u);
  EXPECT_EQ(join("a", PinChange::kReplace).federation.roster.version, 1u);
}

TEST_F(Enrolment, TwoRostersOfOneVersionAreRefused) {
  const Card a = init("a");
  const std::string empty = read_text(federation_file());
  enroll({a});
  join("a");
  write_text(federation_file(), empty);
  enroll({a, init("b")});
  expect_contains(refusal_of([&] { join("a"); }), "under the same version 1");
}

TEST_F(Enrolment, AnotherCoordinatorIsRefusedUntilThePinIsReplaced) {
  const Card a = init("a");
  enroll({a});
  join("a");
  fs::remove_all(operator_folder());
  coordinator::init(operator_folder(), make_keys(operator_folder(), "north"),
                    {.name = "north", .endpoint = "tcp://fed.example:7700"});
  enroll({a});
  enroll({});
  expect_contains(refusal_of([&] { join("a"); }), "signed by another coordinator");
  EXPECT_EQ(load("a").federation.roster.version, 1u);
  join("a", PinChange::kReplace);
  EXPECT_EQ(load("a").federation.roster.version, 2u);
}

TEST_F(Enrolment, StartNeedsThePinAndTheFederationToFitTogether) {
  enroll({init("a")});
  expect_contains(refusal_of([&] { load("a"); }), "has not joined");
  join("a");
  enroll({init("b")});
  fs::copy_file(federation_file(), site("a") / "federation.json",
                fs::copy_options::overwrite_existing);
  expect_contains(refusal_of([&] { load("a"); }),
                  "not the federation.json that this site has pinned");
  write_text(site("a") / "pinned.json", "{}");
  EXPECT_NE(refusal_of([&] { load("a"); }), "");
  EXPECT_NE(refusal_of([&] { join("a"); }), "") << "a damaged pin is not the same as none";
}

TEST_F(Enrolment, TheOperatorsFileMustBeOfTheIdentityBesideIt) {
  coordinator::init(folder_ / "other", make_keys(folder_ / "other", "o"),
                    {.name = "o", .endpoint = "tcp://o:1"});
  fs::copy_file(folder_ / "other" / "federation.json", federation_file(),
                fs::copy_options::overwrite_existing);
  expect_contains(refusal_of([&] { enroll({}); }), "was not created with the keys in this folder");
}

TEST_F(Enrolment, EndpointsAreChecked) {
  for (const char* endpoint : {"", "fed.example:7700", "tcp://:7700", "tcp://h:", "tcp://h:0",
                               "tcp://h:70000", "tcp://h:7x", "tcp://h h:1", "tcp://7700"})
    expect_contains(refusal_of([&] {
                      coordinator::init(folder_ / "e", operators(),
                                        {.name = "e", .endpoint = endpoint});
                    }),
                    "is not an endpoint");
}

class LoadedJob : public ::testing::Test {
 protected:
  LoadedJob() {
    fs::create_directories(folder_ / "model");
    write_text(folder_ / "model/config.json", "{}");
    write_text(folder_ / "model/vocab.txt", "[PAD]\n");
    write_text(folder_ / "job.json", config::samples::kJob);
  }

  TemporaryDirectory folder_;
};

TEST_F(LoadedJob, HoldsTheHashesOfTheModelFilesNotTheirPlace) {
  const std::vector<std::string> colluders{"secure_aggregation.max_colluders=1"};
  const config::JobConfig job = config::load_job(folder_ / "job.json", colluders);
  EXPECT_EQ(job.model.path, (folder_ / "model").string());
  EXPECT_EQ(job.canonical.find(folder_.path().string()), std::string::npos);
  EXPECT_TRUE(config::check_model_files(job, folder_ / "model").ok());
  const auto received = config::parse_received_job(job.canonical);
  ASSERT_TRUE(std::holds_alternative<config::JobConfig>(received));
  EXPECT_EQ(std::get<config::JobConfig>(received).hash, job.hash);
}

TEST_F(LoadedJob, IsRefusedBySitesWithOtherModelFiles) {
  const config::JobConfig job = config::load_job(folder_ / "job.json");
  write_text(folder_ / "model/vocab.txt", "[PAD]\nx\n");
  expect_contains(config::check_model_files(job, folder_ / "model").error().message, "vocab.txt");
  EXPECT_NE(config::load_job(folder_ / "job.json").hash, job.hash);
  write_text(folder_ / "model/config.json", "{ }");
  expect_contains(config::check_model_files(job, folder_ / "model").error().message, "config.json");
  EXPECT_FALSE(config::check_model_files(job, folder_ / "nowhere").ok());
}

TEST_F(LoadedJob, HoldsTheHashOfTheWeightsThatLoraLeavesAlone) {
  const std::vector<std::string> lora = {"lora.r=2", "lora.target_modules=[\"query\"]"};
  expect_contains(refusal_of([&] { config::load_job(folder_ / "job.json", lora); }),
                  "the folder has no weights: model.safetensors");
  write_text(folder_ / "model/model.safetensors", "weights");
  EXPECT_EQ(config::load_job(folder_ / "job.json").model.weights_hash, Bytes32{});
  const config::JobConfig job = config::load_job(folder_ / "job.json", lora);
  EXPECT_TRUE(config::check_model_files(job, folder_ / "model").ok());
  write_text(folder_ / "model/model.safetensors", "other weights");
  expect_contains(config::check_model_files(job, folder_ / "model").error().message,
                  "the weights that the job adapts");
  fs::remove(folder_ / "model/model.safetensors");
  expect_contains(config::check_model_files(job, folder_ / "model").error().message, "lacks");
  // Shards count with their names and their index; files that it does not name are not looked at.
  const auto write_index = [&](const std::string& shard) {
    write_text(folder_ / "model/model.safetensors.index.json",
               R"({"weight_map": {"x": ")" + shard + "\"}}");
  };
  write_index("a.safetensors");
  write_text(folder_ / "model/a.safetensors", "one");
  const Bytes32 sharded = config::hash_model_weights(folder_ / "model").value();
  write_text(folder_ / "model/consolidated.safetensors", "the same in one file");
  EXPECT_EQ(config::hash_model_weights(folder_ / "model").value(), sharded);
  fs::rename(folder_ / "model/a.safetensors", folder_ / "model/b.safetensors");
  write_index("b.safetensors");
  EXPECT_NE(config::hash_model_weights(folder_ / "model").value(), sharded);
}

TEST_F(LoadedJob, IsRefusedWhenItFixesOtherHashesOrTheFilesAreMissing) {
  const std::vector<std::string> fixed = {"model.vocab_hash=" + std::string(64, 'c')};
  expect_contains(refusal_of([&] { config::load_job(folder_ / "job.json", fixed); }),
                  "$.model.vocab_hash: found cccc");
  fs::remove(folder_ / "model/vocab.txt");
  expect_contains(refusal_of([&] { config::load_job(folder_ / "job.json"); }), "$.model.path: ");
}

TEST(LoadedSite, PathsStartAtItsFile) {
  TemporaryDirectory folder;
  write_text(folder / "site.json", config::samples::kSite);
  const config::SiteConfig site = config::load_site(folder / "site.json");
  EXPECT_EQ(site.data.train, folder / "train.tsv");
  EXPECT_EQ(site.model_path, folder / "model");
}

}  // namespace
}  // namespace sotto::enrolment_test
