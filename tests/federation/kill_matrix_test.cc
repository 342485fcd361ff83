// Every persistence operation of both drivers is a point at which its process is killed: before it,
// during it and after it, with and without what was not synced. The run ends all the same without a
// lost attempt, every sum is exact, and nothing is released twice or without a charge. This holds
// for a plain run and for the parts that have files of their own: shared randomness, noise inside
// the sums and models that members make by themselves.
#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "common/privacy/accounting/rdp_accountant.h"
#include "tests/federation/federation.h"

namespace sotto::simulation {
namespace {

struct Point {
  When when;
  Loss loss;
};

using Points = std::vector<Point>;

const Points kAllPoints{{When::kBefore, Loss::kNothing},
                        {When::kDuring, Loss::kNothing},
                        {When::kAfter, Loss::kNothing},
                        {When::kBefore, Loss::kUnsynced},
                        {When::kAfter, Loss::kUnsynced}};

/// These points lose the most: a torn write, and power failures on both sides of an operation.
const Points kHardPoints{{When::kDuring, Loss::kNothing},
                         {When::kBefore, Loss::kUnsynced},
                         {When::kAfter, Loss::kUnsynced}};

enum class Kind : std::uint8_t { kPlain, kSharedRandomness, kNoise, kLineage };

std::string name(Kind kind) {
  constexpr const char* kNames[] = {"Plain", "SharedRandomness", "Noise", "Lineage"};
  return kNames[static_cast<std::size_t>(kind)];
}

FederationConfig config_of(Kind kind) {
  // A member can make a model by itself from the second round on.
  const bool two_rounds = kind == Kind::kPlain || kind == Kind::kLineage;
  std::vector<std::string> job{"rounds.num_server_rounds=" + std::to_string(two_rounds ? 2 : 1)};
  if (kind == Kind::kSharedRandomness) job.emplace_back("secure_aggregation.cohort_size=4");
  if (kind == Kind::kNoise)
    job.insert(job.end(),
               {"distributed_privacy.enabled=true", "distributed_privacy.noise_multiplier=2",
                "secure_aggregation.expected_dropout_percent=25"});
  if (kind == Kind::kLineage) job.emplace_back("secure_aggregation.model_lineage=true");
  FederationConfig config{.seed = 11, .members = 4, .job = small_job(job)};
  if (kind == Kind::kSharedRandomness) {
    config.members = 5;  // four are drawn for a round
    // Messages keep their order, as those of a connection do: a member that comes back is sent the
    // proof and the offer of a round one after the other, and ignores an offer without the proof.
    config.links = {.min_delay = Duration(10), .max_delay = Duration(10)};
  }
  return config;
}

std::uint64_t rounds_of(const Federation& federation) {
  return federation.job().rounds.num_server_rounds;
}

constexpr RoundNumber first_attempt(std::uint64_t server_round) {
  return RoundNumber::of(server_round, 0);
}

/// The member of the first sum that is in the most sums: where cohorts are drawn, a member is not
/// in all of them.
MemberId busiest_member(Federation& federation) {
  const auto sums = [&](MemberId member) {
    std::size_t count = 0;
    for (std::uint64_t round = 1; round <= rounds_of(federation) + 1; ++round)
      count += federation.checker().survivors(first_attempt(round)).contains(member) ? 1U : 0U;
    return count;
  };
  return *std::ranges::max_element(federation.checker().survivors(first_attempt(1)), {}, sums);
}

bool have_the_same_sums(Federation& one, Federation& other) {
  for (std::uint64_t round = 1; round <= rounds_of(one); ++round)
    if (one.checker().survivors(first_attempt(round)) !=
        other.checker().survivors(first_attempt(round)))
      return false;
  return true;
}

void expect_complete(Federation& killed) {
  ASSERT_TRUE(killed.run()) << killed.report();
  EXPECT_EQ(killed.exit_code(), 0) << killed.report();
  EXPECT_TRUE(killed.failures().empty()) << killed.report();
  EXPECT_EQ(killed.simulation().kills(), 1U);
  EXPECT_TRUE(std::filesystem::exists(killed.folder() / "model/model.safetensors"));
  EXPECT_EQ(killed.lines_with("has no sum"), 0U) << killed.report();
  for (const coordinator::RoundRecord& round : killed.rounds())
    EXPECT_EQ(round.attempt, 0U) << killed.report();
  for (std::uint64_t round = 1; round <= rounds_of(killed) + 1; ++round)
    EXPECT_FALSE(killed.checker().survivors(first_attempt(round)).empty()) << killed.report();
}

/// The trained updates that left the member, each of which may leave again after an abort.
std::set<Bytes32> released_by(Federation& federation, MemberId member) {
  std::set<Bytes32> inputs;
  for (std::uint64_t server_round = 1; server_round <= rounds_of(federation); ++server_round)
    for (std::uint16_t attempt = 0; attempt < 10; ++attempt) {
      const RoundNumber round = RoundNumber::of(server_round, attempt);
      if (federation.checker().uploaded(member, round))
        inputs.insert(federation.checker().encoding(member, round)->input);
    }
  return inputs;
}

/// The ledger of each member has a price for each update that left it.
void expect_paid(Federation& killed, Federation& undisturbed) {
  for (const config::RosterMember& member : killed.roster().members) {
    const auto charges = killed.charges(member.id);
    const auto released = static_cast<std::ptrdiff_t>(released_by(killed, member.id).size());
    EXPECT_GE(std::ranges::count_if(
                  charges,
                  [](const privacy::LedgerEntry& entry) { return entry.charge.without_privacy; }),
              released)
        << member.name;
    const auto noise = undisturbed.rounds().front().noise;
    if (!noise || released == 0) continue;
    privacy::NoisyRounds all = noise->round;
    all.rounds = static_cast<std::uint64_t>(released);
    privacy::RdpAccountant accountant;
    ASSERT_TRUE(accountant.add(all).ok());
    EXPECT_GE(charges.back().participant_epsilon_after * (1 + 1e-9), accountant.epsilon(1e-5))
        << member.name;
  }
}

/// The death of `victim` changes neither the members and sums of a round nor the work of the
/// others. A death before the members agree on shared randomness may give another one, which draws
/// other cohorts.
void expect_the_same(Federation& killed, Federation& undisturbed, MemberId victim) {
  if (killed.shared_randomness() != undisturbed.shared_randomness()) return;
  for (const config::RosterMember& member : killed.roster().members) {
    if (member.id == victim) continue;
    EXPECT_EQ(killed.trained(member.id), undisturbed.trained(member.id)) << member.name;
    EXPECT_EQ(killed.charges(member.id).size(), undisturbed.charges(member.id).size())
        << member.name;
  }
  const bool same_sums = have_the_same_sums(killed, undisturbed);
  EXPECT_TRUE(same_sums || victim != kCoordinatorId) << killed.report();
  const bool with_noise = undisturbed.rounds().front().noise.has_value();  // drawn in each run
  if (!same_sums || with_noise) return;
  EXPECT_LT(largest_difference(killed.model(), undisturbed.model()),
            static_cast<double>(rounds_of(killed)) * kRoundingStep);
}

/// Every member trained on the coordinator's model, wherever it got it from.
void expect_one_model(Federation& killed) {
  const std::uint64_t rounds = rounds_of(killed);
  const RoundNumber last = first_attempt(rounds);
  for (MemberId member : killed.checker().survivors(last))
    EXPECT_EQ(killed.trained_on(member, rounds), killed.checker().header(last)->model_hash)
        << raw(member);
}

/// The proofs of the shared randomness that the coordinator sends in a run are one proof.
class OneProof {
 public:
  explicit OneProof(Federation& federation) {
    federation.interception.to_member = [this](MemberId, RoundNumber, wire::Message message) {
      if (const auto* proof = std::get_if<wire::RandomnessProof>(&message)) {
        if (!proof_) proof_ = *proof;
        EXPECT_TRUE(*proof_ == *proof) << "members were sent two values";
      }
      return Messages{std::move(message)};
    };
  }

 private:
  std::optional<wire::RandomnessProof> proof_;
};

void kill_at(Kind kind, MemberId victim, const CrashPoint& point, Federation& undisturbed) {
  Federation killed(config_of(kind));
  const OneProof one_proof(killed);
  killed.storage(victim).crash_at(point);
  expect_complete(killed);
  expect_paid(killed, undisturbed);
  expect_the_same(killed, undisturbed, victim);
  expect_one_model(killed);
  if (::testing::Test::HasFailure())
    ADD_FAILURE() << "killed at operation " << point.operation << " ("
                  << killed.storage(victim).crashed_in() << ") when "
                  << static_cast<int>(point.when) << " loss " << static_cast<int>(point.loss);
}

/// Shard `shard` of `shards` of the matrix of one process.
void kill_everywhere(Kind kind, const std::function<MemberId(Federation&)>& victim_in,
                     std::uint64_t shard, std::uint64_t shards) {
  Federation undisturbed(config_of(kind));
  ASSERT_TRUE(undisturbed.run()) << undisturbed.report();
  ASSERT_TRUE(undisturbed.failures().empty()) << undisturbed.report();
  ASSERT_EQ(undisturbed.done_rounds(), rounds_of(undisturbed) + 1) << undisturbed.report();
  ASSERT_EQ(undisturbed.checker().sums(), rounds_of(undisturbed) + 1);
  ASSERT_EQ(undisturbed.shared_randomness().has_value(), kind == Kind::kSharedRandomness);
  ASSERT_EQ(undisturbed.rounds().front().noise.has_value(), kind == Kind::kNoise);
  const MemberId victim = victim_in(undisturbed);
  const std::uint64_t operations = undisturbed.storage(victim).operations();
  ::testing::Test::RecordProperty("operations", std::to_string(operations));
  EXPECT_GT(operations, 20U);
  for (std::uint64_t operation = shard; operation < operations; operation += shards)
    for (const Point& point : kind == Kind::kPlain ? kAllPoints : kHardPoints) {
      kill_at(kind, victim, {.operation = operation, .when = point.when, .loss = point.loss},
              undisturbed);
      if (::testing::Test::HasFailure()) return;
    }
}

constexpr std::uint64_t kShards = 4;

struct KillMatrix : ::testing::TestWithParam<std::tuple<Kind, std::uint64_t>> {
  Kind kind = std::get<0>(GetParam());
  std::uint64_t shard = std::get<1>(GetParam());
};

TEST_P(KillMatrix, ACoordinatorKilledAtAnyPersistenceOperationEndsItsRun) {
  kill_everywhere(
      kind, [](Federation&) { return kCoordinatorId; }, shard, kShards);
}

TEST_P(KillMatrix, AParticipantKilledAtAnyPersistenceOperationReleasesNothingTwice) {
  kill_everywhere(kind, busiest_member, shard, kShards);
}

INSTANTIATE_TEST_SUITE_P(Shards, KillMatrix,
                         ::testing::Combine(::testing::Values(Kind::kPlain, Kind::kSharedRandomness,
                                                              Kind::kNoise, Kind::kLineage),
                                            ::testing::Range<std::uint64_t>(0, kShards)),
                         [](const auto& param) {
                           return name(std::get<0>(param.param)) + "_" +
                                  std::to_string(std::get<1>(param.param));
                         });

TEST(FederationSimulation, TheSameSeedIsTheSameHistory) {
  FederationConfig config = config_of(Kind::kPlain);
  config.links = {.loss = 0.01,
                  .duplicate = 0.1,
                  .min_delay = Duration(1),
                  .max_delay = Duration(200),
                  .break_on_delivery = 0.005};
  config.kills_per_event = 0.01;
  config.kills_per_operation = 0.01;
  Federation one(config);
  Federation two(config);
  ASSERT_TRUE(one.run()) << one.report();
  ASSERT_TRUE(two.run()) << two.report();
  EXPECT_GT(one.simulation().kills(), 0U);
  EXPECT_EQ(one.history(), two.history());
  config.seed = 12;
  Federation other(config);
  ASSERT_TRUE(other.run()) << other.report();
  EXPECT_NE(one.history(), other.history());
}

}  // namespace
}  // namespace sotto::simulation
