// The production Participant under a host of virtual time that keeps every frame.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/base/host.h"
#include "common/config/federation.h"
#include "participant/data/site_records.h"
#include "participant/driver/participant.h"
#include "tests/participant/driver/observation.h"

namespace sotto::outside_test {

/// What the site's people put into its folder.
struct SiteFiles {
  std::string training, evaluation;                    // the bytes of the two data files
  nlohmann::json declared = nlohmann::json::object();  // more keys of site.json's "data"
  nlohmann::json policy = nlohmann::json::object();    // and of its "policy"
};

/// All of its randomness comes from one fixed seed, so two sites that differ in their records alone
/// have the same keys, masks, samples and noise. A computation runs at once, and its result arrives
/// after a fixed virtual time: how long training really takes is outside what is compared.
class ObservedSite final : public Host {
 public:
  static constexpr Duration kComputing{500};
  static constexpr std::uint64_t kStartUnixS = 1795474740;  // what its wall clock says at first

  /// `folder` holds a task (write_task()) and nothing of an earlier site. `signing` is the member's
  /// key. `models` and `signing` outlive the site.
  ObservedSite(const std::filesystem::path& folder, const SiteFiles& files,
               training::ModelProvider& models, config::Roster roster, MemberId self,
               const crypto::SigningKey& signing);

  void deliver(RoundNumber round, const wire::Message& message);
  void advance(Duration time);

  /// Lanes that later frames are recorded with.
  void expect_lanes(std::vector<encoding::LaneSpec> lanes) { lanes_ = std::move(lanes); }

  [[nodiscard]] const std::vector<Sent>& sent() const { return sent_; }

  [[nodiscard]] Outside outside() const { return {sent_, charges()}; }

  /// What the site's people read. It never leaves the site.
  [[nodiscard]] const std::vector<std::string>& log() const { return log_; }

  // ---- Host

  [[nodiscard]] TimePoint now() const override { return now_; }

  bool send(MemberId peer, Bytes frame) override;

  void wake_at(TimePoint when) override { alarm_ = when; }

  void compute(std::function<void()> work, std::function<void()> done) override;

  void finish(int) override {}

 private:
  struct Result {
    TimePoint at;
    std::function<void()> done;
  };

  [[nodiscard]] std::vector<std::string> charges() const;

  static constexpr TimePoint kStart{Duration{1000}};

  TimePoint now_{kStart};
  std::optional<TimePoint> alarm_;
  std::deque<Result> results_;
  std::vector<encoding::LaneSpec> lanes_;
  std::vector<Sent> sent_;
  std::vector<std::string> log_;

  crypto::StreamRandom random_{std::uint64_t{20}};
  participant::Guard guard_;
  participant::RandomnessLog randomness_log_;
  privacy::PrivacyLedger ledger_;
  participant::SiteRecords records_;
  std::unique_ptr<participant::Participant> participant_;
};

}  // namespace sotto::outside_test
