// docs/secure-aggregation.md, "Coordinator misbehaviour": a coordinator with its own signing key
// that says whatever it likes to real sites. Nothing may be released beyond one certified sum.
#include <gtest/gtest.h>

#include "common/secagg/server/server.h"
#include "common/secagg/shared/transcript.h"
#include "common/simulation/seeds.h"
#include "common/wire/blob_transfer.h"
#include "common/wire/codec.h"
#include "tests/simulation/checker.h"
#include "tests/simulation/site.h"
#include "tests/temporary_directory.h"

namespace sotto::simulation {
namespace {

using secagg::IndexSet;

/// The lying coordinator: keeps an honest secagg::Server as its notebook, and says what a test
/// tells it to. Everything arrives at once.
class Liar {
 public:
  explicit Liar(std::uint32_t n = 5, std::uint32_t C = 1) : n_(n), key_(make_key(0)) {
    ledger_.emplace(privacy::PrivacyLedger::open(directory_ / "ledger.db").value());
    model_.values.assign(17, 0.25F);
    model_.layout = {{"weights", {17}}};
    agreement_.run.fill(1);
    agreement_.num_server_rounds = 10;
    agreement_.parameters = 17;
    agreement_.min_colluders = C;
    for (std::uint32_t i = 0; i < n; ++i)
      roster_.push_back({id(i), make_key(1 + i).verify_key()});
    for (std::uint32_t i = 0; i < n; ++i)
      sites_.push_back(std::make_unique<Site>(Site::Setup{.agreement = agreement_,
                                                          .id = id(i),
                                                          .roster = roster_,
                                                          .coordinator = key_.verify_key(),
                                                          .seed = 5,
                                                          .training = Duration(10),
                                                          .ledger = &*ledger_},
                                              make_key(1 + i)));
    begin(1);
  }

  static MemberId id(std::uint32_t i) { return MemberId{20 + i}; }

  static crypto::SigningKey make_key(std::uint64_t index) {
    crypto::StreamRandom random(derive_seed(77, "liar", index));
    return crypto::SigningKey::generate(random);
  }

  [[nodiscard]] wire::RoundHeader header(std::uint64_t server_round) const {
    const auto thresholds = secagg::complete_graph_thresholds(n_, agreement_.min_colluders).value();
    wire::RoundHeader header;
    header.run = agreement_.run;
    header.round = RoundNumber::of(server_round, 0);
    header.cohort_hash = secagg::Cohort(roster_).hash();
    header.n = n_;
    header.C = agreement_.min_colluders;
    header.k = n_ - 1;
    header.t = thresholds.t;
    header.Q = thresholds.Q;
    header.s_min = thresholds.s_min;
    header.witnesses = thresholds.witnesses;
    header.model_hash = model_.hash();
    header.lanes = encoding::lane_specs(agreement_.encoding, 17, n_);
    return header;
  }

  void begin(std::uint64_t server_round) {
    round = RoundNumber::of(server_round, 0);
    server.emplace(header(server_round), secagg::Cohort(roster_), key_);
  }

  [[nodiscard]] wire::Offer offer(const wire::RoundHeader& what) const {
    wire::Offer m0{.header = what,
                   .deadline_ms = {1000, 1000, 1000, 1000, 1000, 1000},
                   .cohort = bits(all()),
                   .signature = {}};
    secagg::sign_offer(key_, m0);
    return m0;
  }

  [[nodiscard]] IndexSet all() const {
    IndexSet set;
    for (std::uint32_t i = 0; i < n_; ++i)
      set.push_back(i);
    return set;
  }

  [[nodiscard]] wire::Bitmap bits(const IndexSet& set) const { return wire::to_bitmap(n_, set); }

  [[nodiscard]] wire::Fix fix(const IndexSet& u2) const {
    wire::Fix m4u{.u2 = bits(u2), .signature = {}};
    secagg::sign_fix(key_, server->h(), m4u);
    return m4u;
  }

  [[nodiscard]] wire::Survivors survivors(const IndexSet& u2, const IndexSet& s) const {
    wire::Survivors m6{
        .d_u2 = secagg::digest_u2(server->h(), bits(u2)), .s = bits(s), .signature = {}};
    secagg::sign_survivors(key_, server->h(), m6);
    return m6;
  }

  /// A certificate of the endorsements that members gave, whatever they endorsed.
  [[nodiscard]] wire::UnmaskRequest certificate(const IndexSet& u2, const IndexSet& s,
                                                const IndexSet& signers) const {
    wire::UnmaskRequest m8;
    m8.d_u2 = secagg::digest_u2(server->h(), bits(u2));
    m8.d_s = secagg::digest_s(server->h(), m8.d_u2, bits(s));
    for (std::uint32_t i : signers)
      m8.certificate.push_back(
          heard.at(i).m7.value_or(wire::Endorse{.id = id(i), .signature = {}}));
    for (std::uint32_t i : s)
      m8.headers.push_back(heard.at(i).m5.value_or(wire::UploadHeader{}));
    return m8;
  }

  void tell(std::uint32_t i, const wire::Message& message) {
    hear(i, sites_[i]->deliver({kCoordinatorId, round, message}, now));
    settle();
  }

  void tell(const IndexSet& who, const wire::Message& message) {
    for (std::uint32_t i : who)
      tell(i, message);
  }

  /// Honest up to the acknowledgement of shares.
  void until_checked() {
    tell(all(), offer(server->header()));
    ASSERT_TRUE(server->fix_u1().ok());
    for (std::uint32_t i : all())
      tell(i, server->key_list(id(i)));
    ASSERT_TRUE(server->fix_v().ok());
    for (std::uint32_t i : all())
      tell(i, server->share_forward(id(i)));
    ASSERT_TRUE(server->fix_u2().ok());
    ASSERT_EQ(server->u2(), all());
  }

  void until_uploaded() {
    until_checked();
    tell(all(), fix(all()));
    for (std::uint32_t i : all())
      ASSERT_TRUE(heard[i].m5.has_value()) << "site " << i;
  }

  struct ReceivedMessage {
    std::optional<wire::UploadHeader> m5;
    std::optional<wire::Endorse> m7;
    std::size_t answers = 0;
  };

  [[nodiscard]] std::size_t shares_revealed() const { return checker.shares_revealed(round); }

  std::optional<secagg::Server> server;
  std::map<std::uint32_t, ReceivedMessage> heard;
  Checker checker;
  RoundNumber round;
  TimePoint now{Duration(1000)};

 private:
  void hear(std::uint32_t i, const Site::Sends& sends) {
    for (const auto& envelope : sends) {
      checker.member_sent(id(i), envelope.round, envelope.message);
      if (const auto* m1 = std::get_if<wire::Advertise>(&envelope.message)) server->accept(*m1);
      if (const auto* m3 = std::get_if<wire::Shares>(&envelope.message)) server->accept(*m3);
      if (const auto* m4a = std::get_if<wire::ShareCheck>(&envelope.message)) server->accept(*m4a);
      if (const auto* m5 = std::get_if<wire::UploadHeader>(&envelope.message)) heard[i].m5 = *m5;
      if (const auto* m7 = std::get_if<wire::Endorse>(&envelope.message)) heard[i].m7 = *m7;
      heard[i].answers += std::holds_alternative<wire::UnmaskResponse>(envelope.message);
      if (const auto* request = std::get_if<wire::BlobRequest>(&envelope.message)) {
        auto data = wire::answer(*request, encode_parameters(model_));
        if (data.ok())
          hear(i, sites_[i]->deliver({kCoordinatorId, envelope.round, std::move(*data)}, now));
      }
    }
  }

  /// Lets a short training end everywhere.
  void settle() {
    now += Duration(20);
    for (std::uint32_t i = 0; i < n_; ++i)
      hear(i, sites_[i]->run_due(now));
  }

  std::uint32_t n_;
  crypto::SigningKey key_;
  TemporaryDirectory directory_;
  std::optional<privacy::PrivacyLedger> ledger_;
  FlatParameters model_;
  participant::Agreement agreement_;
  std::vector<secagg::CohortMember> roster_;
  std::vector<std::unique_ptr<Site>> sites_;
};

// The harness itself: without a lie, the very same messages open the sum.
TEST(LyingCoordinator, WithoutALieTheCertificateIsAnswered) {
  Liar liar;
  liar.until_uploaded();
  const IndexSet all = liar.all();
  liar.tell(all, liar.survivors(all, all));
  liar.tell(all, liar.certificate(all, all, {0, 1, 2, 3}));
  EXPECT_EQ(liar.shares_revealed(), 25U);
  EXPECT_TRUE(liar.checker.failures().empty());
}

TEST(LyingCoordinator, ShowingOneMemberAnotherU2ReleasesNothing) {
  Liar liar;
  liar.until_checked();
  const IndexSet all = liar.all();
  const IndexSet other{1, 2, 3, 4};
  liar.tell({0, 1, 2, 3}, liar.fix(all));
  liar.tell(4, liar.fix(other));
  liar.tell(4, liar.survivors(all, other));  // an S inside its own U2, under that of the others
  liar.tell(all, liar.survivors(all, all));
  EXPECT_FALSE(liar.heard[4].m7) << "endorsed an S under a U2 that it never saw";
  // Four endorsements are a certificate, but no upload header of member 4 fits it (R3).
  liar.tell(all, liar.certificate(all, all, {0, 1, 2, 3}));
  EXPECT_EQ(liar.shares_revealed(), 0U);
  EXPECT_TRUE(liar.checker.failures().empty());
}

TEST(LyingCoordinator, ASecondU2MakesNoSecondUpload) {
  Liar liar;
  liar.until_uploaded();
  const auto before = liar.heard[0].m5;
  liar.tell(0, liar.fix({0, 1, 2, 3}));
  EXPECT_EQ(liar.heard[0].m5, before);
  EXPECT_TRUE(liar.checker.failures().empty());
}

TEST(LyingCoordinator, TwoSurvivorSetsNeverBothFindAQuorum) {
  Liar liar;
  liar.until_uploaded();
  const IndexSet all = liar.all();
  const IndexSet four{0, 1, 2, 3};
  liar.tell({0, 1, 4}, liar.survivors(all, all));
  liar.tell({2, 3}, liar.survivors(all, four));
  liar.tell({0, 1}, liar.survivors(all, four));  // they have endorsed the other one
  liar.tell({2, 3}, liar.survivors(all, all));
  for (const IndexSet& s : {all, four})
    liar.tell(all, liar.certificate(all, s, four));
  EXPECT_EQ(liar.shares_revealed(), 0U);
  EXPECT_TRUE(liar.checker.failures().empty());
}

TEST(LyingCoordinator, UnmaskingBeforeTheCertificateIsRefused) {
  Liar liar;
  liar.until_uploaded();
  const IndexSet all = liar.all();
  liar.tell({0, 1, 2}, liar.survivors(all, all));
  liar.tell(all, liar.certificate(all, all, {0, 1, 2}));  // one short
  auto twice = liar.certificate(all, all, {0, 1, 2});
  twice.certificate.push_back(twice.certificate.back());  // one signer twice
  liar.tell(all, twice);
  auto forged = liar.certificate(all, all, {0, 1, 2});  // a signature that is none
  forged.certificate.push_back({.id = Liar::id(3), .signature = {}});
  liar.tell(all, forged);
  auto outsider = liar.certificate(all, all, {0, 1, 2});
  wire::Endorse by_coordinator{.id = MemberId{999}, .signature = {}};
  secagg::sign_endorse(Liar::make_key(0), liar.server->h(), outsider.d_u2, outsider.d_s,
                       by_coordinator);
  outsider.certificate.push_back(by_coordinator);
  liar.tell(all, outsider);
  EXPECT_EQ(liar.shares_revealed(), 0U);
  EXPECT_TRUE(liar.checker.failures().empty());
}

TEST(LyingCoordinator, ACertificateOpensOnlyForThoseWhoEndorsed) {
  Liar liar;
  liar.until_uploaded();
  const IndexSet all = liar.all();
  liar.tell({0, 1, 2, 3}, liar.survivors(all, all));
  liar.tell(4, liar.certificate(all, all, {0, 1, 2, 3}));
  EXPECT_EQ(liar.shares_revealed(), 0U) << "member 4 has not endorsed";
  liar.tell(4, liar.survivors(all, all));
  liar.tell(4, liar.certificate(all, all, {0, 1, 2, 3}));
  EXPECT_EQ(liar.shares_revealed(), 5U);
}

TEST(LyingCoordinator, AnsweredOnceNoOtherSurvivorSetIsAnswered) {
  Liar liar;
  liar.until_uploaded();
  const IndexSet all = liar.all();
  const IndexSet four{0, 1, 2, 3};
  liar.tell(all, liar.survivors(all, all));
  liar.tell(all, liar.certificate(all, all, four));
  const std::size_t answered = liar.shares_revealed();
  liar.tell(four, liar.survivors(all, four));
  liar.tell(four, liar.certificate(all, four, four));
  EXPECT_EQ(liar.shares_revealed(), answered);
  EXPECT_TRUE(liar.checker.failures().empty()) << "both kinds would show member 4's input";
}

TEST(LyingCoordinator, SurvivorSetsThatBreakTheRulesAreNotEndorsed) {
  const IndexSet all{0, 1, 2, 3, 4};
  for (const IndexSet& s : {IndexSet{0, 1, 2}, IndexSet{1, 2, 3, 4}, IndexSet{}}) {
    Liar liar;
    liar.until_uploaded();
    liar.tell(0, liar.survivors(all, s));  // too few, without member 0, empty
    EXPECT_FALSE(liar.heard[0].m7.has_value());
  }
}

TEST(LyingCoordinator, AnotherModelForOneMemberStopsTheRoundBeforeUploads) {
  Liar liar;
  wire::RoundHeader other = liar.server->header();
  other.model_hash[0] ^= 1;
  liar.tell({0, 1, 2, 3}, liar.offer(liar.server->header()));
  liar.tell(4, liar.offer(other));
  EXPECT_EQ(liar.server->advertised(), (IndexSet{0, 1, 2, 3})) << "its M1 is over another h";
}

TEST(LyingCoordinator, TheSameRoundIsNotJoinedTwice) {
  Liar liar;
  liar.until_uploaded();
  liar.tell(liar.all(), liar.offer(liar.server->header()));
  wire::RoundHeader changed = liar.server->header();
  changed.model_hash[3] ^= 1;
  liar.tell(liar.all(), liar.offer(changed));
  EXPECT_TRUE(liar.checker.failures().empty()) << "a second M1 or M5 in one round";
}

}  // namespace
}  // namespace sotto::simulation
