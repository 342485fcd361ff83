#include "tests/participant/driver/hostile_coordinator.h"

#include <utility>

#include "common/base/check.h"
#include "common/config/colluders.h"
#include "common/secagg/shared/transcript.h"
#include "common/wire/blob_transfer.h"
#include "coordinator/driver/round_plan.h"

namespace sotto::outside_test {

bool accepts(const std::optional<wire::JobReply>& reply) {
  return reply && reply->answer == wire::JobAnswer::kAccept;
}

HostileCoordinator::HostileCoordinator(std::uint64_t roster_expiry_unix_s) {
  roster_.coordinator_signing_key = others_.coordinator.verify_key();
  roster_.expiry_unix_s = roster_expiry_unix_s;
  for (std::uint32_t i = 0; i < kMembers; ++i)
    roster_.members.push_back({.id = others_.id(i),
                               .signing_key = others_.keys[i].verify_key(),
                               .transport_key = {static_cast<std::uint8_t>(i + 1)},
                               .name = "site-" + std::to_string(i)});
}

std::optional<wire::JobReply> HostileCoordinator::offer(const config::JobConfig& job) {
  job_ = job;
  SOTTO_CHECK(config::complete(job_, kMembers).ok(), "a task's job admits C of three members");
  ++run_[0];
  round_ = {};
  began_ = site_->sent().size();
  wire::JobOffer offer{.run = run_, .job = job_.canonical, .signature = {}};
  secagg::sign_job_offer(others_.coordinator, offer);
  deliver(offer);
  return newest<wire::JobReply>();
}

void HostileCoordinator::ask(std::uint64_t server_round, const FlatParameters& model) {
  begin(server_round, model);
  wait(2 * ObservedSite::kComputing);
}

void HostileCoordinator::play(std::uint64_t server_round, const FlatParameters& model) {
  begin(server_round, model);
  if (deal() && upload()) open();
  wait(2 * ObservedSite::kComputing);
}

void HostileCoordinator::wait(Duration time) {
  site_->advance(time);
  serve_model();
}

void HostileCoordinator::begin(std::uint64_t server_round, const FlatParameters& model) {
  round_ = coordinator::next_attempt(round_, server_round).value();
  std::vector<MemberId> everybody;
  for (const config::RosterMember& member : roster_.members)
    everybody.push_back(member.id);
  using coordinator::EvaluationCounters;
  const auto counters = opened_.contains({run_, server_round}) ? EvaluationCounters::kLeftOut
                                                               : EvaluationCounters::kSummed;
  others_.header =
      coordinator::make_round_plan(job_, roster_, run_, round_, everybody, model, counters)
          .value()
          .header;
  others_.join();
  model_ = encode_parameters(model);
  began_ = site_->sent().size();
  site_->expect_lanes(others_.header.lanes);
  deliver(others_.offer());
}

/// M1 to M4U.
bool HostileCoordinator::deal() {
  const auto everybody = secagg::all_of(kMembers);
  const auto m1 = newest<wire::Advertise>();
  if (!m1) return false;
  others_.m1[0] = *m1;
  for (std::uint32_t i = 1; i < kMembers; ++i)
    others_.m3[i] = others_.clients[i].deal(others_.key_list(i, everybody), others_.random).value();
  deliver(others_.key_list(0, everybody));
  others_.m3[0] = newest<wire::Shares>();
  if (!others_.m3[0]) return false;
  for (std::uint32_t i = 1; i < kMembers; ++i)
    others_.m4a[i] = others_.clients[i].check_shares(others_.forward(i, everybody)).value();
  deliver(others_.forward(0, everybody));
  if (!newest<wire::ShareCheck>()) return false;
  for (std::uint32_t i = 1; i < kMembers; ++i)
    SOTTO_CHECK(others_.clients[i].accept_u2(others_.fix(everybody)).ok(), "all checked");
  deliver(others_.fix(everybody));
  return true;
}

/// M5 and the masked lanes.
bool HostileCoordinator::upload() {
  wait(4 * ObservedSite::kComputing);  // training, then masking
  others_.m5[0] = newest<wire::UploadHeader>();
  if (!others_.m5[0]) return false;
  std::uint64_t total = 0;
  for (const encoding::LaneSpec& lane : others_.header.lanes)
    total += lane.packed_bytes();
  constexpr std::uint32_t kPart = 100;
  for (std::uint64_t at = 0; at < total; at += kPart)
    deliver(wire::BlobRequest{.blob = others_.m5[0]->hash_y, .offset = at, .length = kPart});
  others_.upload({1, 2});
  return true;
}

/// M6 to M10.
void HostileCoordinator::open() {
  const auto everybody = secagg::all_of(kMembers);
  const wire::Survivors m6 = others_.survivors(everybody, everybody);
  for (std::uint32_t i = 1; i < kMembers; ++i)
    others_.m7[i] = others_.clients[i].endorse(m6).value().message;
  opened_.insert({run_, round_.server_round()});
  deliver(m6);
  others_.m7[0] = newest<wire::Endorse>();
  if (!others_.m7[0]) return;
  deliver(others_.request(everybody, everybody, everybody));
  wire::RoundResult m10{.model_hash = others_.header.model_hash};
  secagg::sign_result(others_.coordinator, others_.h, m10);
  deliver(m10);
}

void HostileCoordinator::deliver(const wire::Message& message) {
  site_->deliver(round_, message);
  serve_model();
}

void HostileCoordinator::serve_model() {
  for (; served_ < site_->sent().size(); ++served_) {
    const wire::Envelope envelope = site_->sent()[served_].envelope;
    const auto* request = std::get_if<wire::BlobRequest>(&envelope.message);
    if (!request || envelope.round != round_) continue;
    if (const auto data = wire::answer(*request, model_); data.ok()) site_->deliver(round_, *data);
  }
}

}  // namespace sotto::outside_test
