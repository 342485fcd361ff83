// A site's policy states how many members a sum that it takes part in has at the least
// (docs/secure-aggregation.md, 2.4, "Least sums"). Production participants meet a coordinator that
// ignores that number, and one that hides uploads.
#include <gtest/gtest.h>

#include "common/job/participant_privacy.h"
#include "common/secagg/shared/transcript.h"
#include "common/wire/codec.h"
#include "tests/federation/federation.h"

namespace sotto::simulation {
namespace {

using wire::RoundStatus;

constexpr std::uint32_t kSites = 10;
constexpr std::uint64_t kClosing = 3;

/// Ten sites that take part in sums of ten.
FederationConfig ten(std::vector<std::string> overrides = {}) {
  overrides.insert(overrides.end(),
                   {"rounds.attempts_per_round=5", "rounds.min_available_participants=10"});
  return {.members = kSites, .job = small_job(overrides), .min_cohort = kSites};
}

std::uint32_t advertised(Federation& federation, RoundNumber round) {
  std::uint32_t count = 0;
  for (std::uint32_t id = 1; id <= kSites; ++id)
    count += federation.checker().advertised(MemberId{id}, round) ? 1U : 0U;
  return count;
}

/// Announces six of ten uploads as the survivors, which is as many as a certificate needs.
wire::Survivors six_survivors(const crypto::SigningKey& key, const wire::RoundHeader& header) {
  const Bytes32 h = secagg::header_hash(header);
  const auto u2 = wire::to_bitmap(kSites, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  wire::Survivors m6{.d_u2 = secagg::digest_u2(h, u2),
                     .s = wire::to_bitmap(kSites, {0, 1, 2, 3, 4, 5}),
                     .signature = {}};
  secagg::sign_survivors(key, h, m6);
  return m6;
}

std::uint32_t endorsed(Federation& federation, RoundNumber round) {
  std::uint32_t count = 0;
  for (std::uint32_t id = 1; id <= kSites; ++id)
    count += federation.checker().endorsed(MemberId{id}, round) ? 1U : 0U;
  return count;
}

/// Three attempts from `smaller` on: its header permits the least sums that the job does, the next
/// one has ten in its header, four of its uploads are hidden and the other six are announced as the
/// survivors, and the last one is honest.
void expect_sums_of_ten(const FederationConfig& config, RoundNumber smaller) {
  Federation federation(config);
  const std::uint64_t server_round = smaller.server_round();
  const std::uint16_t attempt = smaller.attempt();
  const RoundNumber hiding = RoundNumber::of(server_round, static_cast<std::uint16_t>(attempt + 1));
  const RoundNumber whole = RoundNumber::of(server_round, static_cast<std::uint16_t>(attempt + 2));
  federation.interception.to_member = [&](MemberId, RoundNumber round, wire::Message message) {
    if (auto* m0 = std::get_if<wire::Offer>(&message); m0 && round == smaller) {
      EXPECT_EQ(m0->header.s_min, kSites) << "an honest coordinator keeps to the policies";
      m0->header.s_min =
          job::own_s_min(federation.job(), {.n = m0->header.n, .C = m0->header.C}).value();
      EXPECT_LT(m0->header.s_min, kSites);
      secagg::sign_offer(federation.coordinator_key(), *m0);
    }
    if (std::holds_alternative<wire::AbortRequest>(message) && round == hiding) {
      const wire::RoundHeader header = federation.checker().header(hiding).value();
      return Messages{six_survivors(federation.coordinator_key(), header), std::move(message)};
    }
    return Messages{std::move(message)};
  };
  federation.interception.to_coordinator = [&](MemberId from, RoundNumber round,
                                               wire::Message message) {
    const bool earlier = round.server_round() == server_round && round < smaller;
    if (earlier && std::holds_alternative<wire::UnmaskResponse>(message)) return Messages{};
    const bool hidden = round == hiding && raw(from) > 6;
    if (hidden && std::holds_alternative<wire::UploadHeader>(message)) return Messages{};
    return Messages{std::move(message)};
  };
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  EXPECT_EQ(federation.exit_code(), 0) << federation.report();
  Checker& checker = federation.checker();
  EXPECT_EQ(advertised(federation, smaller), 0U) << "took part in sums of fewer than ten";
  EXPECT_EQ(advertised(federation, hiding), kSites);
  EXPECT_EQ(endorsed(federation, hiding), 0U) << "endorsed a sum of fewer than ten";
  EXPECT_EQ(checker.status(hiding), RoundStatus::kAborted) << federation.report();
  EXPECT_EQ(checker.shares_revealed(hiding), 0U);
  EXPECT_EQ(checker.status(whole), RoundStatus::kDone) << federation.report();
  EXPECT_EQ(checker.survivors(whole).size(), kSites);
}

TEST(LeastSum, BoundsTheSumOfATrainingRound) {
  expect_sums_of_ten(ten(), RoundNumber::of(1, 0));
}

/// The answers to the first certificate are hidden, so the next attempts ask for no counters.
TEST(LeastSum, BoundsTheSumOfAnAttemptWithoutCounters) {
  expect_sums_of_ten(ten(), RoundNumber::of(1, 1));
}

TEST(LeastSum, BoundsTheSumOfTheClosingEvaluation) {
  expect_sums_of_ten(ten(), RoundNumber::of(kClosing, 0));
}

TEST(LeastSum, BoundsASumWithNoise) {
  expect_sums_of_ten(
      ten({"distributed_privacy.enabled=true", "distributed_privacy.noise_multiplier=0.5"}),
      RoundNumber::of(1, 0));
}

/// Five sites accept a job with rounds of five. The coordinator works with one that permits rounds
/// of three, takes the replies for replies to that one, and offers a round of four. Returns how
/// many advertise their keys.
std::uint32_t advertised_in_a_round_of_four(std::uint32_t min_cohort) {
  Federation federation(
      {.members = 5, .job = small_job({"rounds.attempts_per_round=1"}), .min_cohort = min_cohort});
  const config::JobConfig offered = small_job({"rounds.min_available_participants=5"});
  federation.interception.to_coordinator = [&](MemberId from, RoundNumber, wire::Message message) {
    if (from == MemberId{5}) return Messages{};
    if (auto* reply = std::get_if<wire::JobReply>(&message)) {
      EXPECT_EQ(reply->answer, wire::JobAnswer::kAccept) << reply->reason;
      reply->job_hash = federation.job().hash;
      reply->least_sum = 3;
      secagg::sign_job_reply(federation.key_of(from), *reply);
    }
    return Messages{std::move(message)};
  };
  federation.interception.to_member = [&](MemberId, RoundNumber, wire::Message message) {
    if (auto* job = std::get_if<wire::JobOffer>(&message)) {
      job->job = offered.canonical;
      secagg::sign_job_offer(federation.coordinator_key(), *job);
    }
    if (auto* m0 = std::get_if<wire::Offer>(&message)) {
      EXPECT_EQ(m0->header.n, 4U);
      m0->header.config_hash = offered.hash;
      m0->header.s_min = 4;
      secagg::sign_offer(federation.coordinator_key(), *m0);
    }
    return Messages{std::move(message)};
  };
  EXPECT_TRUE(federation.run()) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  EXPECT_EQ(federation.offers(MemberId{1}), 1U);
  return advertised(federation, RoundNumber::of(1, 0));
}

TEST(LeastSum, ACohortThatIsTooSmallForItIsNotJoined) {
  EXPECT_EQ(advertised_in_a_round_of_four(4), 4U) << "the offer itself is one to join";
  EXPECT_EQ(advertised_in_a_round_of_four(5), 0U);
}

}  // namespace
}  // namespace sotto::simulation
