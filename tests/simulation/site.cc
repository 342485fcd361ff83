#include "tests/simulation/site.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "common/encoding/quantizer.h"
#include "common/simulation/seeds.h"
#include "participant/protocol/upload.h"

namespace sotto::simulation {

namespace {

/// The update of a round: normal-ish values inside the quantiser's range.
FlatUpdate invented_update(std::uint64_t seed, RoundNumber round, std::uint64_t values) {
  crypto::StreamRandom random(derive_seed(seed, "update", round.value));
  std::vector<float> update(values);
  for (float& value : update)
    value = static_cast<float>(random.unit() - 0.5);
  return FlatUpdate(std::move(update));
}

}  // namespace

Site::Site(Setup setup, crypto::SigningKey signing)
    : setup_(std::move(setup)),
      signing_(std::make_unique<crypto::SigningKey>(std::move(signing))),
      random_(derive_seed(setup_.seed, "site", raw(setup_.id))) {
  // Every third pair has a key of its own.
  for (const secagg::CohortMember& other : setup_.roster) {
    const std::uint64_t low = raw(std::min(setup_.id, other.id));
    const std::uint64_t high = raw(std::max(setup_.id, other.id));
    if (low == high || (low + high) % 3 != 0) continue;
    crypto::StreamRandom pair(derive_seed(low, "pre-shared key", high));
    preshared_.emplace(other.id, crypto::Secret32::random(pair));
  }
  start_session();
}

void Site::start_session() {
  session_ = std::make_unique<participant::ParticipantSession>(
      setup_.agreement, setup_.id, setup_.roster, setup_.coordinator, *signing_, preshared_,
      random_, guard_);
}

wire::Envelope Site::hello() const {
  return {kCoordinatorId, {}, wire::Hello{.protocol = 1, .run = setup_.agreement.run}};
}

void Site::carry_out(participant::SessionOutput output, TimePoint now, Sends& sends) {
  wake_at_ = output.wake_at;
  for (auto& event : output.events)
    events_.push_back(std::move(event));
  for (const auto& record : output.persist) {
    if (!guard_.allows(record).ok()) return carry_out(session_->guard_failed(now), now, sends);
    guard_.apply(record);
  }
  for (auto& envelope : output.send) {
    if (setup_.lie) setup_.lie(envelope, *signing_);
    sends.push_back(std::move(envelope));
  }
  if (output.train) start_training(std::move(*output.train), now, sends);
  if (output.mask) carry_out(mask(std::move(*output.mask), now), now, sends);
}

participant::SiteAccount Site::account() const {
  return {.dataset_id = dataset(),
          .run = setup_.agreement.run,
          .job_hash = setup_.agreement.config_hash,
          .steps = std::nullopt,
          .budget = {.max_epsilon = std::numeric_limits<double>::infinity(),
                     .delta = 1e-5,
                     .max_participant_epsilon = setup_.max_participant_epsilon}};
}

void Site::start_training(participant::TrainRequest request, TimePoint now, Sends& sends) {
  const privacy::Charge charge =
      participant::training_charge(account(), request.round, {}, request.noise);
  if (Status ok = participant::affordable(*setup_.ledger, account(), charge); !ok.ok())
    return carry_out(session_->computed(request.round, ok, now), now, sends);
  ++trainings_;
  trained_on_[request.round] = request.model->hash();
  training_.emplace(now + setup_.training, request.round);
}

std::vector<float> Site::trained_update(RoundNumber round) const {
  return invented_update(derive_seed(setup_.seed, "data", raw(setup_.id)), round,
                         setup_.agreement.parameters)
      .values;
}

participant::SessionOutput Site::mask(participant::MaskRequest request, TimePoint now) {
  crypto::StreamRandom rounding(
      derive_seed(setup_.seed, "rounding " + dataset(), request.round.value));
  participant::SiteInput input{.update = std::nullopt,
                               .counters = {.weight = 1,
                                            .metrics = std::vector<std::uint64_t>(
                                                request.encoding.metrics.size(), raw(setup_.id))}};
  if (request.job.lanes.front().kind == encoding::LaneKind::kUpdate)
    input.update.emplace(trained_update(trained_));
  encoding::RingUpdate plain =
      participant::encode_upload(request, std::move(input), 100.0, rounding).value();
  inputs_.insert_or_assign(request.round, plain.clone());
  const bool spoils = setup_.spoils || (setup_.spoils_evaluations && plain.lanes.size() == 1);
  if (spoils) plain.lanes[0].set(0, plain.lanes[0].at(0) ^ 1);
  input_ids_.insert_or_assign(request.round, request.input);
  std::optional<privacy::NoisyRounds> noise;
  if (request.encoding.noise) noise = request.encoding.noise->round;
  const privacy::Charge charge =
      participant::training_charge(account(), request.round, request.input, noise);
  secagg::MaskedUpdate masked = std::move(request.job).run(std::move(plain), 1);
  return session_->masked(
      request.round, setup_.ledger->charge_and_release(charge, account().budget, std::move(masked)),
      now);
}

Site::Sends Site::deliver(const wire::Envelope& envelope, TimePoint now) {
  Sends sends;
  if (session_) carry_out(session_->handle(envelope, now), now, sends);
  return sends;
}

Site::Sends Site::run_due(TimePoint now) {
  Sends sends;
  if (restart_at_ && *restart_at_ <= now) {
    restart_at_.reset();
    start_session();
    sends.push_back(hello());
    carry_out(session_->reconnected(now), now, sends);
  }
  while (session_ && !training_.empty() && training_.begin()->first <= now) {
    const RoundNumber round = training_.begin()->second;
    training_.erase(training_.begin());
    if (session_->current_round() == round) trained_ = round;
    carry_out(session_->computed(round, {}, now), now, sends);
  }
  if (session_ && wake_at_ && *wake_at_ <= now) {
    wake_at_.reset();
    carry_out(session_->tick(now), now, sends);
  }
  return sends;
}

std::optional<TimePoint> Site::next() const {
  std::optional<TimePoint> earliest = restart_at_;
  const auto consider = [&](TimePoint time) {
    if (!earliest || time < *earliest) earliest = time;
  };
  if (session_ && wake_at_) consider(*wake_at_);
  if (session_ && !training_.empty()) consider(training_.begin()->first);
  return earliest;
}

Site::Sends Site::reconnected(TimePoint now) {
  Sends sends;
  if (!session_) return sends;
  sends.push_back(hello());
  carry_out(session_->reconnected(now), now, sends);
  return sends;
}

void Site::crash(TimePoint now, Duration restart_after) {
  session_.reset();
  wake_at_.reset();
  training_.clear();
  restart_at_ = now + restart_after;
}

const encoding::RingUpdate* Site::input(RoundNumber round) const {
  const auto at = inputs_.find(round);
  return at == inputs_.end() ? nullptr : &at->second;
}

Bytes32 Site::trained_on(RoundNumber round) const {
  const auto at = trained_on_.find(round);
  return at == trained_on_.end() ? Bytes32{} : at->second;
}

participant::InputId Site::input_id(RoundNumber round) const {
  const auto at = input_ids_.find(round);
  return at == input_ids_.end() ? participant::InputId{} : at->second;
}

}  // namespace sotto::simulation
