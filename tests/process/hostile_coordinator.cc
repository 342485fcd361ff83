#include "tests/process/hostile_coordinator.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/crypto/secure_random.h"
#include "common/identity/keystore.h"
#include "common/secagg/shared/transcript.h"
#include "common/wire/blob_transfer.h"
#include "common/wire/codec.h"
#include "coordinator/driver/round_plan.h"

namespace sotto::process_test {

namespace {

using std::chrono::milliseconds;

TimePoint now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

/// Model and update are transferred while other messages come and go, and the first members that
/// endorse a sum open it: both are a matter of timing.
bool is_timing(const wire::Message& message) {
  return std::holds_alternative<wire::BlobRequest>(message) ||
         std::holds_alternative<wire::BlobData>(message) ||
         std::holds_alternative<wire::UnmaskResponse>(message);
}

config::Identity newest_identity(const std::filesystem::path& folder) {
  const auto keys = identity::Keystore::open(folder, identity::Nothing{});
  return keys.identity(keys.newest().generation);
}

std::string described(const wire::Message& message) {
  std::string out(wire::name_of(message));
  if (const auto* left = std::get_if<wire::LeaveRound>(&message)) out += " (" + left->reason + ")";
  return out;
}

}  // namespace

HostileCoordinator::HostileCoordinator(const Federation& federation)
    : identity_(newest_identity(federation.folder() / "coordinator")) {
  const auto config =
      config::load_federation(federation.folder() / "coordinator" / "federation.json");
  roster_ = config.roster;
  net::CoordinatorSocketOptions options{
      .listen = config.listen,
      .identity = {identity_.transport_public, identity_.transport_secret.clone()}};
  for (const config::RosterMember& member : roster_.members)
    options.members.push_back({member.id, member.transport_key});
  link_ = net::listen(loop_, std::move(options),
                      {.on_frame = [this](const net::ReceivedFrame& frame) { on_frame(frame); }});
}

HostileCoordinator::~HostileCoordinator() = default;

HostileCoordinator::Answers HostileCoordinator::offer(const config::JobConfig& job,
                                                      seconds at_most) {
  job_ = job;
  answers_.clear();
  round_ = {};
  offer_ = {.run = {}, .job = job.canonical, .signature = {}};
  crypto::OsRandom random;
  random.fill(offer_.run);
  secagg::sign_job_offer(identity_.signing, offer_);
  const TimePoint until = now() + at_most;
  while (answers_.size() < roster_.members.size() && now() < until) {
    for (const config::RosterMember& member : roster_.members)
      if (!answers_.contains(member.id)) send(member.id, {}, offer_);
    run_until([this] { return answers_.size() == roster_.members.size(); }, milliseconds(1000));
  }
  return answers_;
}

HostileCoordinator::Observations HostileCoordinator::ask(std::uint64_t server_round,
                                                         const FlatParameters& model,
                                                         milliseconds silence) {
  begin(server_round, model);
  std::vector<std::uint32_t> everybody;
  for (std::uint32_t rank = 0; rank < plan_.roster.size(); ++rank)
    everybody.push_back(rank);
  wire::Offer m0{
      .header = plan_.header,
      .deadline_ms = plan_.deadline_ms,
      .cohort = wire::to_bitmap(static_cast<std::uint32_t>(plan_.roster.size()), everybody),
      .signature = {}};
  secagg::sign_offer(identity_.signing, m0);
  for (const config::RosterMember& member : roster_.members)
    send(member.id, round_, m0);
  run_until([this] { return fetched_.size() == roster_.members.size(); }, milliseconds(10000));
  run_until([] { return false; }, silence);
  return observed_;
}

HostileCoordinator::Observations HostileCoordinator::play(std::uint64_t server_round,
                                                          const FlatParameters& model,
                                                          seconds at_most) {
  begin(server_round, model);
  machine_ = std::make_unique<coordinator::RoundStateMachine>(plan_, identity_.signing);
  carry_out(machine_->start(now()));
  run_until([this] { return over_; }, at_most);
  // The sum is open before the last members have endorsed it.
  run_until(
      [this] {
        return std::ranges::all_of(observed_, [](const auto& member) {
          return !member.second.empty() && member.second.back() == "Endorse";
        });
      },
      milliseconds(1000));
  machine_.reset();
  return observed_;
}

void HostileCoordinator::begin(std::uint64_t server_round, const FlatParameters& model) {
  round_ = coordinator::next_attempt(round_, server_round).value();
  model_ = model;
  encoded_ = encode_without_copy(model_);
  observed_.clear();
  fetched_.clear();
  over_ = false;
  std::vector<MemberId> everybody;
  for (const config::RosterMember& member : roster_.members) {
    everybody.push_back(member.id);
    observed_[member.id];
  }
  plan_ = coordinator::make_round_plan(job_, roster_, offer_.run, round_, everybody, model_,
                                       coordinator::EvaluationCounters::kSummed)
              .value();
}

void HostileCoordinator::on_frame(const net::ReceivedFrame& frame) {
  auto decoded = wire::decode(frame.frame);
  if (!decoded.ok()) return;
  if (const auto* reply = std::get_if<wire::JobReply>(&decoded->message)) {
    if (reply->run == offer_.run) answers_[frame.peer] = *reply;
    return;
  }
  if (decoded->round == round_ && !std::holds_alternative<wire::Hello>(decoded->message))
    on_round_message({frame.peer, decoded->round, std::move(decoded->message)});
}

void HostileCoordinator::on_round_message(const wire::Envelope& envelope) {
  if (!is_timing(envelope.message)) {
    std::vector<std::string>& kinds = observed_[envelope.peer];
    const std::string kind = described(envelope.message);
    if (std::ranges::find(kinds, kind) == kinds.end()) kinds.push_back(kind);
  }
  if (machine_) return carry_out(machine_->handle(envelope, now()));
  const auto* request = std::get_if<wire::BlobRequest>(&envelope.message);
  if (!request) return;
  auto data = wire::answer(*request, encoded_.head, encoded_.values);
  if (!data.ok()) return;
  if (data->offset + data->data.size() == data->total) fetched_.insert(envelope.peer);
  send(envelope.peer, round_, std::move(data).value());
}

void HostileCoordinator::carry_out(coordinator::RoundOutput output) {
  wake_at_ = output.wake_at;
  for (const wire::Envelope& envelope : output.send)
    send(envelope.peer, envelope.round, envelope.message);
  if (output.sum)
    return carry_out(machine_->summed(
        std::move(output.sum->job).run(std::move(output.sum->masked_sum), 1), now()));
  if (!output.outcome || over_) return;
  over_ = true;
  carry_out(machine_->close(plan_.header.model_hash, now()));
}

void HostileCoordinator::send(MemberId to, RoundNumber round, const wire::Message& message) {
  static_cast<void>(link_->send(to, wire::encode(kCoordinatorId, round, message)));
}

void HostileCoordinator::run_until(const std::function<bool()>& done, milliseconds at_most) {
  const TimePoint until = now() + at_most;
  while (!done() && now() < until) {
    loop_.restart();
    loop_.run_one_for(milliseconds(5));
    if (machine_ && !over_ && wake_at_ && now() >= *wake_at_) {
      wake_at_.reset();
      carry_out(machine_->tick(now()));
    }
  }
}

}  // namespace sotto::process_test
