#include "tests/participant/driver/observed_site.h"

#include <fstream>
#include <utility>

#include "common/base/check.h"
#include "common/config/parse.h"
#include "common/wire/codec.h"

namespace sotto::outside_test {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kDataset = "ward-7";
constexpr double kDelta = 1e-5;

config::SiteConfig write_site(const fs::path& folder, const SiteFiles& files) {
  std::ofstream(folder / "train.txt", std::ios::binary) << files.training;
  std::ofstream(folder / "eval.txt", std::ios::binary) << files.evaluation;
  json site = {
      {"model", {{"path", "model"}}},
      {"data", {{"dataset_id", kDataset}, {"train", "train.txt"}, {"evaluation", "eval.txt"}}},
      {"policy",
       {{"max_epsilon", 100},
        {"max_epsilon_per_job", 100},
        {"delta", kDelta},
        {"allowed_tasks",
         {"sequence_classification", "token_classification", "causal_language_modeling"}}}},
      {"resources", {{"device", "cpu"}, {"threads", 1}}}};
  site["data"].update(files.declared);
  site["policy"].update(files.policy);
  std::ofstream(folder / "site.json") << site.dump(2);
  return config::load_site(folder / "site.json");
}

std::string text_of(const privacy::LedgerEntry& entry) {
  const privacy::Charge& c = entry.charge;
  std::string out = to_hex(c.run) + " round " + std::to_string(c.round.value) + " input " +
                    to_hex(c.input) + " job " + to_hex(c.job_hash);
  if (c.steps)
    out += " rate " + std::to_string(c.steps->sampling_rate) + " noise " +
           std::to_string(c.steps->noise_multiplier) + " steps " + std::to_string(c.steps->steps);
  return out + " epsilon " + std::to_string(entry.epsilon_after);
}

}  // namespace

ObservedSite::ObservedSite(const fs::path& folder, const SiteFiles& files,
                           training::ModelProvider& models, config::Roster roster, MemberId self,
                           const crypto::SigningKey& signing)
    : guard_(participant::Guard::open(folder / "guard.log").value()),
      randomness_log_(participant::RandomnessLog::open(folder / "genesis.log").value()),
      ledger_(privacy::PrivacyLedger::open(folder / "ledger.sqlite").value()),
      records_(folder, std::nullopt) {
  participant::ParticipantOptions options{
      .self = self,
      .roster = std::move(roster),
      .site = write_site(folder, files),
      .models = models,
      .read_examples = records_.reader(),
      .unix_now = [this] {
        return kStartUnixS + static_cast<std::uint64_t>((now_ - kStart).count()) / 1000;
      }};
  const auto log = [this](const std::string& line) { log_.push_back(line); };
  participant_ = std::make_unique<participant::Participant>(
      std::move(options), *this, signing, random_, guard_, randomness_log_, ledger_,
      participant::ParticipantObserver{.on_log = log, .on_warning = log});
  participant_->start();
}

void ObservedSite::deliver(RoundNumber round, const wire::Message& message) {
  participant_->on_frame(kCoordinatorId, wire::encode(kCoordinatorId, round, message));
}

void ObservedSite::advance(Duration time) {
  const TimePoint until = now_ + time;
  for (;;) {
    const bool result = !results_.empty() && (!alarm_ || results_.front().at <= *alarm_);
    if (!result && !alarm_) break;
    const TimePoint next = result ? results_.front().at : *alarm_;
    if (next > until) break;
    now_ = std::max(now_, next);
    if (result) {
      const std::function<void()> done = std::move(results_.front().done);
      results_.pop_front();
      done();
    } else {
      alarm_.reset();
      participant_->on_wake();
    }
  }
  now_ = until;
}

bool ObservedSite::send(MemberId, Bytes frame) {
  auto decoded = wire::decode(frame);
  SOTTO_CHECK(decoded.ok(), "a site sends frames that decode");
  sent_.push_back({.at = now_,
                   .bytes = frame.size(),
                   .envelope = {kCoordinatorId, decoded->round, std::move(decoded->message)},
                   .lanes = lanes_});
  return true;
}

void ObservedSite::compute(std::function<void()> work, std::function<void()> done) {
  work();
  results_.push_back({now_ + kComputing, std::move(done)});
}

std::vector<std::string> ObservedSite::charges() const {
  std::vector<std::string> out;
  const std::vector<privacy::LedgerEntry> entries = ledger_.entries(kDataset, kDelta).value();
  for (const privacy::LedgerEntry& entry : entries)
    out.push_back(text_of(entry));
  return out;
}

}  // namespace sotto::outside_test
