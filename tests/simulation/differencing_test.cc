// Two sums over cohorts that differ by one member give that member's counters by subtraction
// (docs/secure-aggregation.md, 2.7, "Counters once a server round"). A coordinator that tries meets
// real sites, with the policy's defaults.
#include <algorithm>
#include <deque>

#include <gtest/gtest.h>

#include "common/secagg/noisy_round.h"
#include "coordinator/round.h"
#include "tests/simulation/site.h"
#include "tests/unit/temporary_directory.h"

namespace sotto::sim {
namespace {

using wire::RoundStatus;

constexpr std::uint32_t kSites = 5;
constexpr std::uint64_t kValues = 33;
constexpr std::uint64_t kTrainingRounds = 3;

crypto::SigningKey key_of(std::uint64_t seed) {
  crypto::StreamRandom random(seed);
  return crypto::SigningKey::generate(random);
}

/// Chooses the cohort of every attempt, and whether it asks for counters.
class SelectiveCoordinator {
 public:
  SelectiveCoordinator() {
    agreement_.run.fill(1);
    agreement_.config_hash.fill(2);
    agreement_.roster_hash.fill(3);
    agreement_.num_server_rounds = kTrainingRounds;
    agreement_.parameters = kValues;
    agreement_.encoding.metrics = {"examples", "correct", "loss_milli"};
    agreement_.max_round = Duration(3'600'000);
    for (std::uint32_t i = 1; i <= kSites; ++i)
      roster_.push_back({MemberId{i}, key_of(i).verify_key()});
    for (std::uint32_t i = 1; i <= kSites; ++i)
      sites_.push_back(std::make_unique<Site>(Site::Setup{.agreement = agreement_,
                                                          .id = MemberId{i},
                                                          .roster = roster_,
                                                          .coordinator = key_.verify_key(),
                                                          .seed = 7,
                                                          .training = Duration(100),
                                                          .ledger = &ledger_},
                                              key_of(i)));
  }

  enum class Counters : std::uint8_t { kAsked, kLeftOut };

  /// An attempt with this cohort, to its end.
  coordinator::RoundOutcome play(RoundNumber round, const std::vector<std::uint32_t>& cohort,
                                 Counters counters = Counters::kAsked) {
    outcome_.reset();
    machine_.emplace(plan(round, cohort, counters), key_);
    take(machine_->start(now_));
    for (int step = 0; step < 400 && !outcome_; ++step) {
      exchange();
      now_ += Duration(100);
      for (const auto& site : sites_)
        for (const auto& envelope : site->run_due(now_))
          from_sites_.push_back({site->id(), envelope.round, envelope.message});
      if (!outcome_) take(machine_->tick(now_));
    }
    coordinator::RoundOutcome ended = std::move(outcome_).value();
    take(machine_->close(model_.hash(), now_));
    exchange();
    return ended;
  }

  /// The process of every site begins anew: what remains is its guard.
  void restart_sites() {
    for (const auto& site : sites_) {
      site->crash(now_, Duration(1));
      site->run_due(now_ += Duration(2));
    }
  }

  [[nodiscard]] const Site& site(std::uint32_t id) const { return *sites_[id - 1]; }

 private:
  coordinator::RoundPlan plan(RoundNumber round, const std::vector<std::uint32_t>& cohort,
                              Counters counters) const {
    std::vector<secagg::CohortMember> members;
    coordinator::RoundPlan out;
    for (std::uint32_t id : cohort) {
      members.push_back(roster_[id - 1]);
      out.cohort.push_back(MemberId{id});
    }
    const auto n = static_cast<std::uint32_t>(members.size());
    const auto thresholds = secagg::complete_graph_thresholds(n, 1).value();
    out.encoding = counters == Counters::kAsked ? agreement_.encoding
                                                : codec::without_metrics(agreement_.encoding);
    const bool trains = round.server_round() <= kTrainingRounds;
    out.header = {.run = agreement_.run,
                  .round = round,
                  .roster_hash = agreement_.roster_hash,
                  .cohort_hash = secagg::Cohort(members).hash(),
                  .n = n,
                  .C = 1,
                  .k = n - 1,
                  .t = thresholds.t,
                  .Q = thresholds.Q,
                  .s_min = thresholds.s_min,
                  .witnesses = thresholds.witnesses,
                  .graph = wire::Graph::kComplete,
                  .model_hash = model_.hash(),
                  .config_hash = agreement_.config_hash,
                  .lanes = codec::lane_specs(out.encoding, trains ? kValues : 0, n)};
    out.deadline_ms = {2000, 2000, 2000, 20000, 2000, 2000};
    out.roster = roster_;
    out.model = encode_without_copy(model_);
    return out;
  }

  void take(coordinator::RoundOutput output) {
    for (auto& envelope : output.send)
      to_sites_.push_back(std::move(envelope));
    if (output.outcome) outcome_ = std::move(output.outcome);
    if (output.sum)
      take(machine_->summed(std::move(output.sum->job).run(std::move(output.sum->masked_sum), 1),
                            now_));
  }

  /// Every message, until nobody has more to say.
  void exchange() {
    while (!to_sites_.empty() || !from_sites_.empty()) {
      while (!to_sites_.empty()) {
        wire::Envelope envelope = std::move(to_sites_.front());
        to_sites_.pop_front();
        const MemberId to = std::exchange(envelope.peer, kCoordinatorId);
        for (const auto& answer : sites_[raw(to) - 1]->deliver(envelope, now_))
          from_sites_.push_back({to, answer.round, answer.message});
      }
      while (!from_sites_.empty()) {
        const wire::Envelope envelope = std::move(from_sites_.front());
        from_sites_.pop_front();
        take(machine_->handle(envelope, now_));
      }
    }
  }

  TemporaryDirectory directory_;
  privacy::PrivacyLedger ledger_ = privacy::PrivacyLedger::open(directory_ / "ledger").value();
  crypto::SigningKey key_ = key_of(99);
  participant::Agreement agreement_;
  FlatParameters model_{.layout = {{"w", {kValues}}}, .values = std::vector<float>(kValues, 0.5F)};
  std::vector<secagg::CohortMember> roster_;
  std::vector<std::unique_ptr<Site>> sites_;
  TimePoint now_{Duration(1000)};
  std::optional<coordinator::RoundStateMachine> machine_;
  std::optional<coordinator::RoundOutcome> outcome_;
  std::deque<wire::Envelope> to_sites_, from_sites_;
};

using Counters = SelectiveCoordinator::Counters;

constexpr RoundNumber kClosing = RoundNumber::of(kTrainingRounds + 1, 0);

TEST(Differencing, TheClosingEvaluationIsSummedOnce) {
  SelectiveCoordinator coordinator;
  const auto all = coordinator.play(kClosing, {1, 2, 3, 5});
  ASSERT_EQ(all.status, RoundStatus::kDone) << all.reason;
  const auto less = coordinator.play(RoundNumber::of(kTrainingRounds + 1, 1), {1, 2, 3});
  EXPECT_EQ(less.status, RoundStatus::kCancelled);
  EXPECT_FALSE(less.sum) << "site 5 has " << coordinator.site(5).input(kClosing)->lanes[0].at(2)
                         << "; the difference is " << all.sum->metrics[0] - less.sum->metrics[0];
}

TEST(Differencing, AnotherAttemptAtATrainingRoundIsJoinedWithoutCountersAlone) {
  SelectiveCoordinator coordinator;
  const auto all = coordinator.play(RoundNumber::of(1, 0), {1, 2, 3, 5});
  ASSERT_EQ(all.status, RoundStatus::kDone) << all.reason;
  EXPECT_EQ(all.sum->metrics.size(), 3U);
  const auto again = coordinator.play(RoundNumber::of(1, 1), {1, 2, 3});
  EXPECT_EQ(again.status, RoundStatus::kCancelled);
  const auto without = coordinator.play(RoundNumber::of(1, 2), {1, 2, 3}, Counters::kLeftOut);
  ASSERT_EQ(without.status, RoundStatus::kDone) << without.reason;
  EXPECT_TRUE(without.sum->metrics.empty());
  EXPECT_GT(without.sum->scale.values, 0U) << "its update is whole";
  const auto next = coordinator.play(RoundNumber::of(2, 0), {1, 2, 3});
  EXPECT_EQ(next.status, RoundStatus::kDone) << "the next server round counts again";
}

TEST(Differencing, ARestartOfTheSitesChangesNothing) {
  SelectiveCoordinator coordinator;
  ASSERT_EQ(coordinator.play(kClosing, {1, 2, 3, 5}).status, RoundStatus::kDone);
  coordinator.restart_sites();
  EXPECT_EQ(coordinator.play(RoundNumber::of(kTrainingRounds + 1, 1), {1, 2, 3}).status,
            RoundStatus::kCancelled);
}

TEST(Differencing, AClosingEvaluationWithoutCountersIsRefused) {
  SelectiveCoordinator coordinator;
  EXPECT_EQ(coordinator.play(kClosing, {1, 2, 3}, Counters::kLeftOut).status,
            RoundStatus::kCancelled);
}

}  // namespace
}  // namespace sotto::sim
