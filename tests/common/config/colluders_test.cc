// Where neither job nor site say how many colluding members they reckon with, it follows from the
// size of the federation (common/config/colluders.h), and the number at which protection ends is
// that of a real attack (common/job/collusion.h).
#include "common/config/colluders.h"

#include "common/job/collusion.h"
#include "common/storage/atomic_file.h"
#include "coordinator/driver/job_terms.h"
#include "tests/common/config/samples.h"
#include "tests/common/secagg/round_fixture.h"
#include "tests/temporary_directory.h"

namespace sotto {
namespace {

config::JobConfig job_of(std::vector<std::string> overrides) {
  return std::get<config::JobConfig>(
      config::parse_job(config::samples::kJob, "job.json", overrides));
}

TEST(Colluders, TheDefaultIsBelowAThirdOfTheParticipants) {
  const std::vector<std::pair<std::uint32_t, std::uint32_t>> expected = {
      {2, 1}, {3, 1}, {4, 1}, {6, 1}, {7, 2}, {9, 2}, {10, 3}, {40, 13}, {256, 85}, {10000, 3333}};
  for (const auto& [participants, colluders] : expected)
    EXPECT_EQ(config::default_colluders(participants), colluders) << participants;
  EXPECT_EQ(config::default_min_cohort(1), 3U);
  EXPECT_EQ(config::default_min_cohort(3), 5U);
}

TEST(Colluders, AJobThatSaysNoneNamesTheNumberWhenItIsOffered) {
  config::JobConfig job = job_of({"rounds.min_available_participants=8"});
  const Bytes32 before = job.hash;
  ASSERT_TRUE(config::complete(job, 10).ok());
  EXPECT_EQ(job.secure_aggregation.max_colluders, 3U);
  EXPECT_NE(job.hash, before);
  EXPECT_EQ(
      job.hash,
      job_of({"rounds.min_available_participants=8", "secure_aggregation.max_colluders=3"}).hash);
  ASSERT_TRUE(config::complete(job, 40).ok());
  EXPECT_EQ(job.secure_aggregation.max_colluders, 3U) << "a number that is there stays";
}

TEST(Colluders, AJobThatDoesNotAdmitTheDefaultIsRefusedByItsKey) {
  config::JobConfig job = job_of({});
  const Status refused = config::complete(job, 10);
  ASSERT_FALSE(refused.ok());
  for (const char* part : {"$.secure_aggregation.max_colluders is not set, so its value is 3",
                           "federation of 10 participants", "here 4 - 2"})
    EXPECT_NE(refused.error().message.find(part), std::string::npos) << refused.error().message;
  EXPECT_EQ(job.secure_aggregation.max_colluders, 0U);
}

TEST(Colluders, APolicyTakesItsDefaultsFromTheRosterAndKeepsItsNumbers) {
  config::SitePolicy policy;
  ASSERT_TRUE(config::complete(policy, 10).ok());
  EXPECT_EQ(policy.max_colluders, 3U);
  EXPECT_EQ(policy.min_cohort, 5U);
  config::SitePolicy said{.min_cohort = 4, .max_colluders = 1};
  ASSERT_TRUE(config::complete(said, 10).ok());
  EXPECT_EQ(said.max_colluders, 1U);
  EXPECT_EQ(said.min_cohort, 4U);
  config::SitePolicy too_few{.min_cohort = 4};
  const Status refused = config::complete(too_few, 10);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("$.policy.min_cohort: found 4"), std::string::npos);
}

/// The reason for which a run in `folder` under a roster of so many participants does not start.
std::string refusal(const std::filesystem::path& folder, std::uint32_t participants) {
  config::Roster roster;
  for (std::uint32_t i = 1; i <= participants; ++i)
    roster.members.push_back({.id = MemberId{i}});
  try {
    (void)coordinator::with_colluders(job_of({"rounds.min_available_participants=8"}), roster,
                                      folder);
  } catch (const StartupError& error) {
    return error.what();
  }
  return {};
}

TEST(Colluders, ARosterThatChangesTheNumberInTheMiddleOfARunIsOneClearError) {
  TemporaryDirectory folder;
  const auto path = folder / "job.json";
  EXPECT_EQ(refusal(path.parent_path(), 9), "") << "a new run";
  config::JobConfig began =
      job_of({"rounds.min_available_participants=8", "model.config_hash=" + std::string(64, 'a'),
              "model.vocab_hash=" + std::string(64, 'b')});
  ASSERT_TRUE(config::complete(began, 9).ok());
  ASSERT_TRUE(storage::write_file_atomically(path, {view_of(began.canonical)},
                                             storage::FileAccess::kEveryoneReads)
                  .ok());
  EXPECT_EQ(refusal(path.parent_path(), 8), "") << "two colluders as well";
  const std::string changed = refusal(path.parent_path(), 10);
  for (const char* part : {"began with 2", "10 participants of the present roster 3 follows",
                           "--set secure_aggregation.max_colluders=2", "another --out"})
    EXPECT_NE(changed.find(part), std::string::npos) << changed;
}

TEST(Colluders, TheSentenceNamesWhoCouldSeeTheUpdate) {
  EXPECT_EQ(job::collusion_sentence(job_of({"rounds.min_available_participants=10",
                                            "secure_aggregation.max_colluders=1"}),
                                    10, 10, "the job protects against"),
            "If the coordinator and 5 of the 9 other members colluded, they could see this "
            "site's update; the job protects against 1 colluding member.")
      << "nobody can be left out of sums of all ten";
  EXPECT_EQ(job::collusion_sentence(job_of({"secure_aggregation.max_colluders=1"}), 10, 3,
                                    "the job protects against"),
            "If the coordinator and 2 of the 9 other members colluded, they could see this "
            "site's update; the job protects against 1 colluding member.");
  EXPECT_NE(job::collusion_sentence(
                job_of({"secure_aggregation.max_colluders=1", "secure_aggregation.cohort_size=4"}),
                10, 3, "the job protects against")
                .find("more than 1 of the 9 other members"),
            std::string::npos);
}

}  // namespace

namespace secagg {
namespace {

/// An attack on one honest member of a whole round: the colluders sign two survivor sets, one with
/// the victim and one without, and the coordinator asks some honest members under the one and the
/// others under the other. Everybody but the double signatures is a real client. What a colluder
/// holds answers under both sets, so there is a second round that is the same to the bit.
struct SplitView {
  SplitView(std::uint32_t n, std::uint32_t C, std::uint32_t liars)
      : round(n, C), twin(n, C), victim(n - 1), colluders(liars) {
    round.until_uploaded();
    twin.until_uploaded();
  }

  /// True when the victim's plain lanes come out.
  bool opens() {
    const IndexSet all = all_of(round.header.n), less = without(all, victim);
    const std::uint32_t needed = round.header.Q > colluders ? round.header.Q - colluders : 0;
    IndexSet with_victim{victim}, others;
    for (std::uint32_t i = colluders; i < victim; ++i)
      (with_victim.size() < needed ? with_victim : others).push_back(i);
    std::ranges::sort(with_victim);
    ask(all, with_victim, wire::ShareKind::kSelfMask, self);
    ask(less, others, wire::ShareKind::kMaskKey, key);
    if (self.shares.size() < round.header.t || key.shares.size() < round.header.t) return false;
    return unmasks(less);
  }

  struct Shares {
    std::vector<std::uint32_t> points;
    std::vector<Bytes32> shares;

    [[nodiscard]] crypto::Secret32 secret() const {
      return crypto::Reconstructor::create(points).value().reconstruct(shares);
    }
  };

 private:
  /// What the members `honest` and all colluders answer about the victim under S.
  void ask(const IndexSet& s, const IndexSet& honest, wire::ShareKind kind, Shares& out) {
    const IndexSet all = all_of(round.header.n);
    std::vector<std::optional<wire::Endorse>> signatures(round.header.n);
    IndexSet signers;
    auto& clients = kind == wire::ShareKind::kSelfMask ? round.clients : twin.clients;
    for (std::uint32_t i = 0; i < colluders; ++i) {
      signatures[i] = clients[i].endorse(round.survivors(all, s)).value().message;
      signers.push_back(i);
    }
    for (std::uint32_t i : honest)
      if (auto said = round.clients[i].endorse(round.survivors(all, s)); said.ok()) {
        signatures[i] = said->message;
        signers.push_back(i);
      }
    if (signers.size() < round.header.Q) return;
    std::ranges::sort(signers);
    signers.resize(round.header.Q);
    round.m7 = signatures;
    const auto m8 = round.request(all, s, signers);
    const auto take = [&](std::uint32_t i, Client& client) {
      const auto m9 = client.unmask(m8);
      if (!m9.ok() || out.points.size() == round.header.t) return;
      for (const auto& share : m9->shares)
        if (share.dealer == round.id(victim) && share.kind == kind) {
          out.points.push_back(i + 1);
          out.shares.push_back(share.share);
        }
    };
    for (std::uint32_t i = 0; i < colluders; ++i)
      take(i, clients[i]);
    for (std::uint32_t i : honest)
      take(i, round.clients[i]);
  }

  bool unmasks(const IndexSet& partners) {
    const auto agreement = mask_agreement_key(key.secret(), round.h, round.id(victim));
    std::vector<MaskSeed> seeds;
    seeds.push_back(
        {MaskSeed::Kind::kSelf, self.secret(), round.id(victim), crypto::MaskSign::kSubtract});
    for (std::uint32_t j : partners)
      seeds.push_back({MaskSeed::Kind::kPair,
                       pair_secret(agreement, round.m1[j].pk_mask, {},
                                   pair_context(round.h, round.m1[j], round.m1[victim]))
                           .value(),
                       {},
                       crypto::MaskSign::kAdd});
    auto lanes = round.masked_sum({victim});
    apply_masks(lanes, round.h, seeds, 1);
    const auto plain = round.plain_sum({victim});
    for (std::size_t lane = 0; lane < lanes.size(); ++lane)
      for (std::uint64_t i = 0; i < lanes[lane].spec().length; ++i)
        if (lanes[lane].at(i) != plain[lane].at(i)) return false;
    return true;
  }

  TestRound round, twin;
  std::uint32_t victim, colluders;
  Shares self, key;
};

TEST(Colluders, ASplitViewOpensWithTheNumberThatIsSaidAndNotWithOneFewer) {
  const std::vector<std::pair<std::uint32_t, std::uint32_t>> rounds = {
      {10, 1}, {7, 2}, {8, 2}, {10, 3}, {13, 4}};
  for (const auto& [n, C] : rounds) {
    const std::uint32_t said = job::fewest_that_open(n, C, 0);
    EXPECT_GT(said, C);
    EXPECT_FALSE(SplitView(n, C, C).opens()) << n << " members, C = " << C;
    EXPECT_FALSE(SplitView(n, C, said - 1).opens()) << n << " members, C = " << C;
    EXPECT_TRUE(SplitView(n, C, said).opens()) << n << " members, C = " << C;
  }
}

/// With the default for its size a federation resists what opened updates with C = 1.
TEST(Colluders, TwoOfTenOrOfFortyOpenNothingByDefault) {
  for (const std::uint32_t n : {10U, 40U}) {
    EXPECT_TRUE(SplitView(n, 1, 2).opens()) << "C = 1 and two colluders of " << n;
    EXPECT_FALSE(SplitView(n, config::default_colluders(n), 2).opens()) << n;
  }
}

TEST(Colluders, NoNumberUpToCIsEverSaid) {
  for (std::uint32_t n = 3; n <= 64; ++n)
    for (std::uint32_t C = 1; C + 2 <= n; ++C)
      for (const std::uint32_t s_min : {0U, n})
        EXPECT_GT(job::fewest_that_open(n, C, s_min), C) << n << " " << C;
}

}  // namespace
}  // namespace secagg
}  // namespace sotto
