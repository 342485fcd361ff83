#include "tests/coordinator/driver/federation_in_memory.h"

#include <algorithm>
#include <utility>

#include "common/job/plan.h"
#include "common/secagg/shared/transcript.h"

namespace sotto::coordinator {

namespace {

constexpr std::size_t kValues = 20;
constexpr Duration kHelloEvery{5000};

}  // namespace

FederationInMemory::FederationInMemory(std::uint32_t n, config::JobConfig job,
                                       std::set<MemberId> spoilers)
    : job_(std::move(job)), spoilers_(std::move(spoilers)), next_hello_(now_) {
  auto ledger = privacy::PrivacyLedger::open(directory_ / "ledger.db");
  SOTTO_CHECK(ledger.ok(), "the ledger opens");
  ledger_.emplace(std::move(ledger).value());
  roster_.coordinator_signing_key = signing_.verify_key();
  for (std::uint32_t i = 1; i <= n; ++i) {
    const MemberId id{i};
    members_.emplace(id, Member{.key = key_of(id)});
    roster_.members.push_back({.id = id,
                               .signing_key = members_.at(id).key.verify_key(),
                               .transport_key = {static_cast<std::uint8_t>(i)},
                               .name = "site-" + std::to_string(i)});
  }
  events_.add(seen_);
  begin_process();
}

crypto::SigningKey FederationInMemory::key_of(MemberId member) const {
  crypto::StreamRandom random(1000 + raw(member));
  return crypto::SigningKey::generate(random);
}

void FederationInMemory::begin_process() {
  app_.reset();
  computed_.clear();
  to_coordinator_.clear();
  app_.emplace(CoordinatorOptions{.roster = roster_,
                                  .job = job_,
                                  .folder = folder(),
                                  .initial_model = {.layout = {{"w", {kValues}}},
                                                    .values = std::vector<float>(kValues, 0.5F)}},
               *this, signing_, random_, events_);
  app_->start();
  next_hello_ = now_;
}

bool FederationInMemory::send(MemberId peer, Bytes frame) {
  to_members_.emplace_back(peer, std::move(frame));
  return true;
}

void FederationInMemory::compute(std::function<void()> work, std::function<void()> done) {
  work();
  computed_.push_back(std::move(done));
}

std::size_t FederationInMemory::lines_with(const std::string& text) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      log(), [&](const std::string& line) { return line.find(text) != std::string::npos; }));
}

const MemberStatus& FederationInMemory::status_of(MemberId member) const {
  return *std::ranges::find(status().members, member, &MemberStatus::id);
}

std::uint64_t FederationInMemory::offers(MemberId member) const {
  return members_.at(member).offers;
}

std::size_t FederationInMemory::charges(MemberId member) const {
  return ledger_->entries(members_.at(member).site->dataset(), 1e-5).value().size();
}

void FederationInMemory::say(MemberId member, RoundNumber round, const wire::Message& message) {
  to_coordinator_.emplace_back(member, wire::encode(member, round, message));
}

void FederationInMemory::say_all(MemberId member, const simulation::Site::Sends& sends) {
  for (const wire::Envelope& e : sends) {
    say(member, e.round, e.message);
    if (!also_says) continue;
    for (const wire::Message& more : also_says(member, members_.at(member).key, e.message))
      say(member, e.round, more);
  }
}

void FederationInMemory::join(MemberId id, const wire::JobOffer& offer) {
  Member& member = members_.at(id);
  if (!member.site)
    member.site = std::make_unique<simulation::Site>(
        simulation::Site::Setup{
            .agreement = {.run = offer.run,
                          .config_hash = job_.hash,
                          .roster_hash = roster_.hash(),
                          .num_server_rounds = job_.rounds.num_server_rounds,
                          .parameters = kValues,
                          .encoding = run::encoding_of(job_),
                          .min_colluders = job_.secure_aggregation.max_colluders,
                          .graph = run::graph_rules(job_)},
            .id = id,
            .roster = run::signers(roster_),
            .coordinator = signing_.verify_key(),
            .seed = 17,
            .ledger = &*ledger_,
            .spoils = spoilers_.contains(id),
            .spoils_evaluations = spoils_closing_ == id},
        key_of(id));
  wire::JobReply reply{.run = offer.run,
                       .job_hash = job_.hash,
                       .id = id,
                       .answer = wire::JobAnswer::kAccept,
                       .evaluation_examples = 1000};
  secagg::sign_job_reply(member.key, reply);
  say(id, {}, reply);
}

void FederationInMemory::hear(MemberId id, const wire::Decoded& decoded) {
  if (const auto* offer = std::get_if<wire::JobOffer>(&decoded.message)) return join(id, *offer);
  Member& member = members_.at(id);
  if (!member.site || std::holds_alternative<wire::RunFinished>(decoded.message)) return;
  if (const auto* m0 = std::get_if<wire::Offer>(&decoded.message)) {
    ++member.offers;
    newest_h_ = secagg::header_hash(m0->header);
  }
  say_all(id, member.site->deliver({kCoordinatorId, decoded.round, decoded.message}, now_));
}

void FederationInMemory::hello_of_all() {
  for (const auto& [id, member] : members_)
    say(id, {},
        wire::Hello{.run = member.site ? member.site->run() : RunId{},
                    .roster_version = roster_.version,
                    .roster_hash = roster_.hash()});
  next_hello_ = now_ + kHelloEvery;
}

/// One thing that happens, or the time moves on.
bool FederationInMemory::step() {
  if (killed_every > 0 && ++frames_ % killed_every == 0) begin_process();
  if (!to_members_.empty()) {
    const auto [id, frame] = std::move(to_members_.front());
    to_members_.pop_front();
    hear(id, wire::decode(frame).value());
  } else if (!to_coordinator_.empty()) {
    const auto [id, frame] = std::move(to_coordinator_.front());
    to_coordinator_.pop_front();
    app_->on_frame(id, frame);
  } else if (!computed_.empty()) {
    const auto done = std::move(computed_.front());
    computed_.pop_front();
    done();
  } else {
    TimePoint next = next_hello_;
    if (wake_) next = std::min(next, *wake_);
    for (const auto& [id, member] : members_)
      if (member.site)
        if (const auto due = member.site->next()) next = std::min(next, *due);
    now_ = std::max(now_, next);
    if (now_ >= next_hello_) hello_of_all();
    for (auto& [id, member] : members_)
      if (member.site) say_all(id, member.site->run_due(now_));
    if (wake_ && *wake_ <= now_) {
      wake_.reset();
      app_->on_wake();
    }
  }
  return !exit_code_;
}

bool FederationInMemory::run() {
  const TimePoint end = now_ + std::chrono::hours(24);
  exit_code_.reset();
  while (step())
    if (now_ > end) return false;
  return true;
}

}  // namespace sotto::coordinator
