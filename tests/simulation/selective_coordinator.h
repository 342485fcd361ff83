// A coordinator with its own signing key that plays attempts as it likes with real sites: it
// chooses the cohort, whether there are counters, the fewest members in the sum, and whose upload
// it says never came. One thread.
#pragma once

#include <algorithm>
#include <deque>
#include <set>

#include <gtest/gtest.h>

#include "common/secagg/shared/noisy_round.h"
#include "coordinator/protocol/round.h"
#include "tests/simulation/site.h"
#include "tests/temporary_directory.h"

namespace sotto::simulation {

inline crypto::SigningKey key_of(std::uint64_t seed) {
  crypto::StreamRandom random(seed);
  return crypto::SigningKey::generate(random);
}

struct Federation {
  std::uint32_t sites = 5;
  std::uint32_t min_cohort = 3;                 // of every site's policy
  std::optional<encoding::NoiseTerms> noise{};  // of the job
};

enum class Counters : std::uint8_t { kAsked, kLeftOut };

struct Attempt {
  Counters counters = Counters::kAsked;
  std::optional<std::uint32_t> s_min{};  // of the header; the least that n and C allow unless set
  std::set<std::uint32_t> ignored{};     // whose uploads "never came"
};

class SelectiveCoordinator {
 public:
  static constexpr std::uint64_t kValues = 33;
  static constexpr std::uint64_t kTrainingRounds = 3;

  explicit SelectiveCoordinator(const Federation& federation = {}) {
    agreement_.run.fill(1);
    agreement_.config_hash.fill(2);
    agreement_.roster_hash.fill(3);
    agreement_.num_server_rounds = kTrainingRounds;
    agreement_.parameters = kValues;
    agreement_.encoding.metrics = {"examples", "correct", "loss_milli"};
    agreement_.max_round = Duration(3'600'000);
    agreement_.min_cohort = federation.min_cohort;
    agreement_.noise = federation.noise;
    for (std::uint32_t i = 1; i <= federation.sites; ++i)
      roster_.push_back({MemberId{i}, key_of(i).verify_key()});
    for (std::uint32_t i = 1; i <= federation.sites; ++i)
      sites_.push_back(std::make_unique<Site>(Site::Setup{.agreement = agreement_,
                                                          .id = MemberId{i},
                                                          .roster = roster_,
                                                          .coordinator = key_.verify_key(),
                                                          .seed = 7,
                                                          .training = Duration(100),
                                                          .ledger = &ledger_},
                                              key_of(i)));
  }

  /// An attempt with this cohort, to its end.
  coordinator::RoundOutcome play(RoundNumber round, const std::vector<std::uint32_t>& cohort,
                                 const Attempt& attempt = {}) {
    outcome_.reset();
    ignored_ = attempt.ignored;
    machine_.emplace(plan(round, cohort, attempt), key_);
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
                              const Attempt& attempt) const {
    std::vector<secagg::CohortMember> members;
    coordinator::RoundPlan out;
    for (std::uint32_t id : cohort) {
      members.push_back(roster_[id - 1]);
      out.cohort.push_back(MemberId{id});
    }
    const auto n = static_cast<std::uint32_t>(members.size());
    const auto thresholds = secagg::complete_graph_thresholds(n, 1).value();
    auto encoding = secagg::round_encoding(agreement_.encoding, agreement_.noise, agreement_.graph,
                                           {.n = n, .C = 1})
                        .value();
    out.encoding = attempt.counters == Counters::kAsked
                       ? std::move(encoding.spec)
                       : encoding::without_metrics(std::move(encoding.spec));
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
                  .s_min = attempt.s_min.value_or(encoding.s_min),
                  .witnesses = thresholds.witnesses,
                  .graph = wire::Graph::kComplete,
                  .model_hash = model_.hash(),
                  .config_hash = agreement_.config_hash,
                  .lanes = encoding::lane_specs(out.encoding, trains ? kValues : 0, n)};
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
        if (ignored_.contains(raw(envelope.peer)) &&
            std::holds_alternative<wire::UploadHeader>(envelope.message))
          continue;
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
  std::set<std::uint32_t> ignored_;
  std::deque<wire::Envelope> to_sites_, from_sites_;
};

}  // namespace sotto::simulation
