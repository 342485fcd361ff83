#include "participant/protocol/session.h"

#include <array>

#include "common/secagg/shared/noisy_round.h"
#include "common/secagg/shared/transcript.h"
#include "participant/protocol/session_state.h"

namespace sotto::participant {
namespace {

// A message that was not answered for this long is sent again, because the coordinator may have
// restarted.
constexpr Duration kResendAfter{5000};
// Limit for the names and shapes of a model's tensors, in addition to 4 bytes a value.
constexpr std::uint64_t kMaxLayoutBytes = std::uint64_t{16} << 20;

const char* name(wire::RoundStatus status) {
  constexpr std::array<const char*, 4> kNames{"done", "cancelled before uploads", "burnt", "lost"};
  return kNames.at(static_cast<std::size_t>(status));
}

}  // namespace

// ---- dispatch

void ParticipantSession::State::expire(TimePoint now) {
  if (round && now - round->started >= agreement.max_round)
    close(Kind::kRoundClosed, "the round took longer than this site keeps the secrets of a round");
}

void ParticipantSession::State::dispatch(const wire::Envelope& envelope, TimePoint now) {
  if (envelope.peer != kCoordinatorId)
    return reject(envelope.round, "a message did not come from the coordinator");
  const bool about_lost = !round && lost.value != 0 && envelope.round == lost;
  if (const auto* m0 = std::get_if<wire::Offer>(&envelope.message); m0 && !about_lost)
    return on_offer(*m0, now);
  if (const auto* request = std::get_if<wire::BlobRequest>(&envelope.message))
    return on_upload_request(envelope.round, *request);
  // An abort needs no secret of the round, so it does not matter whether this session is in the
  // round.
  if (const auto* abort_state = std::get_if<wire::AbortRequest>(&envelope.message))
    return on_abort_request(*abort_state);
  if (const auto* abort_certificate = std::get_if<wire::AbortCertificate>(&envelope.message))
    return on_abort_certificate(envelope.round, *abort_certificate);
  if (about_lost) {
    if (!std::holds_alternative<wire::RoundResult>(envelope.message)) return leave_lost_round();
    lost = {};
  }
  const std::string name{wire::name_of(envelope.message)};
  if (!round || envelope.round < round->header.round)
    return ignore(envelope.round, name + ": it is not about the present round");
  if (envelope.round > round->header.round)
    return reject(envelope.round, name + ": it is about a round that was not offered");
  if (const auto* data = std::get_if<wire::BlobData>(&envelope.message))
    return on_model_data(*data);
  if (const auto* m10 = std::get_if<wire::RoundResult>(&envelope.message)) return on_result(*m10);
  on_phase_message(envelope.message, now);
}

void ParticipantSession::State::leave_lost_round() {
  if (std::exchange(logged_lost, true))
    return ignore(lost, "a message is about a round that this site has left");
  send(lost,
       wire::LeaveRound{"this site was restarted and does not take part in this round any more"});
  event(Kind::kRoundLeft, lost, "its secrets were in the memory of an earlier process");
}

void ParticipantSession::State::keep_evidence(const wire::Message& first,
                                              const wire::Message& second) {
  if (round->offenders) return;
  const secagg::EvidenceRoster known{
      .roster_hash = agreement.roster_hash, .coordinator = coordinator, .members = roster};
  auto found = secagg::contradictions(round->header, round->client.cohort(), known, first, second);
  if (found.empty()) return;
  round->offenders = true;
  out.evidence.push_back(std::move(found.front()));
}

void ParticipantSession::State::on_phase_message(const wire::Message& message, TimePoint now) {
  const RoundNumber number = round->header.round;
  const std::string name{wire::name_of(message)};
  for (const Exchange& exchange : round->exchanges) {
    if (exchange.accepted.index() != message.index()) continue;
    if (!(exchange.accepted == message)) {
      keep_evidence(exchange.accepted, message);
      return reject(number, name + ": it differs from the message that was accepted");
    }
    ignore(number, name + ": repeated");
    return send(exchange.answer, now);
  }
  const auto* m2 = std::get_if<wire::KeyList>(&message);
  const auto* m4 = std::get_if<wire::ShareForward>(&message);
  const auto* m4b = std::get_if<wire::Complaints>(&message);
  const auto* m4u = std::get_if<wire::Fix>(&message);
  const auto* m6 = std::get_if<wire::Survivors>(&message);
  const auto* m8 = std::get_if<wire::UnmaskRequest>(&message);
  if (m2 && round->in<Advertised>()) return on_key_list(*m2, now);
  if (m4 && round->in<Dealt>()) return on_shares(*m4, now);
  if (m4b && round->in<Checked>()) return on_complaints(*m4b, now);
  if (m4u && round->in<Checked>()) return on_fix(*m4u);
  if (m6 && round->in<Uploaded>()) return on_survivors(*m6, now);
  if (m8 && round->in<Endorsed>()) return on_unmask_request(*m8, now);
  reject(number, name + ": it is not expected in this phase");
}

// ---- M0 -> M1

bool ParticipantSession::State::is_forgotten(const wire::Offer& m0) const {
  return m0.header.run == agreement.run && m0.header.round < guard.last_round(agreement.run) &&
         secagg::verify_offer(coordinator, m0);
}

void ParticipantSession::State::on_offer(const wire::Offer& m0, TimePoint now) {
  const RoundNumber number = m0.header.round;
  if (round && m0.header == round->header) {
    // The deadlines may be longer after a restart of the coordinator (2.7, rule 5).
    if (!secagg::verify_offer(coordinator, m0)) return reject(number, "Offer: bad signature");
    ignore(number, "Offer: repeated");
    return repeat_last(now);
  }
  if (is_current(number)) keep_evidence(round->exchanges.front().accepted, m0);
  if (number.server_round() < 1 || number.server_round() > agreement.num_server_rounds + 1)
    return reject(number, "Offer: the job has no such round");
  if (m0.header.n < 2 || m0.header.n > roster.size())
    return reject(number, "Offer: no cohort of the roster has this size");
  if (agreement.drawn_cohort_size && !agreement.shared_randomness)
    return reject(number, "Offer: the run has no shared randomness yet");
  auto encoding = secagg::round_encoding(agreement.encoding, agreement.noise, agreement.graph,
                                         {.n = m0.header.n, .C = m0.header.C});
  if (!encoding.ok()) return reject(number, "Offer: " + encoding.error().message);
  encoding->spec = encoding::encoding_for(encoding->spec, m0.header.lanes);
  if (Status once = counts_once(number, encoding->spec); !once.ok())
    return reject(number, "Offer: " + once.error().message);
  const std::uint64_t values = is_evaluation(number) ? 0 : agreement.parameters;
  const secagg::LocalRules rules{.roster_hash = agreement.roster_hash,
                                 .run = agreement.run,
                                 .config_hash = agreement.config_hash,
                                 .min_colluders = agreement.min_colluders,
                                 .min_cohort = agreement.min_cohort,
                                 .min_survivors = encoding->s_min,
                                 .lanes = encoding::lane_specs(encoding->spec, values, m0.header.n),
                                 .graph = agreement.graph,
                                 .draw = draw(),
                                 .last_round = guard.last_round(agreement.run)};
  auto cohort = secagg::check_offer(m0, coordinator, roster, self, rules);
  if (!cohort.ok()) {
    if (is_forgotten(m0))
      send(number,
           wire::LeaveRound{"this site has recorded a later round of this run; the run folder of "
                            "the coordinator may have been restored from a backup"});
    return reject(number, cohort.error().message);
  }
  if (round) close(Kind::kRoundClosed, "a later round was offered");
  join(m0, std::move(encoding->spec), std::move(cohort).value(), now);
}

Status ParticipantSession::State::counts_once(RoundNumber number,
                                              const encoding::EncodingSpec& encoding) const {
  if (encoding.metrics.empty()) {
    if (is_evaluation(number) && !agreement.encoding.metrics.empty())
      return Error{"the closing evaluation has no counters"};
    return {};
  }
  if (guard.may_be_open(agreement.run, number.server_round()))
    return Error{
        "it asks for the counters of this server round again. This site endorsed the sum of an "
        "earlier attempt, and the difference of the two sums would reveal the counters of the "
        "members that are in only one of them"};
  return {};
}

void ParticipantSession::State::join(const wire::Offer& m0, encoding::EncodingSpec encoding,
                                     secagg::Cohort cohort, TimePoint now) {
  round.emplace(Round{.header = m0.header,
                      .encoding = std::move(encoding),
                      .client = secagg::Client(m0.header, std::move(cohort), self, *signing,
                                               *preshared, coordinator, *random),
                      .started = now,
                      .phase = Advertised{},
                      .work = Computed{}});
  round->client.use_threads(agreement.threads);
  const bool again = can_use_again(*round);
  if (!persist(record(GuardStep::kJoined))) return round.reset();
  event(Kind::kRoundJoined, m0.header.round,
        std::to_string(m0.header.n) + " members, of which at least " +
            std::to_string(m0.header.s_min) + " must be in a sum" +
            (again ? "; the update of an earlier attempt is used again" : ""));
  answer(m0, round->client.advertise(), Advertised{}, now);
  if (!again) get_model();
}

// ---- the model and the computation

void ParticipantSession::State::get_model() {
  const Bytes32& wanted = round->header.model_hash;
  if (!lineage) {
    const std::uint64_t max_bytes = 4 * agreement.parameters + kMaxLayoutBytes;
    round->work = Fetching{wire::BlobFetch(wanted, std::nullopt, max_bytes)};
    return;
  }
  if (lineage->model_hash() == wanted) return begin_computing(lineage->model());
  const std::uint64_t next = lineage->next_round();
  if (next >= round->header.round.server_round())
    return leave(
        "the model differs from the one that follows from the sums",
        "the offer names a model that does not follow from the first model and the sums of " +
            std::to_string(next - 1) + " rounds");
  round->work =
      Fetching{wire::BlobFetch(lineage->wanted_blob(), std::nullopt, lineage->max_blob_bytes())};
}

void ParticipantSession::State::on_model_data(const wire::BlobData& data) {
  auto* fetching = std::get_if<Fetching>(&round->work);
  if (!fetching) return ignore(round->header.round, "BlobData: the model is complete");
  if (Status taken = fetching->blob.accept(data); !taken.ok())
    return leave("the model could not be fetched", taken.error().message);
  if (!fetching->blob.complete()) return;
  Bytes bytes = fetching->blob.take();
  if (lineage) {
    if (Status followed = lineage->advance(std::move(bytes)); !followed.ok())
      return leave("a sum of an earlier round was not accepted", followed.error().message);
    return get_model();
  }
  auto model = decode_parameters(bytes);
  if (!model.ok()) return leave("the model is malformed", model.error().message);
  if (model->hash() != round->header.model_hash)
    return leave("the model differs from the one of the offer", "the model has another hash");
  if (model->values.size() != agreement.parameters)
    return leave("the model differs from the one of the job",
                 "the model has " + std::to_string(model->values.size()) +
                     " values, but the job has " + std::to_string(agreement.parameters));
  begin_computing(std::make_shared<const FlatParameters>(std::move(model).value()));
}

void ParticipantSession::State::begin_computing(std::shared_ptr<const FlatParameters> model) {
  // This check comes before any record is read, so that its result reveals nothing about one.
  if (Status usable = check_values(*model); !usable.ok())
    return leave("the model has values with which this site does not compute",
                 usable.error().message);
  round->work = Computing{};
  input.reset();  // the driver keeps one result only
  const RoundNumber number = round->header.round;
  event(Kind::kModelReceived, number,
        std::to_string(model->values.size()) + " values" +
            (lineage ? ", computed here from the sums" : ""));
  out.train = TrainRequest{.round = number,
                           .evaluate_only = is_evaluation(number),
                           .model = std::move(model),
                           .noise = noise_of(*round)};
}

void ParticipantSession::State::mask_when_ready() {
  if (!round->in<Fixed>() || !std::holds_alternative<Computed>(round->work)) return;
  round->phase = Masking{};
  // From here on the driver may charge the input, also if its answer arrives after the round is
  // over.
  input->charged = noise_of(*round);
  out.mask = MaskRequest{.round = round->header.round,
                         .input = input->id,
                         .job = round->client.mask_job(),
                         .h = round->client.h(),
                         .encoding = round->encoding};
}

// ---- M2 to M4U: after an invalid message the site leaves the round, because nothing was uploaded
// yet

void ParticipantSession::State::on_key_list(const wire::KeyList& m2, TimePoint now) {
  auto m3 = round->client.deal(m2, *random);
  if (!m3.ok()) return leave(m3.error().message, m3.error().message);
  answer(m2, std::move(m3).value(), Dealt{}, now);
}

void ParticipantSession::State::on_shares(const wire::ShareForward& m4, TimePoint now) {
  auto m4a = round->client.check_shares(m4);
  if (!m4a.ok()) return leave(m4a.error().message, m4a.error().message);
  answer(m4, std::move(m4a).value(), Checked{}, now);
}

void ParticipantSession::State::on_complaints(const wire::Complaints& m4b, TimePoint now) {
  auto m4c = round->client.open_shares(m4b);
  if (!m4c.ok()) return leave(m4c.error().message, m4c.error().message);
  event(Kind::kSharesOpened, round->header.round,
        std::to_string(m4c->shares.size()) + " members complained about the shares of this site");
  answer(m4b, std::move(m4c).value(), Checked{}, now);
}

void ParticipantSession::State::on_fix(const wire::Fix& m4u) {
  if (Status accepted = round->client.accept_u2(m4u); !accepted.ok())
    return leave(accepted.error().message, accepted.error().message);
  round->exchanges.push_back({m4u, std::nullopt});  // M5 follows in masked()
  round->phase = Fixed{};
  mask_when_ready();
}

// ---- M5 to M10

void ParticipantSession::State::on_masked(privacy::Released<secagg::MaskedUpdate> released,
                                          TimePoint now) {
  const wire::UploadHeader m5 = round->client.upload_header(released.get().hash_y());
  GuardRecord next = record(GuardStep::kUploaded);
  next.d_u2 = m5.d_u2;
  next.hash_y = m5.hash_y;
  next.input = input->id;
  if (!persist(next))
    return leave("the site does not release its update", "the guard does not permit the upload");
  uploaded = UploadedRound{.round = next.round,
                           .rules = {.h = next.h,
                                     .Q = round->header.Q,
                                     .witnesses = round->header.witnesses,
                                     .cohort = round->client.cohort()},
                           .input = next.input};
  event(Kind::kUploaded, round->header.round,
        std::to_string(released.get().packed().size()) + " bytes");
  round->exchanges.back().answer = m5;  // M4U is the last one accepted
  round->phase = Uploaded{std::move(released)};
  send(m5, now);
}

void ParticipantSession::State::on_upload_request(RoundNumber number,
                                                  const wire::BlobRequest& request) {
  const auto* holding = is_current(number) ? std::get_if<Uploaded>(&round->phase) : nullptr;
  if (!holding || request.blob != holding->upload.get().hash_y())
    return send(number, wire::absent(request));
  auto data = wire::answer(request, holding->upload.get().packed());
  if (!data.ok()) return reject(number, "BlobRequest: " + data.error().message);
  send(number, std::move(data).value());
}

void ParticipantSession::State::on_survivors(const wire::Survivors& m6, TimePoint now) {
  const auto endorsement = round->client.endorse(m6);
  if (!endorsement.ok()) return reject(round->header.round, endorsement.error().message);
  GuardRecord next = record(GuardStep::kEndorsed);
  next.d_s = endorsement->d_s;
  if (!persist(next)) return;
  event(Kind::kEndorsed, round->header.round, "survivors endorsed");
  answer(m6, endorsement->message, Endorsed{}, now);  // y is dropped with the phase
}

void ParticipantSession::State::on_unmask_request(const wire::UnmaskRequest& m8, TimePoint now) {
  const auto m9 = round->client.unmask(m8);
  if (!m9.ok()) return reject(round->header.round, m9.error().message);
  GuardRecord next = record(GuardStep::kUnmasked);
  next.d_s = m9->d_s;
  if (!persist(next)) return;
  out.input_spent = true;  // a survivor certificate exists, so no abort certificate can
  event(Kind::kUnmasked, round->header.round, "shares revealed for the certified sum");
  answer(m8, *m9, Unmasked{}, now);
}

void ParticipantSession::State::on_result(const wire::RoundResult& m10) {
  if (!round->client.accepts_result(m10))
    return reject(round->header.round, "RoundResult: bad signature");
  if (lineage && m10.status == wire::RoundStatus::kDone)
    lineage->signed_sum(round->header.round.server_round(), m10.aggregate_hash);
  close(Kind::kRoundClosed, name(m10.status));
}

// ---- output

SessionOutput ParticipantSession::State::take_output(TimePoint now) {
  if (round) {
    out.wake_at = round->started + agreement.max_round;
    if (round->waits_for_coordinator())
      out.wake_at = std::min(*out.wake_at, round->last_sent + kResendAfter);
    if (auto* fetching = std::get_if<Fetching>(&round->work)) {
      for (wire::BlobRequest& request : fetching->blob.due(now))
        send(round->header.round, request);
      if (const auto wake = fetching->blob.wake_at()) out.wake_at = std::min(*out.wake_at, *wake);
    }
  }
  return std::exchange(out, {});
}

// ---- the public calls

ParticipantSession::ParticipantSession(Agreement agreement, MemberId self,
                                       std::vector<secagg::CohortMember> roster,
                                       const crypto::VerifyKey& coordinator,
                                       const crypto::SigningKey& signing,
                                       const secagg::PresharedKeys& preshared,
                                       crypto::SecureRandom& random, const GuardState& guard)
    : state_(new State{.agreement = std::move(agreement),
                       .self = self,
                       .roster = std::move(roster),
                       .coordinator = coordinator,
                       .signing = &signing,
                       .preshared = &preshared,
                       .random = &random,
                       .guard = guard}) {
  Agreement& agreed = state_->agreement;
  state_->lost = guard.last_round(agreed.run);
  if (agreed.lineage)
    state_->lineage.emplace(
        std::move(*agreed.lineage),
        SumRules{.run = agreed.run,
                 .participants = static_cast<std::uint32_t>(state_->roster.size()),
                 .encoding = agreed.encoding,
                 .noise = agreed.noise,
                 .graph = agreed.graph,
                 .min_colluders = agreed.min_colluders,
                 .min_cohort = agreed.min_cohort});
}

ParticipantSession::~ParticipantSession() = default;

void ParticipantSession::set_shared_randomness(secagg::SharedRandomness shared_randomness) {
  auto& known = state_->agreement.shared_randomness;
  SOTTO_CHECK(!known || *known == shared_randomness, "a run has one shared randomness");
  known = std::move(shared_randomness);
}

SessionOutput ParticipantSession::handle(const wire::Envelope& envelope, TimePoint now) {
  return state_->step(now, [&] { state_->dispatch(envelope, now); });
}

SessionOutput ParticipantSession::tick(TimePoint now) {
  return state_->step(now, [&] {
    const auto& round = state_->round;
    if (round && round->waits_for_coordinator() && now - round->last_sent >= kResendAfter)
      state_->repeat_last(now);
  });
}

SessionOutput ParticipantSession::reconnected(TimePoint now) {
  return state_->step(now, [&] {
    state_->logged_lost = false;  // the message may not have arrived
    auto& round = state_->round;
    if (!round) return;
    state_->repeat_last(now);
    if (auto* fetching = std::get_if<Fetching>(&round->work)) fetching->blob.reconnected();
  });
}

SessionOutput ParticipantSession::computed(RoundNumber number, Status outcome, TimePoint now) {
  State& state = *state_;
  return state.step(now, [&] {
    if (!state.is_current(number) || !std::holds_alternative<Computing>(state.round->work))
      return state.ignore(number, "a computation ended after its round");
    if (!outcome.ok())
      return state.leave("this site does not train in this round", outcome.error().message);
    const wire::RoundHeader& header = state.round->header;
    state.input = Input{
        .id = {}, .server_round = header.round.server_round(), .model_hash = header.model_hash};
    state.random->fill(state.input->id);
    state.round->work = Computed{};
    state.mask_when_ready();
  });
}

SessionOutput ParticipantSession::masked(RoundNumber number,
                                         Result<privacy::Released<secagg::MaskedUpdate>> released,
                                         TimePoint now) {
  State& state = *state_;
  return state.step(now, [&] {
    if (!state.is_current(number) || !state.round->in<Masking>())
      return state.ignore(number, "an upload was masked after the end of its round");
    if (!released.ok()) {
      state.input.reset();  // a later attempt would fail in the same way
      return state.leave("the site does not release its update", released.error().message);
    }
    state.on_masked(std::move(released).value(), now);
  });
}

SessionOutput ParticipantSession::guard_failed(TimePoint now) {
  State& state = *state_;
  state.dead = true;
  state.out = {};
  if (state.round)
    state.close(SessionEvent::Kind::kRoundLeft,
                "the guard could not be written, so that nothing is sent before a restart");
  return state.take_output(now);
}

std::optional<RoundNumber> ParticipantSession::current_round() const {
  if (!state_->round) return std::nullopt;
  return state_->round->header.round;
}

}  // namespace sotto::participant
