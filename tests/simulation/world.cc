#include "tests/simulation/world.h"

#include <algorithm>
#include <utility>

#include "common/secagg/shared/transcript.h"
#include "common/simulation/seeds.h"

namespace sotto::simulation {

namespace {

crypto::SigningKey make_key(std::uint64_t seed, std::uint64_t index) {
  crypto::StreamRandom random(derive_seed(seed, "identity", index));
  return crypto::SigningKey::generate(random);
}

MemberId member_id(std::uint32_t index) {
  return MemberId{101 + 2 * index};  // neither from 0 nor dense: never to be taken for an index
}

bool is_training_upload(const wire::Message& message) {
  return std::holds_alternative<wire::UploadHeader>(message);
}

/// Nothing in a simulation survives the machine: two thirds of a history were the ledger's fsyncs.
std::filesystem::path memory_or_disk() {
  const std::filesystem::path memory = "/dev/shm";
  return std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path();
}

}  // namespace

World::World(std::uint64_t seed, FaultPlan plan, const WorldConfig& config)
    : seed_(seed),
      plan_(std::move(plan)),
      config_(config),
      directory_(memory_or_disk()),
      network_(seed, config.links),
      chance_(derive_seed(seed, "flaps", 0)),
      kill_chance_(derive_seed(seed, "kills", 0)),
      coordinator_key_(make_key(seed, 0)),
      model_{.layout = {{"weights", {static_cast<std::int64_t>(config.values)}}},
             .values = std::vector<float>(config.values, 0.5F)},
      optimizer_({}, config.values) {
  auto ledger = privacy::PrivacyLedger::open(directory_ / "ledger.db");
  SOTTO_CHECK(ledger.ok(), "the ledger opens");
  ledger_.emplace(std::move(ledger).value());
  agreement_.run.fill(0x31);
  agreement_.config_hash.fill(0x32);
  agreement_.roster_hash.fill(0x33);
  agreement_.num_server_rounds = config.rounds - (config.closing_evaluation ? 1 : 0);
  agreement_.parameters = config.values;
  agreement_.encoding.metrics = {"correct"};
  agreement_.min_colluders = config.colluders;
  agreement_.max_round = Duration(3'600'000);
  agreement_.graph = {.full_graph_max = config.full_graph_max,
                      .dropout_percent = config.dropout_percent};
  if (config.lineage) {
    sums_ = std::make_shared<SumsInMemory>();
    agreement_.lineage = participant::LineageTerms{
        .optimizer = {}, .first = std::make_shared<const FlatParameters>(model_)};
  }
  if (config.noise_multiplier > 0)
    agreement_.noise = encoding::NoiseTerms{.mechanism = config.mechanism,
                                            .values = config.values,
                                            .clipping_norm = 1,
                                            .noise_multiplier = config.noise_multiplier};
  if (config.cohort_size > 0 || config.participants > config.full_graph_max) {
    agreement_.drawn_cohort_size = config.cohort_size;
    agreement_.shared_randomness.emplace();
    agreement_.shared_randomness->value.fill(0x34);
    for (std::uint32_t i = 0; i < config.participants; ++i)
      agreement_.shared_randomness->members.push_back(member_id(i));
  }
  add_sites();
}

void World::add_sites() {
  for (std::uint32_t i = 0; i < config_.participants; ++i)
    roster_.push_back({member_id(i), make_key(seed_, 1 + i).verify_key()});
  for (std::uint32_t i = 0; i < config_.participants; ++i)
    sites_.push_back(std::make_unique<Site>(
        Site::Setup{.agreement = agreement_,
                    .id = member_id(i),
                    .roster = roster_,
                    .coordinator = coordinator_key_.verify_key(),
                    .seed = seed_,
                    .training = Duration(500 + 100 * static_cast<Duration::rep>(i)),
                    .ledger = &*ledger_,
                    .max_participant_epsilon = config_.max_participant_epsilon,
                    .lie = [this, id = member_id(i)](
                               wire::Envelope& envelope,
                               const crypto::SigningKey& key) { lie(id, envelope, key); }},
        make_key(seed_, 1 + i)));
}

Site& World::site(MemberId id) {
  const auto at = std::ranges::find_if(sites_, [&](const auto& s) { return s->id() == id; });
  SOTTO_CHECK(at != sites_.end(), "a member of this world");
  return **at;
}

// ---- rounds

secagg::Cohort World::cohort(RoundNumber round) const {
  if (!agreement_.shared_randomness) return secagg::Cohort(roster_);
  const auto drawn =
      secagg::drawn_cohort({*agreement_.shared_randomness, config_.cohort_size}, round);
  std::vector<secagg::CohortMember> members;
  for (const auto& member : roster_)
    if (std::ranges::binary_search(drawn, member.id)) members.push_back(member);
  if (members.size() <= config_.full_graph_max) return secagg::Cohort(std::move(members));
  return secagg::Cohort::on_ring(
      secagg::ring_order(*agreement_.shared_randomness, round, std::move(members)));
}

std::uint32_t World::colluders() const {
  if (!agreement_.shared_randomness) return config_.colluders;
  return secagg::colluders_in_round({*agreement_.shared_randomness, config_.cohort_size},
                                    config_.colluders);
}

secagg::RoundEncoding World::round_encoding(RoundNumber round) const {
  return secagg::round_encoding(agreement_.encoding, agreement_.noise, agreement_.graph,
                                {.n = cohort(round).size(), .C = colluders()})
      .value();
}

encoding::EncodingSpec World::encoding(RoundNumber round) const {
  encoding::EncodingSpec spec = round_encoding(round).spec;
  const auto first = certified_.find(round.server_round());
  const bool counts = first == certified_.end() || round <= first->second;
  return counts ? spec : encoding::without_metrics(std::move(spec));
}

wire::RoundHeader World::header(RoundNumber round) const {
  const secagg::Cohort members = cohort(round);
  const auto parameters =
      secagg::graph_parameters(members.size(), colluders(), agreement_.graph).value();
  const encoding::EncodingSpec spec = encoding(round);
  wire::RoundHeader header;
  header.run = agreement_.run;
  header.round = round;
  header.roster_hash = agreement_.roster_hash;
  header.cohort_hash = members.hash();
  header.n = members.size();
  header.C = colluders();
  header.graph = parameters.graph;
  header.k = parameters.k;
  header.q = parameters.q;
  header.t = parameters.thresholds.t;
  header.Q = parameters.thresholds.Q;
  header.s_min = round_encoding(round).s_min;
  header.witnesses = parameters.thresholds.witnesses;
  header.model_hash = model_.hash();
  header.config_hash = agreement_.config_hash;
  header.lanes =
      encoding::lane_specs(spec, training_round(round_index_) ? config_.values : 0, header.n);
  return header;
}

coordinator::RoundPlan World::round_plan() const {
  const auto phase = static_cast<std::uint64_t>(config_.phase.count());
  coordinator::RoundPlan plan;
  plan.header = header(round_);
  plan.deadline_ms = {phase, phase,
                      phase, static_cast<std::uint64_t>(config_.training_limit.count()),
                      phase, phase};
  plan.roster = roster_;
  const secagg::Cohort members = cohort(round_);
  for (const auto& member : members.members())
    plan.cohort.push_back(member.id);
  std::ranges::sort(plan.cohort);
  plan.shared_randomness = agreement_.shared_randomness;
  plan.encoding = encoding(round_);
  plan.model = encode_without_copy(model_);
  plan.fetch = {.chunk_bytes = 64, .in_flight = 4, .retry_after = Duration(1000)};
  plan.uploads = disk_.uploads();
  plan.sums = sums_;
  return plan;
}

void World::start_round(std::uint16_t attempt) {
  for (const auto& one : sites_)
    if (network_.is_cut(one->id())) restores_[clock_.now()].push_back(one->id());
  restore_links();
  round_ = RoundNumber::of(round_index_ + 1, attempt);
  round_began_ = clock_.now();
  round_over_ = false;
  rejections_ = 0;
  opened_.reset();
  disk_.begin();
  machine_ = std::make_unique<coordinator::RoundStateMachine>(round_plan(), coordinator_key_);
  carry_out(machine_->start(clock_.now()));
}

Duration World::longest_round() const {
  // Advertise, Share, Check, Settle; Upload, as long again while bytes come in; Endorse twice; then
  // Burn twice and Unmask three times at most.
  const Duration undisturbed =
      4 * config_.phase + 2 * config_.training_limit + 2 * config_.phase + 5 * config_.phase;
  // After a kill the phase under way begins again.
  return undisturbed + static_cast<Duration::rep>(kills_) *
                           (config_.coordinator_away + 2 * config_.training_limit);
}

void World::run() {
  for (round_index_ = 0; round_index_ < config_.rounds; ++round_index_)
    for (std::uint16_t attempt = 0; attempt < config_.attempts; ++attempt) {
      run_attempt(attempt);
      if (records_.back().status == wire::RoundStatus::kDone) break;
    }
}

void World::run_attempt(std::uint16_t attempt) {
  start_round(attempt);
  while (!round_over_)
    step();
  // The result travels, and late messages of this round meet the next one.
  const TimePoint until = clock_.now() + config_.links.max_delay / 2;
  while (next_event() <= until)
    step();
}

// ---- events

TimePoint World::next_event() const {
  TimePoint next = round_began_ + longest_round() + Duration(1);
  const auto consider = [&](std::optional<TimePoint> time) {
    if (time && *time < next) next = *time;
  };
  consider(network_.next());
  consider(coordinator_wake_);
  consider(coordinator_back_);
  if (!restores_.empty()) consider(restores_.begin()->first);
  for (const auto& one : sites_)
    consider(one->next());
  return std::max(next, clock_.now());
}

void World::step() {
  clock_.advance_to(next_event());
  const TimePoint now = clock_.now();
  if (!round_over_ && now > round_began_ + longest_round()) {
    checker_.fail("the round did not end by its deadlines");
    finish_round({.status = wire::RoundStatus::kLost,
                  .reason = "stuck",
                  .sum = std::nullopt,
                  .survivors = {},
                  .aggregate_hash = {},
                  .upload_bytes = 0});
    return;
  }
  restore_links();
  if (auto delivery = network_.receive(now)) return deliver(*delivery);
  for (const auto& one : sites_)
    if (const auto due = one->next(); due && *due <= now) return send_from(*one, one->run_due(now));
  if (coordinator_back_ && *coordinator_back_ <= now) return restart_coordinator();
  if (coordinator_wake_ && *coordinator_wake_ <= now) {
    coordinator_wake_.reset();
    carry_out(machine_->tick(now));
  }
}

void World::deliver(const Delivery& delivery) {
  const TimePoint now = clock_.now();
  const MemberId from = delivery.envelope.peer;
  if (delivery.to != kCoordinatorId) {
    wire::Envelope envelope = delivery.envelope;
    // Who complained falsely has that share.
    if (auto* m4u = std::get_if<wire::Fix>(&envelope.message);
        m4u != nullptr && config_.false_complaints.contains(delivery.to))
      m4u->opened.clear();
    send_from(site(delivery.to), site(delivery.to).deliver(envelope, now));
  } else if (std::holds_alternative<wire::Hello>(delivery.envelope.message)) {
    carry_out(machine_->member_connected(from, now));
  } else {
    carry_out(machine_->handle(delivery.envelope, now));
  }
  maybe_flap(delivery.to == kCoordinatorId ? from : delivery.to);
}

void World::maybe_flap(MemberId member) {
  if (config_.flaps <= 0 || chance_.unit() >= config_.flaps || network_.is_cut(member)) return;
  network_.cut(member);
  const auto outage = Duration(static_cast<Duration::rep>(10 + chance_.below(300)));
  restores_[clock_.now() + outage].push_back(member);
}

void World::restore_links() {
  while (!restores_.empty() && restores_.begin()->first <= clock_.now()) {
    const auto members = std::move(restores_.begin()->second);
    restores_.erase(restores_.begin());
    if (coordinator_back_) {  // there is nobody to connect to
      auto& later = restores_[*coordinator_back_ + Duration(1)];
      later.insert(later.end(), members.begin(), members.end());
      continue;
    }
    for (MemberId member : members) {
      network_.restore(member);
      send_from(site(member), site(member).reconnected(clock_.now()));
    }
  }
}

void World::send_from(Site& from, const Site::Sends& sends) {
  for (const auto& envelope : sends) {
    const Fault* fault = round_.attempt() == 0
                             ? find_fault(plan_, from.id(), round_index_, envelope.message)
                             : nullptr;
    if (fault) {
      if (fault->kind == Fault::Kind::kCrash) {
        network_.cut(from.id());
        from.crash(clock_.now(), fault->restart_after);
        restores_[clock_.now() + fault->restart_after].push_back(from.id());
        return;
      }
      network_.cut(from.id());  // until the next round
    }
    if (is_training_upload(envelope.message)) {
      check_ledger(from, envelope.round);
      checker_.encoded(from.id(), envelope.round, from.input_id(envelope.round),
                       *from.input(envelope.round));
    }
    checker_.member_sent(from.id(), envelope.round, envelope.message);
    network_.send(from.id(), envelope, clock_.now());
  }
}

// ---- the coordinator, which may be killed before it keeps, before it sends and while it sends

bool World::killed_now() {
  const bool now =
      config_.coordinator_killed.contains(moments_++) ||
      (config_.coordinator_kills > 0 && kill_chance_.unit() < config_.coordinator_kills);
  if (!now) return false;
  ++kills_;
  machine_.reset();
  opened_.reset();
  coordinator_wake_.reset();
  coordinator_back_ = clock_.now() + config_.coordinator_away;
  for (const auto& one : sites_) {
    if (network_.is_cut(one->id())) continue;
    network_.cut(one->id());
    restores_[*coordinator_back_ + Duration(1)].push_back(one->id());
  }
  return true;
}

void World::restart_coordinator() {
  coordinator_back_.reset();
  machine_ = std::make_unique<coordinator::RoundStateMachine>(round_plan(), coordinator_key_);
  auto resumed = machine_->resume(disk_.roll_back(config_.coordinator_forgets), clock_.now());
  if (!resumed.ok()) {
    checker_.fail("the round cannot go on after a restart: " + resumed.error().message);
    resumed = machine_->start(clock_.now());
  }
  carry_out(std::move(resumed).value());
}

void World::keep(coordinator::RoundOutput& output) {
  disk_.append(std::move(output.facts));
  if (output.decided) disk_.commit();
}

void World::carry_out(coordinator::RoundOutput output) {
  coordinator_wake_ = output.wake_at;
  for (const auto& event : output.events) {
    if (event.kind == coordinator::RoundEvent::Kind::kRejected)
      ++rejections_;
    else if (event.kind == coordinator::RoundEvent::Kind::kPhase &&
             event.phase == coordinator::Phase::kEndorse)
      certified_.emplace(round_.server_round(), round_);
  }
  if (!output.conflicts.empty()) conflicts_ = std::move(output.conflicts);
  std::ranges::move(output.evidence, std::back_inserter(evidence_));
  const bool matters = !output.facts.empty() || output.decided;
  if (matters && killed_now()) return;
  keep(output);
  if (matters && killed_now()) return;
  for (std::size_t i = 0; i < output.send.size(); ++i) {
    if (matters && i == output.send.size() / 2 && killed_now()) return;
    checker_.coordinator_sent(output.send[i].round, output.send[i].message);
    network_.send(kCoordinatorId, output.send[i], clock_.now());
  }
  if (output.sum) {
    encoding::RingUpdate sum = std::move(output.sum->job).run(std::move(output.sum->masked_sum), 1);
    opened_ = sum.clone();
    carry_out(machine_->summed(std::move(sum), clock_.now()));
    return;
  }
  if (output.outcome) finish_round(std::move(*output.outcome));
}

// ---- what must hold

void World::finish_round(coordinator::RoundOutcome outcome) {
  if (outcome.status == wire::RoundStatus::kDone && killed_now()) return;  // before its checkpoint
  RoundRecord record{.round = round_,
                     .status = outcome.status,
                     .reason = std::move(outcome.reason),
                     .survivors = std::move(outcome.survivors),
                     .sum = std::move(outcome.sum),
                     .took = clock_.now() - round_began_,
                     .rejections = rejections_,
                     .conflicts = std::exchange(conflicts_, {}),
                     .evidence = std::exchange(evidence_, {})};
  check_sum(record);
  for (const auto& one : sites_)
    check_ledger(*one, round_);
  if (record.took > longest_round()) checker_.fail("the round outlived its deadlines");
  if (outcome.published) {
    outcome.published->packed = record.sum->sum.pack();
    sums_->keep(agreement_.run, *outcome.published);
  }
  if (record.status == wire::RoundStatus::kDone && record.sum->scale.values > 0)
    model_.values = encoding::step_by_mean(optimizer_, std::move(model_.values), *record.sum);
  records_.push_back(std::move(record));
  round_over_ = true;
  // A round that the checker ended is not over for the machine and cannot be closed.
  if (records_.back().reason == "stuck") return;
  if (killed_now()) {  // nobody hears of the result; a new process begins the next round
    coordinator_back_.reset();
    return;
  }
  carry_out(machine_->close(model_.hash(), clock_.now()));
}

void World::check_sum(const RoundRecord& record) {
  if (record.status != wire::RoundStatus::kDone) {
    if (opened_) checker_.fail("honest members' sum was opened and then refused: " + record.reason);
    return;
  }
  const wire::RoundHeader round_header = header(record.round);
  if (record.survivors.size() < std::max(round_header.Q, round_header.s_min))
    return checker_.fail("a sum over fewer than the least survivors was released");
  encoding::RingUpdate expected;
  for (const auto& lane : round_header.lanes)
    expected.lanes.emplace_back(lane);
  for (MemberId member : record.survivors) {
    const encoding::RingUpdate* input = site(member).input(record.round);
    if (!input) return checker_.fail("a survivor that never encoded an input");
    for (std::size_t lane = 0; lane < expected.lanes.size(); ++lane)
      expected.lanes[lane].add(input->lanes[lane]);
  }
  for (std::size_t lane = 0; lane < expected.lanes.size(); ++lane) {
    expected.lanes[lane].reduce();
    if (expected.lanes[lane].words() != opened_->lanes[lane].words())
      checker_.fail("the released sum is not the plain sum over exactly the survivors");
  }
}

/// Section 2.7: charged once, before the first byte leaves.
void World::check_ledger(const Site& one, RoundNumber round) {
  const auto entries = ledger_->entries(one.dataset(), 1e-5);
  if (!entries.ok()) return checker_.fail(entries.error().message);
  const auto charges = std::ranges::count_if(
      *entries, [&](const auto& entry) { return entry.charge.round == round; });
  const bool masked = one.input(round) != nullptr;
  if (charges != (masked ? 1 : 0))
    checker_.fail("site " + std::to_string(raw(one.id())) + " was charged " +
                  std::to_string(charges) + " times for a round");
}

std::uint64_t World::charges(const Site& one) const {
  return static_cast<std::uint64_t>(
      std::ranges::count_if(ledger_->entries(one.dataset(), 1e-5).value(),
                            [](const auto& entry) { return entry.charge.without_privacy; }));
}

std::string World::report() const {
  std::string text = "SOTTO_SEED=" + std::to_string(seed_) +
                     " n=" + std::to_string(config_.participants) + " faults:";
  for (const auto& fault : plan_)
    text += " " + std::to_string(raw(fault.member)) + "@" + std::to_string(fault.round) + ":" +
            std::string(name(fault.moment)) + (fault.kind == Fault::Kind::kCrash ? "(crash)" : "");
  for (const auto& record : records_)
    text += " | round " + std::to_string(record.round.server_round()) + " status " +
            std::to_string(static_cast<int>(record.status)) + " survivors " +
            std::to_string(record.survivors.size()) + " " + record.reason;
  for (const auto& failure : failures())
    text += " | FAILED: " + failure;
  return text;
}

}  // namespace sotto::simulation
