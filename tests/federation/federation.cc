#include "tests/federation/federation.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/config/colluders.h"
#include "common/config/parse.h"
#include "common/job/plan.h"
#include "common/secagg/shared/transcript.h"
#include "common/simulation/seeds.h"
#include "common/wire/codec.h"
#include "participant/protocol/guard.h"
#include "participant/protocol/randomness_log.h"
#include "tests/federation/recorded_lanes.h"

namespace sotto::simulation {

namespace {

constexpr std::uint64_t kStartUnixS = 1'800'000'000;
constexpr Duration kLongest = std::chrono::hours(96);
constexpr double kDelta = 1e-5;

/// Nothing in a simulation survives the machine: two thirds of a history were the ledger's fsyncs.
std::filesystem::path memory_or_disk() {
  const std::filesystem::path memory = "/dev/shm";
  return std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path();
}

crypto::SigningKey make_key(std::uint64_t seed, std::uint64_t index) {
  crypto::StreamRandom random(derive_seed(seed, "identity", index));
  return crypto::SigningKey::generate(random);
}

std::string name_of(MemberId id) {
  return "site-" + std::to_string(raw(id));
}

/// What a participant's process opens when it starts, as the program does.
class SiteProcess final : public App {
 public:
  SiteProcess(participant::ParticipantOptions options, const std::filesystem::path& folder,
              Host& host, const crypto::SigningKey& signing, std::uint64_t seed,
              participant::ParticipantObserver observer)
      : random_(seed),
        guard_(participant::Guard::open(folder / "guard.log").value()),
        randomness_log_(participant::RandomnessLog::open(folder / "genesis.log").value()),
        ledger_(privacy::PrivacyLedger::open(folder / "ledger.sqlite").value()),
        app_(std::move(options), host, signing, random_, guard_, randomness_log_, ledger_,
             std::move(observer)) {}

  void start() override { app_.start(); }

  void on_frame(MemberId peer, BytesView frame) override { app_.on_frame(peer, frame); }

  void on_wake() override { app_.on_wake(); }

  void on_connected() override { app_.on_connected(); }

  void on_stop_requested() override { app_.on_stop_requested(); }

  [[nodiscard]] const privacy::PrivacyLedger& ledger() const { return ledger_; }

 private:
  crypto::StreamRandom random_;
  participant::Guard guard_;
  participant::RandomnessLog randomness_log_;
  privacy::PrivacyLedger ledger_;
  participant::Participant app_;
};

}  // namespace

double largest_difference(const FlatParameters& one, const FlatParameters& other) {
  SOTTO_CHECK(one.values.size() == other.values.size(), "models of one layout are compared");
  double largest = 0;
  for (std::size_t i = 0; i < one.values.size(); ++i)
    largest = std::max(largest, std::abs(double{one.values[i]} - double{other.values[i]}));
  return largest;
}

config::JobConfig small_job(const std::vector<std::string>& overrides) {
  std::vector<std::string> all{
      "rounds.num_server_rounds=2",         "rounds.min_available_participants=3",
      "rounds.phase_timeout_s=5",           "rounds.training_timeout_s=20",
      "differential_privacy.enabled=false", "secure_aggregation.max_colluders=1"};
  all.insert(all.end(), overrides.begin(), overrides.end());
  return config::load_job(std::filesystem::path(SOTTO_SOURCE_DIR) / "configs/quickstart/job.json",
                          all);
}

struct Federation::Site {
  Site(MemberId number, std::filesystem::path place, crypto::SigningKey key,
       training::FakeSettings settings)
      : id(number),
        folder(std::move(place)),
        signing(std::move(key)),
        models(std::move(settings)) {}

  MemberId id;
  std::filesystem::path folder;
  crypto::SigningKey signing;
  training::FakeModels models;
  std::uint64_t processes = 0;     // that started
  SiteProcess* process = nullptr;  // the newest
  std::uint64_t offers = 0;
};

Federation::Federation(FederationConfig config)
    : config_(std::move(config)),
      directory_(memory_or_disk()),
      coordinator_key_(make_key(config_.seed, 0)),
      events_([this] { return unix_now(); }),
      simulation_(std::make_unique<Simulation>(SimulationOptions{.seed = config_.seed,
                                                                 .links = config_.links,
                                                                 .min_compute = Duration(100),
                                                                 .max_compute = Duration(1000)})) {
  events_.add(seen_);
  roster_.expiry_unix_s = std::numeric_limits<std::uint64_t>::max();
  roster_.coordinator_signing_key = coordinator_key_.verify_key();
  storages_[kCoordinatorId] =
      std::make_unique<FaultyStorage>(config_.seed, config_.kills_per_operation);
  simulation_->add(
      kCoordinatorId, [this](Host& host) { return start_coordinator(host); },
      storages_[kCoordinatorId].get(),
      std::max(config_.kills_per_event, config_.coordinator_kills_per_event));
  for (std::uint32_t i = 1; i <= config_.members; ++i)
    add_member(MemberId{i});
  simulation_->set_on_link_ended([](App& app, MemberId member) {
    dynamic_cast<coordinator::Coordinator&>(app).on_link_ended(member);
  });
  simulation_->set_tap([this](MemberId from, MemberId to, Bytes frame) {
    return on_sent(from, to, std::move(frame));
  });
}

Federation::~Federation() = default;

training::FakeSettings Federation::settings_of(MemberId id) const {
  return {.values = config_.values, .seed = derive_seed(config_.seed, "data", raw(id))};
}

void Federation::add_member(MemberId id) {
  const std::filesystem::path folder = directory_ / name_of(id);
  std::filesystem::create_directories(folder);
  auto site = std::make_unique<Site>(id, folder, make_key(config_.seed, raw(id)), settings_of(id));
  roster_.members.push_back({.id = id,
                             .signing_key = site->signing.verify_key(),
                             .transport_key = {static_cast<std::uint8_t>(raw(id))},
                             .name = name_of(id)});
  auto storage = std::make_unique<FaultyStorage>(derive_seed(config_.seed, "disk", raw(id)),
                                                 config_.kills_per_operation);
  simulation_->add(
      id, [this, at = site.get()](Host& host) { return start_site(*at, host); }, storage.get(),
      config_.kills_per_event);
  storages_[id] = std::move(storage);
  sites_[id] = std::move(site);
}

std::uint64_t Federation::unix_now() const {
  return kStartUnixS +
         static_cast<std::uint64_t>(simulation_->now().time_since_epoch().count()) / 1000;
}

FlatParameters Federation::initial_model() const {
  return training::FakeModels({.values = config_.values}).initial_model(config_.job).value();
}

std::unique_ptr<App> Federation::start_coordinator(Host& host) {
  if (before_coordinator) before_coordinator(coordinators_);
  coordinator_random_ = std::make_unique<crypto::StreamRandom>(
      derive_seed(config_.seed, "coordinator", coordinators_++));
  auto app = std::make_unique<coordinator::Coordinator>(
      coordinator::CoordinatorOptions{.roster = roster_,
                                      .job = config_.job,
                                      .folder = folder(),
                                      .initial_model = initial_model(),
                                      .unix_now = [this] { return unix_now(); }},
      host, coordinator_key_, *coordinator_random_, events_);
  coordinator_ = app.get();
  return app;
}

std::unique_ptr<App> Federation::start_site(Site& site, Host& host) {
  const auto log = [this, &site](const std::string& line) {
    site_log_.push_back(name_of(site.id) + ": " + line);
  };
  auto process = std::make_unique<SiteProcess>(
      participant::ParticipantOptions{
          .self = site.id,
          .roster = roster_,
          .site = site_config(site),
          .models = site.models,
          .read_examples = [](const config::JobConfig&,
                              const config::SiteConfig& at) -> Result<data::SiteExamples> {
            return data::SiteExamples{.train = {},
                                      .evaluation = {},
                                      .training_examples = at.data.training_examples,
                                      .evaluation_examples = at.data.evaluation_examples};
          },
          .unix_now = [this] { return unix_now(); },
          .evidence = site.folder / "evidence",
          .offered_jobs = site.folder / "offered-jobs",
          .evaluated_jobs = site.folder / "judged-jobs.txt"},
      site.folder, host, site.signing,
      derive_seed(config_.seed, "site " + std::to_string(site.processes++), raw(site.id)),
      participant::ParticipantObserver{.on_log = log, .on_warning = log, .on_audit = {}});
  site.process = process.get();
  return process;
}

config::SiteConfig Federation::site_config(const Site& site) const {
  config::SiteConfig out;
  out.data.dataset_id = name_of(site.id);
  out.data.training_examples = 100;
  out.data.evaluation_examples = 10;
  out.model_path = config_.job.model.path;
  out.policy.delta = kDelta;
  out.policy.require_differential_privacy = false;
  out.policy.max_epsilon = out.policy.max_epsilon_per_job = std::numeric_limits<double>::infinity();
  out.policy.max_participant_epsilon = config_.max_participant_epsilon;
  out.policy.max_colluders = config_.job.secure_aggregation.max_colluders;
  out.policy.min_cohort = config_.min_cohort > 0
                              ? config_.min_cohort
                              : config::default_min_cohort(out.policy.max_colluders);
  out.policy.allowed_tasks = {config_.job.task.type};
  return out;
}

void Federation::on_encoded(const participant::MaskRequest& request, encoding::RingUpdate& lanes) {
  const MemberId member = simulation_->running();
  checker_.encoded(member, request.round, request.input, lanes);
  if (config_.spoilers.contains(member) ||
      (lanes.lanes.size() == 1 && config_.spoils_evaluation == member))
    lanes.lanes[0].set(0, lanes.lanes[0].at(0) ^ 1);
}

// ---- frames

std::vector<Bytes> Federation::on_sent(MemberId from, MemberId to, Bytes frame) {
  ByteWriter event;
  event.u64(static_cast<std::uint64_t>(simulation_->now().time_since_epoch().count()));
  event.u32(raw(from));
  event.u32(raw(to));
  history_ = crypto::hash("SOTTO history", {history_, event.view(), frame});
  if (from != kCoordinatorId) return on_member_sent(*sites_.at(from), std::move(frame));
  if (config_.coordinator_killed_at_frame == coordinator_frames_++) throw ProcessKilled{};
  const auto decoded = wire::decode(frame);
  if (!interception.to_member) {
    note_sent(to, decoded->round, decoded->message);
    return {std::move(frame)};
  }
  std::vector<Bytes> out;
  for (const wire::Message& message :
       interception.to_member(to, decoded->round, decoded->message)) {
    note_sent(to, decoded->round, message);
    out.push_back(wire::encode(kCoordinatorId, decoded->round, message));
  }
  return out;
}

void Federation::note_sent(MemberId to, RoundNumber round, const wire::Message& message) {
  checker_.coordinator_sent(round, message);
  if (const auto* offer = std::get_if<wire::Offer>(&message)) {
    ++sites_.at(to)->offers;
    newest_h_ = secagg::header_hash(offer->header);
  }
  if (const auto* proof = std::get_if<wire::RandomnessProof>(&message)) {
    const secagg::RandomnessContext context{
        .run = proof->run,
        .roster_hash = roster_.hash(),
        .roster = job::signers(roster_),
        .coordinator = coordinator_key_.verify_key(),
        .colluders = config_.job.secure_aggregation.max_colluders};
    shared_randomness_ = secagg::check_randomness_proof(context, *proof).value();
  }
}

void Federation::send_as_coordinator(MemberId to, RoundNumber round, const wire::Message& message) {
  note_sent(to, round, message);
  simulation_->transmit(kCoordinatorId, to, wire::encode(kCoordinatorId, round, message));
}

std::vector<Bytes> Federation::on_member_sent(Site& site, Bytes frame) {
  const auto decoded = wire::decode(frame);
  const RoundNumber round = decoded->round;
  if (fails_now(site.id, round, decoded->message)) return {};
  if (std::holds_alternative<wire::UploadHeader>(decoded->message)) check_charged(site, round);
  std::vector<wire::Message> messages{decoded->message};
  if (lie) messages = lie(site.id, round, site.signing, decoded->message);
  std::vector<Bytes> out;
  for (const wire::Message& message : messages) {
    if (messages.size() == 1) checker_.member_sent(site.id, round, message);
    if (!interception.to_coordinator) {
      out.push_back(wire::encode(site.id, round, message));
      continue;
    }
    for (const wire::Message& arrives : interception.to_coordinator(site.id, round, message))
      out.push_back(wire::encode(site.id, round, arrives));
  }
  return out;
}

/// Whether the message does not leave, and no later one of the round. Faults are of first attempts.
bool Federation::fails_now(MemberId member, RoundNumber round, const wire::Message& message) {
  const std::pair key(member, round);
  if (round.server_round() == 0 || round.attempt() > 0) return false;
  const Fault* fault = find_fault(config_.faults, member, round.server_round() - 1, message);
  if (fault && fault->kind == Fault::Kind::kCrash && crashed_.insert(key).second)
    throw ProcessKilled{};
  if (fault && fault->kind == Fault::Kind::kSilent) silent_.insert(key);
  return silent_.contains(key);
}

/// Section 2.7 of docs/secure-aggregation.md: charged once, before the first byte leaves.
void Federation::check_charged(const Site& site, RoundNumber round) {
  const auto entries = site.process->ledger().entries(name_of(site.id), kDelta);
  if (!entries.ok()) return checker_.fail(entries.error().message);
  const auto charges = std::ranges::count_if(
      *entries, [&](const auto& entry) { return entry.charge.round == round; });
  if (charges != 1)
    checker_.fail(name_of(site.id) + " was charged " + std::to_string(charges) +
                  " times for a round when its update left");
}

// ---- the end

bool Federation::guarded(const std::function<void()>& run) {
  const RecordedLanes recorded([this](const participant::MaskRequest& request,
                                      encoding::RingUpdate& lanes) { on_encoded(request, lanes); });
  try {
    run();
    return true;
  } catch (const std::exception& e) {
    checker_.fail(std::string("a process does not start again: ") + e.what());
    return false;
  }
}

bool Federation::run() {
  if (!guarded([this] { exit_code_ = simulation_->run(simulation_->now() + kLongest); }))
    return false;
  if (!exit_code_) checker_.fail("the run does not end");
  check_end();
  return exit_code_.has_value();
}

bool Federation::run_until(const std::function<bool()>& done) {
  return guarded([&] {
           constexpr Duration kStep(10);
           const TimePoint begin = simulation_->now();
           for (TimePoint until = begin; !done(); until += kStep)
             if (until > begin + std::chrono::hours(24) || simulation_->run(until)) {
               checker_.fail("what a test waits for does not happen");
               return;
             }
         }) &&
         done();
}

void Federation::run_for(Duration duration) {
  guarded([&] { simulation_->run(simulation_->now() + duration); });
}

/// What left is in the ledgers that the disks have.
void Federation::check_end() {
  for (const auto& [id, site] : sites_) {
    const auto entries = charges(id);
    for (std::uint64_t round = 1; round <= config_.job.rounds.num_server_rounds + 1U; ++round)
      for (std::uint16_t attempt = 0; attempt < 200; ++attempt) {
        const RoundNumber number = RoundNumber::of(round, attempt);
        if (checker_.uploaded(id, number) && std::ranges::none_of(entries, [&](const auto& entry) {
              return entry.charge.round == number;
            }))
          checker_.fail(name_of(id) + " sent an update that its ledger does not have");
      }
  }
}

const coordinator::MemberStatus& Federation::status_of(MemberId member) const {
  return *std::ranges::find(seen_.status.members, member, &coordinator::MemberStatus::id);
}

std::vector<coordinator::RoundRecord> Federation::rounds() const {
  std::vector<coordinator::RoundRecord> out;
  for (const auto& ended : seen_.all<coordinator::RoundEnded>())
    out.push_back(ended.record);
  return out;
}

std::size_t Federation::done_rounds() const {
  return static_cast<std::size_t>(std::ranges::count_if(rounds(), coordinator::is_done));
}

std::size_t Federation::lines_with(const std::string& text) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      log(), [&](const std::string& line) { return line.find(text) != std::string::npos; }));
}

std::uint64_t Federation::offers(MemberId member) const {
  return sites_.at(member)->offers;
}

std::vector<privacy::LedgerEntry> Federation::charges(MemberId member) const {
  const auto ledger = privacy::PrivacyLedger::read(sites_.at(member)->folder / "ledger.sqlite");
  return ledger->entries(name_of(member), kDelta).value();
}

const std::vector<std::uint64_t>& Federation::trained(MemberId member) const {
  return sites_.at(member)->models.trained();
}

Bytes32 Federation::trained_on(MemberId member, std::uint64_t server_round) const {
  const auto& hashes = sites_.at(member)->models.trained_on();
  const auto at = hashes.find(server_round);
  return at == hashes.end() ? Bytes32{} : at->second;
}

std::vector<float> Federation::update_of(MemberId member, std::uint64_t server_round) const {
  return training::fake_update(settings_of(member), server_round);
}

std::size_t Federation::site_lines_with(MemberId member, const std::string& text) const {
  return static_cast<std::size_t>(std::ranges::count_if(site_log_, [&](const std::string& line) {
    return line.starts_with(name_of(member) + ": ") && line.find(text) != std::string::npos;
  }));
}

const crypto::SigningKey& Federation::key_of(MemberId member) const {
  return sites_.at(member)->signing;
}

std::string Federation::report() const {
  std::string text = "SOTTO_SEED=" + std::to_string(config_.seed) +
                     " n=" + std::to_string(config_.members) + " kills " +
                     std::to_string(simulation_->kills());
  for (const auto& round : rounds())
    text += " | round " + std::to_string(round.server_round) + "." + std::to_string(round.attempt) +
            (coordinator::is_done(round) ? " done" : " without a sum") + " survivors " +
            std::to_string(round.survivors);
  for (const auto& failure : failures())
    text += " | FAILED: " + failure;
  if (failures().empty()) return text;
  for (const auto* lines : {&seen_.lines, &site_log_})
    for (const std::string& line : *lines)
      text += "\n    " + line;
  return text;
}

}  // namespace sotto::simulation
