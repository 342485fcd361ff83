// Attacks by name (docs/secure-aggregation-tests.md) that no other test makes: at the edges of the
// complete graph, in masks, and against lengths.
#include "tests/common/secagg/round_fixture.h"
#include "tests/common/wire/samples.h"
#include "tests/coordinator/protocol/round_play.h"

namespace sotto {
namespace {

using coordinator::Play;
using secagg::all_of;
using secagg::TestRound;
using secagg::without;
using wire::RoundStatus;

// ---- small and large cohorts

TEST(SecAggAdversary, N2RefusedByDefault) {
  EXPECT_FALSE(secagg::complete_graph_thresholds(2, 1).ok());
  // Two honest thirds of a roster, and a coordinator that offers a cohort of two of them.
  TestRound round(3);
  const std::vector<secagg::CohortMember> two(round.roster.begin(), round.roster.begin() + 2);
  round.header.n = 2;
  round.header.C = 0;
  round.header.k = 1;
  round.header.t = round.header.Q = round.header.s_min = 2;
  round.header.cohort_hash = secagg::Cohort(two).hash();
  wire::Offer offer = round.offer();
  offer.cohort = wire::to_bitmap(3, {0, 1});
  secagg::sign_offer(round.coordinator, offer);
  auto rules = round.rules();
  const auto checked = [&] {
    return secagg::check_offer(offer, round.coordinator.verify_key(), round.roster, round.id(0),
                               rules);
  };
  secagg::expect_refused(checked(),
                         "a cohort of 2; this site takes part only in cohorts of at least 3");
  rules.min_cohort = 2;  // somebody to protect against is demanded all the same
  rules.min_colluders = 1;
  secagg::expect_refused(checked(), "protection against 0 colluding members");
}

/// n = 3, t = 2, and one member is gone after the certificate: the two answers hold two shares of
/// each secret only because each dealer kept one for itself.
TEST(SecAggAdversary, SelfShareCounts) {
  TestRound round(3);
  round.until_uploaded();
  round.endorse(all_of(3), all_of(3));
  const auto certificate = round.request(all_of(3), all_of(3), all_of(3));
  std::vector<wire::UnmaskResponse> answers;
  for (std::uint32_t i : {0U, 2U})
    answers.push_back(round.clients[i].unmask(certificate).value());
  const auto opened = round.open(all_of(3), all_of(3), answers);
  const auto plain = round.plain_sum(all_of(3));
  for (std::size_t lane = 0; lane < plain.size(); ++lane)
    EXPECT_EQ(opened[lane].words(), plain[lane].words()) << lane;
}

/// C = 21: Q = 43, t = 33. 21 members upload nothing; of the 43 that are left 10 never answer.
TEST(SecAggAdversary, DropoutAtUploadAndUnmaskAtBoundN64) {
  constexpr std::uint32_t kMembers = 64;
  TestRound round(kMembers, 21);
  ASSERT_EQ(round.header.Q, 43U);
  ASSERT_EQ(round.header.t, 33U);
  round.until_fixed();
  secagg::IndexSet survivors;
  for (std::uint32_t i = 0; i < kMembers; ++i)
    if (i % 3 != 1) survivors.push_back(i);
  ASSERT_EQ(survivors.size(), 43U);
  round.upload(survivors);
  round.endorse(all_of(kMembers), survivors);
  const auto certificate = round.request(all_of(kMembers), survivors, survivors);
  std::vector<wire::UnmaskResponse> answers;
  for (std::size_t i = 10; i < survivors.size(); ++i)
    answers.push_back(round.clients[survivors[i]].unmask(certificate).value());
  ASSERT_EQ(answers.size(), 33U);
  const auto opened = round.open(all_of(kMembers), survivors, answers);
  const auto plain = round.plain_sum(survivors);
  for (std::size_t lane = 0; lane < plain.size(); ++lane)
    EXPECT_EQ(opened[lane].words(), plain[lane].words()) << lane;
  // One more gone before the certificate: nobody endorses.
  round.join();
  round.until_fixed();
  round.upload(survivors);
  secagg::expect_refused(round.clients[survivors[1]].endorse(
                             round.survivors(all_of(kMembers), without(survivors, survivors[0]))),
                         "42 members, at least 43");
}

/// The victim uploaded, the coordinator calls it a dropout. What the others then reveal takes its
/// masks against them off, and its own mask stays on.
TEST(SecAggAdversary, FalseDropoutIsolatesVictim) {
  TestRound round(4);
  round.until_uploaded();
  const secagg::IndexSet others = {1, 2, 3};
  round.endorse(all_of(4), others);
  const auto certificate = round.request(all_of(4), others, others);
  for (std::uint32_t i : others) {
    const auto m9 = round.clients[i].unmask(certificate).value();
    EXPECT_EQ(m9.shares[0].dealer, round.id(0));
    EXPECT_EQ(m9.shares[0].kind, wire::ShareKind::kMaskKey);
    EXPECT_EQ(std::ranges::count(m9.shares, wire::ShareKind::kSelfMask, &wire::RevealedShare::kind),
              3);
  }
  // No second set with the victim in it, by anybody who endorsed the first.
  for (std::uint32_t i : others)
    secagg::expect_refused(round.clients[i].endorse(round.survivors(all_of(4), all_of(4))),
                           "another S was endorsed");
}

// ---- masks that are not what was agreed

/// What the coordinator makes of member 1's upload being `wrong`, well signed.
RoundStatus status_with(Play& play, const Bytes& wrong) {
  const secagg::IndexSet all = {0, 1, 2, 3};
  const auto header = play.members.upload_header(1, all, wrong);
  play.mute(1, "UploadHeader");
  play.mute(1, "BlobData");
  play.start();
  play.say(1, header);
  for (std::uint64_t offset = 0; offset < wrong.size(); offset += 64) {
    const auto length =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(64, wrong.size() - offset));
    play.say(1, wire::answer({header.hash_y, offset, length}, wrong).value());
  }
  return play.outcome ? play.outcome->status : RoundStatus::kDone;
}

/// Member 1's upload with the given seeds changed.
template <class Change>
Bytes masked_with(const Play& play, encoding::RingUpdate update, const Change& change) {
  const auto& members = play.members;
  std::vector<secagg::MaskSeed> seeds;
  seeds.push_back({secagg::MaskSeed::Kind::kSelf, members.members[1].b.clone(),
                   members.members[1].id, crypto::MaskSign::kAdd});
  const auto own =
      secagg::mask_agreement_key(members.members[1].r, members.h, members.members[1].id);
  for (std::uint32_t j : {0U, 2U, 3U}) {
    const Bytes context = secagg::pair_context(members.h, members.members[std::min(1U, j)].m1,
                                               members.members[std::max(1U, j)].m1);
    seeds.push_back({secagg::MaskSeed::Kind::kPair,
                     secagg::pair_secret(own, members.members[j].m1.pk_mask, {}, context).value(),
                     {},
                     1 < j ? crypto::MaskSign::kAdd : crypto::MaskSign::kSubtract});
  }
  change(seeds);
  secagg::apply_masks(update.lanes, members.h, seeds, 1);
  return update.pack();
}

TEST(SecAggAdversary, WrongMaskSign) {
  Play honest(4, 1);
  const Bytes right = masked_with(honest, honest.members.input(1), [](auto&) {});
  EXPECT_EQ(right, honest.members.masked_input(1, {0, 1, 2, 3}));
  EXPECT_EQ(status_with(honest, right), RoundStatus::kDone);
  Play liar(4, 1);
  EXPECT_EQ(status_with(liar, masked_with(liar, liar.members.input(1),
                                          [](auto& seeds) {
                                            seeds[2].sign = crypto::MaskSign::kSubtract;
                                          })),
            RoundStatus::kLost);
}

TEST(SecAggAdversary, WrongMaskLane) {
  Play liar(4, 1);
  // The update under the masks of the check lane, whose words have the same ring.
  encoding::RingUpdate update = liar.members.input(1);
  encoding::LaneSpec other = update.lanes[0].spec();
  other.kind = encoding::LaneKind::kCheck;
  encoding::RingVector moved(other);
  moved.words() = update.lanes[0].words();
  update.lanes[0] = std::move(moved);
  EXPECT_EQ(status_with(liar, masked_with(liar, std::move(update), [](auto&) {})),
            RoundStatus::kLost);
}

TEST(SecAggAdversary, CountWord2) {
  Play liar(4, 1);
  encoding::RingUpdate update = liar.members.input(1);
  update.lanes[1].set(0, 2);
  EXPECT_EQ(status_with(liar, masked_with(liar, std::move(update), [](auto&) {})),
            RoundStatus::kLost);
}

// ---- lengths

TEST(SecAggAdversary, LengthOverflow2To32And2To64) {
  constexpr std::size_t kLengthAt = 16;
  for (const wire::Message& message : wire::samples::all()) {
    const Bytes frame = wire::encode(MemberId{2}, RoundNumber::of(1, 0), message);
    ASSERT_TRUE(wire::decode(frame).ok());
    for (const std::size_t high_byte : {4U, 5U, 6U, 7U}) {  // + 2^32 and more
      Bytes longer = frame;
      longer[kLengthAt + high_byte] = 1;
      EXPECT_FALSE(wire::decode(longer).ok()) << wire::name_of(message);
    }
    Bytes all_ones = frame;
    std::fill_n(all_ones.begin() + kLengthAt, 8, std::uint8_t{0xff});
    EXPECT_FALSE(wire::decode(all_ones).ok()) << wire::name_of(message);
    // The length that makes head and body wrap to the size of the frame.
    Bytes wrapping = frame;
    const std::uint64_t wraps = 0 - std::uint64_t{wire::kFrameHeaderBytes};
    for (std::size_t i = 0; i < 8; ++i)
      wrapping[kLengthAt + i] = static_cast<std::uint8_t>(wraps >> (8 * i));
    EXPECT_FALSE(wire::decode(BytesView(wrapping).first(wire::kFrameHeaderBytes)).ok());
    EXPECT_FALSE(wire::decode(wrapping).ok()) << wire::name_of(message);
  }
}

}  // namespace
}  // namespace sotto
