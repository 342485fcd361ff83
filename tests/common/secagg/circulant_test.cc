// A round on the circulant graph: exact sums, dropouts up to the bounds, and what a lying
// coordinator is refused (docs/secure-aggregation.md, 2.3 to 2.7).
#include <algorithm>

#include "common/secagg/shared/abort.h"
#include "tests/common/secagg/sparse_round.h"

namespace sotto::secagg {
namespace {

using Kind = MessageResult::Kind;

void expect_error(const Status& status, const std::string& why) {
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find(why), std::string::npos) << status.error().message;
}

template <class T>
void expect_refused(const Result<T>& result, const std::string& why) {
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().message.find(why), std::string::npos) << result.error().message;
}

/// Every 16th member from `first` on. The four classes 0, 4, 8, 12 together leave one gap in each
/// window of k/2 = 4: the bound q of these rounds.
IndexSet every_16th(std::uint32_t n, std::uint32_t first) {
  IndexSet out;
  for (std::uint32_t i = first; i < n; i += 16)
    out.push_back(i);
  return out;
}

IndexSet minus(const IndexSet& set, const IndexSet& gone) {
  IndexSet out;
  std::ranges::set_difference(set, gone, std::back_inserter(out));
  return out;
}

/// Two of three members of a set: enough answers, at t = 3, for every secret.
IndexSet two_of_three(const IndexSet& set) {
  IndexSet out;
  for (std::size_t i = 0; i < set.size(); ++i)
    if (i % 3 != 2) out.push_back(set[i]);
  return out;
}

void until_u2(SparseRound& round) {
  ASSERT_TRUE(round.advertise(round.all()).ok());
  ASSERT_TRUE(round.deal(round.all()).ok());
  ASSERT_TRUE(round.check(round.all()).ok());
}

// ---- dropouts, n = 300

struct CirculantDropouts : ::testing::Test {
  SparseRound round{{.n = 300, .C = 1, .k = 8, .t = 3, .q = 1}};
};

TEST_F(CirculantDropouts, DropoutAtAdvertiseSharesAfterU2AndUploadAtBound) {
  IndexSet present = minus(round.all(), every_16th(300, 0));
  ASSERT_TRUE(round.advertise(present).ok());
  present = minus(present, every_16th(300, 4));
  ASSERT_TRUE(round.deal(present).ok());
  present = minus(present, every_16th(300, 8));
  ASSERT_TRUE(round.check(present).ok());
  const IndexSet gone = every_16th(300, 12);  // without an upload, after their masks are fixed
  present = minus(present, gone);
  ASSERT_EQ(present.size(), 225U);
  ASSERT_TRUE(round.upload(present).ok());
  round.endorse(present);
  round.unmask(two_of_three(present));
  auto job = round.server->open();
  ASSERT_TRUE(job.ok()) << job.error().message;
  // Own masks of the survivors; of each dropout only the masks with the 6 neighbours that survived.
  EXPECT_EQ(job->seeds.size(), 225U + 6U * gone.size());
  round.expect_exact_sum();
}

TEST_F(CirculantDropouts, DropoutAtUploadBoundPlusOneIsATypedError) {
  until_u2(round);
  for (std::uint32_t i : round.but({0, 2}))  // two in a window
    round.upload_one(i);
  expect_error(round.server->fix_s(), "window of the ring");
}

TEST_F(CirculantDropouts, DropoutAtEndorseAndUnmaskAtBoundAndBoundPlusOne) {
  until_u2(round);
  ASSERT_TRUE(round.upload(round.all()).ok());
  const IndexSet all = round.all();
  const std::uint32_t quorum = round.header.Q;
  round.endorse({all.begin(), all.begin() + quorum - 1});
  EXPECT_FALSE(round.server->has_quorum());
  round.endorse({all.begin() + quorum - 1, all.end()});
  EXPECT_TRUE(round.server->has_quorum());
  // The holders of member 4's secrets are 0 to 3 and 5 to 8: two answer, then a third.
  round.unmask(two_of_three(round.but({0, 1, 2, 3, 4, 5, 6, 7, 8})));
  round.unmask({7, 8});
  EXPECT_FALSE(round.server->can_open());
  round.unmask({6, 0, 1, 2, 3});
  round.expect_exact_sum();
}

TEST_F(CirculantDropouts, DropoutBelowTheQuorumCancels) {
  IndexSet gone;
  for (std::uint32_t i = 0; i < 150; ++i)
    gone.push_back(i);
  expect_error(round.advertise(round.but(gone)), "only 150 of 300");
}

TEST(Circulant, DropoutAtUploadNoneAndOne) {
  for (const IndexSet& gone : {IndexSet{}, IndexSet{0}, IndexSet{39}, IndexSet{17}}) {
    SparseRound round({.n = 40, .C = 2, .k = 6, .t = 3, .q = 1}, 1 + gone.size());
    until_u2(round);
    ASSERT_TRUE(round.upload(round.but(gone)).ok());
    round.endorse(round.server->s());
    round.unmask(round.server->s());
    round.expect_exact_sum();
  }
}

// ---- rules about U2 and the messages

TEST(Circulant, MembersShortOfHoldersLeaveU2UntilNobodyIs) {
  SparseRound round({.n = 24, .C = 1, .k = 8, .t = 4, .q = 3});
  // 0 keeps the holders 3, 20, 21 and leaves; then 3 keeps only 5, 6, 7 and leaves too.
  const IndexSet gone{1, 2, 4, 22, 23};
  ASSERT_TRUE(round.advertise(round.all()).ok());
  ASSERT_TRUE(round.deal(round.all()).ok());
  ASSERT_TRUE(round.check(round.but(gone)).ok());
  EXPECT_EQ(round.server->u2(), round.but({0, 1, 2, 3, 4, 22, 23}));
}

TEST(Circulant, MessagesCarryOnlyWhatConcernsTheNeighbours) {
  SparseRound round({.n = 24, .C = 1, .k = 4, .t = 2, .q = 1});
  ASSERT_TRUE(round.advertise(round.but({5})).ok());
  EXPECT_EQ(round.server->key_list(round.id(6)).advertisements.size(), 3U);
  EXPECT_EQ(round.server->key_list(round.id(20)).advertisements.size(), 4U);
  ASSERT_TRUE(round.deal(round.but({5})).ok());
  EXPECT_EQ(round.server->share_forward(round.id(6)).entries.size(), 3U);
  ASSERT_TRUE(round.check(round.but({5})).ok());
  ASSERT_TRUE(round.upload(round.but({5, 12})).ok());
  round.endorse(round.server->s());
  EXPECT_EQ(round.server->unmask_request(round.id(13)).headers.size(), 3U);
  const auto m9 = round.clients[13].unmask(round.server->unmask_request(round.id(13)));
  ASSERT_TRUE(m9.ok());
  std::vector<MemberId> dealers;
  for (const auto& share : m9->shares) {
    dealers.push_back(share.dealer);
    EXPECT_EQ(share.kind, share.dealer == round.id(12) ? wire::ShareKind::kMaskKey
                                                       : wire::ShareKind::kSelfMask);
  }
  EXPECT_EQ(dealers, (std::vector{round.id(11), round.id(12), round.id(14), round.id(15)}));
}

TEST(Circulant, AShareOfADealerThatGaveNoneIsRefused) {
  SparseRound round({.n = 24, .C = 1, .k = 4, .t = 2, .q = 1});
  until_u2(round);
  ASSERT_TRUE(round.upload(round.all()).ok());
  round.endorse(round.all());
  auto m9 = round.clients[3].unmask(round.server->unmask_request(round.id(3))).value();
  m9.shares.back().dealer = round.id(9);
  sign_unmask_response(round.keys[3], header_hash(round.header), m9);
  EXPECT_EQ(round.server->accept(m9).reason, "M9: a share of a dealer that gave it none");
}

TEST(Circulant, AComplaintAboutANonMemberIsRefused) {
  SparseRound round({.n = 24, .C = 1, .k = 4, .t = 2, .q = 1});
  ASSERT_TRUE(round.advertise(round.all()).ok());
  ASSERT_TRUE(round.deal(round.all()).ok());
  auto m4a = round.clients[3].check_shares(round.server->share_forward(round.id(3))).value();
  m4a.bad_dealers = wire::to_bitmap(24, {9});
  sign_share_check(round.keys[3], header_hash(round.header), m4a);
  EXPECT_EQ(round.server->accept(m4a).kind, Kind::kRejected);
}

TEST(Circulant, FewerThanTHoldersOfMyOwnMeansToLeave) {
  SparseRound round({.n = 24, .C = 1, .k = 4, .t = 3, .q = 2});
  ASSERT_TRUE(round.advertise(round.but({4, 5})).ok());
  expect_refused(round.clients[6].deal(round.server->key_list(round.id(6)), round.random),
                 "fewer than t holders");
  EXPECT_TRUE(round.clients[12].deal(round.server->key_list(round.id(12)), round.random).ok());
}

TEST(Circulant, AnotherOrderThanThatOfTheHeaderStopsAtM2) {
  SparseRound round({.n = 24, .C = 1, .k = 4, .t = 2, .q = 1});
  std::vector<CohortMember> swapped = round.cohort->members();
  std::swap(swapped[3], swapped[11]);
  Server liar(round.header, Cohort::on_ring(swapped), round.coordinator);
  for (Client& client : round.clients)
    ASSERT_EQ(liar.accept(client.advertise()).kind, Kind::kAccepted);
  ASSERT_TRUE(liar.fix_u1().ok());
  expect_refused(round.clients[2].deal(liar.key_list(round.id(2)), round.random),
                 "not U1 in order");
}

// ---- rules about S

struct CirculantSurvivors : ::testing::Test {
  SparseRound round{{.n = 40, .C = 1, .k = 8, .t = 5, .q = 2}};

  void until_uploaded() {
    until_u2(round);
    for (std::uint32_t i : round.all())
      round.upload_one(i);
  }

  /// What a coordinator could announce, whoever uploaded.
  [[nodiscard]] wire::Survivors claim(const IndexSet& s) const {
    const wire::Bitmap u2 = wire::to_bitmap(round.header.n, round.server->u2());
    wire::Survivors m6{.d_u2 = digest_u2(header_hash(round.header), u2),
                       .s = wire::to_bitmap(round.header.n, s),
                       .signature = {}};
    sign_survivors(round.coordinator, header_hash(round.header), m6);
    return m6;
  }
};

TEST_F(CirculantSurvivors, WindowRuleViolation) {
  until_uploaded();
  // Three of the four places 10 to 13, while everybody keeps five holders. Far away they see it
  // too.
  expect_refused(round.clients[30].endorse(claim(round.but({10, 11, 13}))), "window");
  EXPECT_TRUE(round.clients[30].endorse(claim(round.but({10, 11}))).ok());
}

TEST_F(CirculantSurvivors, NeighbourRuleViolation) {
  until_uploaded();
  // Two in every window, but 12 keeps only the holders 10, 11, 13, 14.
  expect_refused(round.clients[30].endorse(claim(round.but({8, 9, 15, 16}))), "fewer than t");
  EXPECT_TRUE(round.clients[30].endorse(claim(round.but({8, 9, 15}))).ok());
}

TEST_F(CirculantSurvivors, FalseDropoutIsolatesVictim) {
  until_uploaded();
  const IndexSet without_neighbours = round.but({16, 17, 18, 19, 21, 22, 23, 24});
  for (std::uint32_t member : {0U, 12U, 20U, 30U})  // the victim is 20
    EXPECT_FALSE(round.clients[member].endorse(claim(without_neighbours)).ok());
}

TEST_F(CirculantSurvivors, TwoRunsThatSplitTheSumAreRefused) {
  until_uploaded();
  const IndexSet split = round.but({5, 6, 7, 8, 25, 26, 27, 28});
  for (std::uint32_t member : {0U, 15U})
    EXPECT_FALSE(round.clients[member].endorse(claim(split)).ok());
}

TEST_F(CirculantSurvivors, UploadHeadersAreThoseOfTheNeighboursInS) {
  until_uploaded();
  ASSERT_TRUE(round.server->fix_s().ok());
  round.endorse(round.all());
  const wire::UnmaskRequest honest = round.server->unmask_request(round.id(3));
  ASSERT_EQ(honest.headers.size(), 8U);
  wire::UnmaskRequest changed = honest;
  changed.headers.pop_back();  // missing_upload_header
  expect_refused(round.clients[3].unmask(changed), "upload header");
  changed = round.server->unmask_request(round.id(4));
  expect_refused(round.clients[3].unmask(changed), "not S in order");
  EXPECT_TRUE(round.clients[3].unmask(honest).ok());
}

TEST_F(CirculantSurvivors, TheServerRefusesAnSWithAMemberShortOfHolders) {
  until_u2(round);
  expect_error(round.upload(round.but({8, 9, 15, 16})), "fewer than t holders");
}

// ---- a committee of witnesses: the first 16 on the ring, of whom 11 make a certificate

struct CirculantWitnesses : ::testing::Test {
  void SetUp() override {
    until_u2(round);
    for (std::uint32_t i : round.all())
      round.upload_one(i);
  }

  SparseRound round{{.n = 48, .C = 1, .k = 8, .t = 3, .q = 4, .Q = 11, .witnesses = 16}};
  IndexSet committee{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
};

TEST_F(CirculantWitnesses, AloneMakeTheCertificateAndEverybodyAnswersIt) {
  ASSERT_TRUE(round.server->fix_s().ok());
  const IndexSet others = minus(round.all(), committee);
  round.endorse(others);
  EXPECT_FALSE(round.server->has_quorum()) << "32 endorsements, none of a witness";
  round.endorse({0, 2, 4, 6, 8, 10, 11, 12, 13, 14});
  EXPECT_FALSE(round.server->has_quorum());
  round.endorse({15});
  ASSERT_TRUE(round.server->has_quorum());
  const auto m8 = round.server->unmask_request(round.id(40));
  EXPECT_EQ(m8.certificate.size(), 11U);
  for (const wire::Endorse& m7 : m8.certificate)
    EXPECT_LT(*round.cohort->index_of(m7.id), 16U);
  round.endorse({1, 3, 5, 7, 9});
  EXPECT_EQ(round.server->unmask_request(round.id(40)), m8) << "M8 never changes";
  round.unmask(round.all());
  round.expect_exact_sum();
}

TEST_F(CirculantWitnesses, ACertificateWithAnybodyElseIsRefused) {
  ASSERT_TRUE(round.server->fix_s().ok());
  round.endorse(round.all());
  auto m8 = round.server->unmask_request(round.id(40));
  wire::Endorse other{.id = round.id(16), .signature = {}};
  sign_endorse(round.keys[16], round.server->h(), m8.d_u2, m8.d_s, other);
  m8.certificate.push_back(other);
  expect_refused(round.clients[40].unmask(m8), "no witness");
  m8.certificate.pop_back();
  m8.certificate.pop_back();
  expect_refused(round.clients[40].unmask(m8), "10 endorsements, 11 are needed");
}

TEST(Circulant, FewerThanAQuorumOfWitnessesIsNoS) {
  SparseRound round{{.n = 48, .C = 1, .k = 8, .t = 3, .q = 4, .Q = 16, .witnesses = 16}};
  until_u2(round);
  for (std::uint32_t i : round.but({3}))
    round.upload_one(i);
  expect_error(round.server->fix_s(), "only 15 witnesses uploaded");
}

TEST(Circulant, WitnessesAloneAbort) {
  SparseRound round{{.n = 48, .C = 1, .k = 8, .t = 3, .q = 4, .Q = 2, .witnesses = 3}};
  const AbortRules rules{.h = round.server->h(), .Q = 2, .witnesses = 3, .cohort = *round.cohort};
  AbortBallot ballot(rules);
  const auto vote_of = [&](std::uint32_t i) {
    wire::AbortVote vote{.id = round.id(i), .signature = {}};
    sign_abort_vote(round.keys[i], rules.h, vote);
    return vote;
  };
  EXPECT_EQ(ballot.accept(vote_of(3)).kind, Kind::kIgnored);
  EXPECT_EQ(ballot.accept(vote_of(2)).kind, Kind::kAccepted);
  EXPECT_FALSE(ballot.has_quorum());
  EXPECT_EQ(ballot.accept(vote_of(0)).kind, Kind::kAccepted);
  ASSERT_TRUE(ballot.has_quorum());
  auto m8 = ballot.certificate();
  EXPECT_TRUE(check_abort_certificate(m8, rules, 2).ok());
  m8.votes[1] = vote_of(3);
  expect_error(check_abort_certificate(m8, rules, 2), "not a witness");
}

// ---- evidence

struct CirculantEvidence : ::testing::Test {
  void SetUp() override {
    ASSERT_TRUE(round.advertise(round.all()).ok());
    for (std::uint32_t i : round.all()) {
      dealt.push_back(
          round.clients[i].deal(round.server->key_list(round.id(i)), round.random).value());
      round.accept(dealt.back());
    }
    ASSERT_TRUE(round.server->fix_v().ok());
    ASSERT_TRUE(round.check(round.all()).ok());
    ASSERT_TRUE(round.upload(round.all()).ok());
    round.endorse(round.all());
  }

  /// It convicts, also after a journey through its bytes, and no longer on another ring.
  void proves_violation(const Evidence& evidence, MemberId offender) const {
    const auto read = parse_evidence(encode_evidence(evidence));
    ASSERT_TRUE(read.ok()) << read.error().message;
    const auto found = check_evidence(*read, known);
    ASSERT_TRUE(found.ok()) << found.error().message;
    EXPECT_EQ(found->offender, offender);
    Evidence other = evidence;
    std::swap(other.cohort[0], other.cohort[1]);
    EXPECT_FALSE(check_evidence(other, known).ok());
    other.cohort[0] = other.cohort[1];
    EXPECT_FALSE(check_evidence(other, known).ok());
  }

  SparseRound round{{.n = 48, .C = 1, .k = 8, .t = 5, .q = 1}};
  std::vector<wire::Shares> dealt;
  EvidenceRoster known = round.evidence_roster();
};

TEST_F(CirculantEvidence, AWrongShareIsEvidenceAgainstItsHolder) {
  auto m9 = round.clients[7].unmask(round.server->unmask_request(round.id(7))).value();
  m9.shares[3].share[1] ^= 1;
  sign_unmask_response(round.keys[7], round.server->h(), m9);
  EXPECT_EQ(round.server->accept(m9).kind, Kind::kRejected);
  const auto found = round.server->evidence_against(round.id(7), m9);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].kind, EvidenceKind::kWrongShare);
  proves_violation(found[0], round.id(7));
}

TEST_F(CirculantEvidence, SharesThatDoNotGiveWhatTheM1CommittedToAreEvidenceAgainstTheDealer) {
  constexpr std::uint32_t kDealer = 20;
  auto m1 = round.clients[kDealer].advertise();
  Evidence evidence{.kind = EvidenceKind::kInconsistentDealer,
                    .header = round.header,
                    .cohort = round.cohort->ids(),
                    .messages = {m1}};
  for (std::uint32_t holder : {16U, 17U, 19U, 21U, 24U}) {
    const auto entry =
        std::ranges::find(dealt[kDealer].entries, round.id(holder), &wire::ShareEntry::to);
    evidence.messages.emplace_back(wire::Shares{round.id(kDealer), {*entry}});
    evidence.messages.emplace_back(
        round.clients[holder].unmask(round.server->unmask_request(round.id(holder))).value());
  }
  EXPECT_FALSE(check_evidence(evidence, known).ok()) << "they give it";
  ++m1.cm_b[0];
  sign_advertise(round.keys[kDealer], round.server->h(), m1);
  evidence.messages[0] = m1;
  proves_violation(evidence, round.id(kDealer));
}

}  // namespace
}  // namespace sotto::secagg
