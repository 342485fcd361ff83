#include "coordinator/protocol/round.h"

#include <algorithm>

#include "common/base/overloaded.h"
#include "common/secagg/shared/transcript.h"
#include "common/wire/codec.h"
#include "coordinator/protocol/round_state.h"

namespace sotto::coordinator {

namespace {

wire::Offer make_offer(const RoundPlan& plan, const crypto::SigningKey& signing) {
  std::vector<std::uint32_t> ranks;
  for (std::uint32_t rank = 0; rank < plan.roster.size(); ++rank)
    if (std::ranges::binary_search(plan.cohort, plan.roster[rank].id)) ranks.push_back(rank);
  wire::Offer m0{.header = plan.header,
                 .deadline_ms = plan.deadline_ms,
                 .cohort = wire::to_bitmap(static_cast<std::uint32_t>(plan.roster.size()), ranks)};
  secagg::sign_offer(signing, m0);
  return m0;
}

}  // namespace

secagg::Cohort cohort_of(const RoundPlan& plan) {
  std::vector<secagg::CohortMember> members;
  for (const auto& member : plan.roster)
    if (std::ranges::binary_search(plan.cohort, member.id)) members.push_back(member);
  SOTTO_CHECK(members.size() == plan.cohort.size(), "the cohort lies inside the roster");
  if (plan.header.graph == wire::Graph::kComplete) return secagg::Cohort(std::move(members));
  SOTTO_CHECK(plan.shared_randomness.has_value(), "a ring is drawn from shared randomness");
  return secagg::Cohort::on_ring(
      secagg::ring_order(*plan.shared_randomness, plan.header.round, std::move(members)));
}

RoundStateMachine::State::State(RoundPlan round_plan, const crypto::SigningKey& key)
    : plan(std::move(round_plan)),
      signing(&key),
      server(plan.header, cohort_of(plan), key),
      offer(make_offer(plan, key)),
      masked_sum(encoding::RingUpdate::zeros(plan.header.lanes)) {
  server.use_threads(plan.threads);
  if (!plan.uploads) plan.uploads = std::make_shared<UploadsInMemory>();
}

std::optional<wire::Message> RoundStateMachine::State::announcement(std::uint32_t index) const {
  const MemberId to = id_at(index);
  // A member that left the round does not answer its messages. An abort vote needs none of its
  // secrets, so the request for one is sent to it as well.
  if (left.contains(to) && current() != Phase::kAbort && current() != Phase::kClosed)
    return std::nullopt;
  switch (current()) {
    case Phase::kAdvertise:
      return offer;
    case Phase::kShare:
      if (contains(server.u1(), index)) return server.key_list(to);
      break;
    case Phase::kCheck:
      if (contains(server.v(), index)) return server.share_forward(to);
      break;
    case Phase::kSettle:
      if (contains(server.asked(), index) && !contains(server.answered(), index))
        return server.complaints_about(to);
      break;
    case Phase::kUpload:
      if (contains(server.u2(), index)) return server.fix_message(to);
      break;
    case Phase::kUnmask:
      if (contains(server.responded(), index)) break;
      if (contains(server.endorsed(), index)) return server.unmask_request(to);
      [[fallthrough]];  // a member of S that has not endorsed does so first
    case Phase::kEndorse:
      if (contains(server.s(), index)) return server.survivors();
      break;
    case Phase::kAbort:
      // A member that endorsed must not vote for the abort.
      if (contains(server.endorsed(), index)) break;
      return abort_request();
    case Phase::kClosed:
      if (m10) return *m10;
      break;
  }
  return std::nullopt;
}

// ---- phases

void RoundStateMachine::State::enter(PhaseState next, TimePoint now) {
  phase = std::move(next);
  deadline = now + duration();
  if (auto begun = in<UploadPhase>() ? plan.uploads->begin(server.cohort().size(),
                                                           secagg::upload_bytes(plan.header.lanes))
                                     : Status{};
      !begun.ok())
    out.store_failed = begun.error().message;
  out.decided = true;
  if (current() != Phase::kAdvertise)
    out.facts.emplace_back(Decided{.entered = current(), .digest = digest_of_decisions()});
  event(RoundEvent::Kind::kPhase, kCoordinatorId, std::string(name(current())));
  announce_to_all();
}

Duration RoundStateMachine::State::duration() const {
  const auto of = [&](std::size_t timed) { return Duration(plan.deadline_ms.at(timed)); };
  switch (current()) {
    case Phase::kAdvertise:
      return of(0);
    case Phase::kShare:
      return of(1);
    case Phase::kCheck:
    case Phase::kSettle:
      return of(2);
    case Phase::kUpload:
      return of(3);
    case Phase::kEndorse:
    case Phase::kAbort:
      return of(4);
    case Phase::kUnmask:
      return of(5);
    case Phase::kClosed:
      break;
  }
  return {};
}

bool RoundStateMachine::State::settled(const IndexSet& expected, const IndexSet& done) const {
  return std::ranges::all_of(expected, [&](std::uint32_t index) {
    return contains(done, index) || gone.contains(id_at(index));
  });
}

void RoundStateMachine::State::report_silent(const IndexSet& expected, const IndexSet& done) {
  for (std::uint32_t index : expected)
    if (!contains(done, index) && !gone.contains(id_at(index)))
      event(RoundEvent::Kind::kSilent, id_at(index), "silent");
}

bool RoundStateMachine::State::complete() const {
  switch (current()) {
    case Phase::kAdvertise:
      return settled(everybody(), server.advertised());
    case Phase::kShare:
      return settled(server.u1(), server.dealt());
    case Phase::kCheck:
      return settled(server.v(), server.checked());
    case Phase::kSettle:
      return settled(server.asked(), server.answered());
    case Phase::kUpload:
      return settled(server.u2(), server.uploaded());
    case Phase::kEndorse:
      return server.has_quorum() || settled(server.s(), server.endorsed());
    case Phase::kUnmask:
      return !summing() && (server.can_open() || settled(server.s(), server.responded()));
    case Phase::kAbort:
      return abort_complete();
    case Phase::kClosed:
      return false;
  }
  return false;
}

void RoundStateMachine::State::end_phase(TimePoint now) {
  // Before M4U no update has left its site, so a round with too few members is cancelled.
  const auto next = [&](const Status& fixed, PhaseState phase_after) {
    if (fixed.ok()) return enter(std::move(phase_after), now);
    finish(wire::RoundStatus::kCancelled, fixed.error().message);
  };
  switch (current()) {
    case Phase::kAdvertise:
      report_silent(everybody(), server.advertised());
      return next(server.fix_u1(), SharePhase{});
    case Phase::kShare:
      report_silent(server.u1(), server.dealt());
      return next(server.fix_v(), CheckPhase{});
    case Phase::kCheck:
      return end_check(now);
    case Phase::kSettle:
      report_silent(server.asked(), server.answered());
      return begin_upload(now);
    case Phase::kUpload:
      return end_upload(now);
    case Phase::kEndorse:
      if (server.has_quorum()) return enter(UnmaskPhase{}, now);
      report_silent(server.s(), server.endorsed());
      return begin_abort("only " + std::to_string(server.endorsed().size()) +
                             " members endorsed the survivors; the certificate needs " +
                             std::to_string(plan.header.Q),
                         now);
    case Phase::kUnmask:
      if (server.can_open()) return open_sum();
      report_silent(server.s(), server.responded());
      return finish(wire::RoundStatus::kLost,
                    "only " + std::to_string(server.responded().size()) +
                        " members answered the unmasking; for some secret there are fewer than " +
                        std::to_string(plan.header.t) + " good shares");
    case Phase::kAbort:
      return end_abort(now);
    case Phase::kClosed:
      return;
  }
}

void RoundStateMachine::State::end_upload(TimePoint now) {
  report_silent(server.u2(), server.uploaded());
  // From here on updates have left their sites: with too few survivors, only an abort of the round
  // permits the sites to send them again without a second charge.
  if (const Status fixed = server.fix_s(); !fixed.ok())
    return begin_abort(fixed.error().message, now);
  survivors = static_cast<std::uint32_t>(server.s().size());
  enter(EndorsePhase{}, now);
}

void RoundStateMachine::State::on_deadline(TimePoint now) {
  const auto send_again = [&](std::uint32_t& sends, std::uint32_t most) {
    if (sends >= most) return end_phase(now);
    ++sends;
    deadline = now + duration();
    announce_to_all();
  };
  if (prolong_upload(now)) return;
  if (auto* endorse = in<EndorsePhase>()) return send_again(endorse->sends, 2);
  if (auto* unmask = in<UnmaskPhase>()) return send_again(unmask->sends, plan.unmask_sends);
  if (auto* abort_state = in<AbortPhase>()) return send_again(abort_state->sends, 2);
  end_phase(now);
}

bool RoundStateMachine::State::prolong_upload(TimePoint now) {
  auto* upload = in<UploadPhase>();
  if (!upload || !upload->collector.advancing(now)) return false;
  // The extension is bounded, because a slow member could otherwise delay all others without limit.
  if (!upload->last_call) upload->last_call = now + duration();
  deadline = std::min(*upload->last_call, now + upload->collector.patience());
  return deadline > now;
}

void RoundStateMachine::State::open_sum() {
  auto job = server.open();
  if (!job.ok()) {
    std::ranges::move(server.evidence_against_dealers(), std::back_inserter(out.evidence));
    return finish(wire::RoundStatus::kLost, job.error().message);
  }
  in<UnmaskPhase>()->summing = true;
  event(RoundEvent::Kind::kOpened, kCoordinatorId,
        std::to_string(survivors) + " uploads, " + std::to_string(job->seeds.size()) + " masks");
  out.sum = SumRequest{std::move(job).value(), std::move(masked_sum)};
}

void RoundStateMachine::State::finish(wire::RoundStatus status, std::string reason) {
  ended = status;
  if (status != wire::RoundStatus::kDone) {
    event(RoundEvent::Kind::kFailed, kCoordinatorId, reason);
    out.facts.emplace_back(EndedWithoutSum{});
    out.decided = true;
  }
  RoundOutcome outcome{.status = status,
                       .reason = std::move(reason),
                       .aggregate_hash = aggregate_hash,
                       .upload_bytes = survivors * secagg::upload_bytes(plan.header.lanes)};
  if (survivors > 0)
    for (std::uint32_t index : server.s())
      outcome.survivors.push_back(id_at(index));
  out.outcome = std::move(outcome);
  phase = ClosedPhase{};
}

// ---- messages

void RoundStateMachine::State::record_result(MemberId from, std::string_view what,
                                             const MessageResult& result) {
  static constexpr RoundEvent::Kind kKinds[] = {
      RoundEvent::Kind::kAccepted, RoundEvent::Kind::kIgnored, RoundEvent::Kind::kRejected};
  event(kKinds[static_cast<std::size_t>(result.kind)], from,
        std::string(what) + (result.reason.empty() ? "" : ": ") + result.reason);
}

bool RoundStateMachine::State::counts(MemberId from, const wire::Message& message,
                                      const MessageResult& result) {
  record_result(from, wire::name_of(message), result);
  if (result.kind != MessageResult::Kind::kAccepted) return false;
  out.facts.emplace_back(
      ReceivedMessage{{.peer = from, .round = plan.header.round, .message = message}});
  return true;
}

void RoundStateMachine::State::keep_evidence(MemberId from, const wire::Message& rejected) {
  if (offenders.contains({from, rejected.index()})) return;
  keep_evidence(from, rejected.index(), server.evidence_against(from, rejected));
}

void RoundStateMachine::State::keep_evidence(MemberId from, std::size_t kind,
                                             std::vector<secagg::Evidence> found) {
  if (found.empty() || !offenders.insert({from, kind}).second) return;
  out.evidence.push_back(std::move(found.front()));
}

void RoundStateMachine::State::receive(MemberId from, const wire::Message& message, TimePoint now) {
  const std::string_view what = wire::name_of(message);
  // A signed message counts only when it comes from the member that it names. The transport
  // authenticates the sender.
  const auto take = [&](const auto& m) {
    const MessageResult result =
        m.id == from ? server.accept(m) : MessageResult::rejected("it names another member");
    if (result.kind == MessageResult::Kind::kRejected) keep_evidence(from, message);
    return counts(from, message, result);
  };
  std::visit(
      Overloaded{
          [&](const wire::Advertise& m) { take(m); },
          [&](const wire::Shares& m) { take(m); },
          [&](const wire::ShareCheck& m) { take(m); },
          [&](const wire::Opening& m) { take(m); },
          [&](const wire::UploadHeader& m) {
            if (in<AbortPhase>()) return record_result(from, what, MessageResult::ignored("late"));
            if (take(m)) in<UploadPhase>()->collector.add(from, m.hash_y, now);
          },
          [&](const wire::Endorse& m) { receive_endorsement(from, m); },
          [&](const wire::UnmaskResponse& m) {
            // After a restart of the coordinator that lost its endorsement, a member repeats
            // M9. It is sent M6 again and then sends both in order.
            if (!contains(server.endorsed(), *server.cohort().index_of(from)))
              return record_result(
                  from, what,
                  MessageResult::ignored("it came before the endorsement of the member"));
            take(m);
          },
          [&](const wire::AbortVote& m) { receive_vote(from, m); },
          [&](const wire::BlobData& m) { receive_upload(from, m, now); },
          [&](const wire::BlobRequest& m) { serve_model(from, m); },
          [&](const wire::LeaveRound& m) {
            if (!left.insert(from).second)
              return record_result(
                  from, what, MessageResult::rejected("the member has already left this round"));
            lose_member(from, "it left the round: " + m.reason);
          },
          [&](const auto&) {
            record_result(from, what,
                          MessageResult::rejected("a participant does not send it in a round"));
          },
      },
      message);
}

MessageResult RoundStateMachine::State::about_another_round(const wire::Envelope& envelope) {
  if (envelope.round.value == 0) return MessageResult::rejected("it names no round");
  if (envelope.round > plan.header.round)
    return MessageResult::rejected("it is about a future round");
  if (++late_frames[envelope.peer] > kMostLateFrames)
    return MessageResult::rejected("it is about an earlier round, like many before it");
  return MessageResult::ignored("it is about an earlier round");
}

void RoundStateMachine::State::serve_model(MemberId to, const wire::BlobRequest& request) {
  Result<BytesView> sum = plan.sums ? plan.sums->find(request.blob) : BytesView();
  if (!sum.ok()) {
    out.store_failed = sum.error().message;
    return;
  }
  const bool is_model = !plan.sums && request.blob == plan.header.model_hash;
  if (!is_model && sum->empty()) return send(to, wire::absent(request));
  auto data = is_model ? wire::answer(request, plan.model.head, plan.model.values)
                       : wire::answer(request, *sum);
  if (!data.ok())
    return record_result(to, "BlobRequest", MessageResult::rejected(data.error().message));
  send(to, std::move(data).value());
}

void RoundStateMachine::State::lose_member(MemberId member, std::string why) {
  if (auto* upload = in<UploadPhase>()) upload->collector.drop(member);
  if (!gone.insert(member).second) return;
  out.facts.emplace_back(Left{member});
  event(RoundEvent::Kind::kGone, member, std::move(why));
}

RoundOutput RoundStateMachine::State::take_output(TimePoint now) {
  while (complete())
    end_phase(now);
  auto* upload = in<UploadPhase>();
  if (upload)
    for (auto& request : upload->collector.due(plan.header.round, now))
      out.send.push_back(std::move(request));
  if (!ended && !summing()) {
    out.wake_at = deadline;
    if (upload)
      if (const auto wake = upload->collector.wake_at()) out.wake_at = std::min(deadline, *wake);
  }
  return std::exchange(out, {});
}

// ---- public functions

RoundStateMachine::RoundStateMachine(RoundPlan plan, const crypto::SigningKey& signing)
    : state_(std::make_unique<State>(std::move(plan), signing)) {}

RoundStateMachine::~RoundStateMachine() = default;

RoundOutput RoundStateMachine::start(TimePoint now) {
  state_->enter(AdvertisePhase{}, now);
  return state_->take_output(now);
}

RoundOutput RoundStateMachine::handle(const wire::Envelope& envelope, TimePoint now) {
  State& state = *state_;
  const auto what = wire::name_of(envelope.message);
  if (!state.server.cohort().index_of(envelope.peer))
    state.record_result(
        envelope.peer, what,
        MessageResult::rejected("its sender is not a member of this round's cohort"));
  else if (envelope.round != state.plan.header.round)
    state.record_result(envelope.peer, what, state.about_another_round(envelope));
  else if (state.ended)
    state.record_result(envelope.peer, what,
                        MessageResult::ignored("it came after the end of the round"));
  else
    state.receive(envelope.peer, envelope.message, now);
  return state.take_output(now);
}

RoundOutput RoundStateMachine::member_lost(MemberId member, std::string why, TimePoint now) {
  State& state = *state_;
  if (!state.ended && state.server.cohort().index_of(member))
    state.lose_member(member, std::move(why));
  return state.take_output(now);
}

RoundOutput RoundStateMachine::tick(TimePoint now) {
  State& state = *state_;
  if (!state.ended && !state.summing() && now >= state.deadline) state.on_deadline(now);
  return state.take_output(now);
}

RoundOutput RoundStateMachine::member_connected(MemberId member, TimePoint now) {
  State& state = *state_;
  if (const auto index = state.server.cohort().index_of(member)) {
    state.announce(*index);
    if (auto* upload = state.in<UploadPhase>()) upload->collector.reconnected(member);
  }
  return state.take_output(now);
}

RoundOutput RoundStateMachine::summed(encoding::RingUpdate sum, TimePoint now) {
  State& state = *state_;
  SOTTO_CHECK(state.summing(), "a sum is handed back once, after it was asked for");
  const Bytes32 hash = secagg::hash_of_sum(state.server.h(), sum);
  auto decoded = encoding::decode_sum(state.plan.encoding, state.plan.header.lanes,
                                      state.server.h(), std::move(sum), state.survivors);
  if (decoded.ok()) {
    state.aggregate_hash = hash;
    state.finish(wire::RoundStatus::kDone, "");
    state.out.outcome->sum = std::move(decoded).value();
    if (state.plan.sums && state.plan.header.lanes.size() > 1)
      state.out.outcome->published =
          secagg::PublishedSum{.server_round = state.plan.header.round.server_round(),
                               .h = state.server.h(),
                               .size = {.n = state.plan.header.n, .C = state.plan.header.C},
                               .survivors = state.survivors};
  } else {
    state.finish(wire::RoundStatus::kLost, decoded.error().message);
    state.out.outcome->lost_sum = true;
  }
  return state.take_output(now);
}

RoundOutput RoundStateMachine::close(const Bytes32& new_model_hash, TimePoint now) {
  State& state = *state_;
  SOTTO_CHECK(state.ended.has_value(), "a round is closed after its outcome");
  state.m10 = state.server.result(*state.ended, state.aggregate_hash, new_model_hash);
  state.announce_to_all();
  return state.take_output(now);
}

RoundProgress RoundStateMachine::progress() const {
  const State& state = *state_;
  const IndexSet* done[] = {
      &state.server.advertised(), &state.server.dealt(),     &state.server.checked(),
      &state.server.answered(),   &state.server.uploaded(),  &state.server.endorsed(),
      &state.server.responded(),  &state.server.responded(), &state.server.responded()};
  RoundProgress progress{.phase = state.current(),
                         .cohort = state.server.cohort().size(),
                         .done = static_cast<std::uint32_t>(done[state.phase.index()]->size()),
                         .upload_bytes = state.server.uploaded().size() *
                                         secagg::upload_bytes(state.plan.header.lanes)};
  if (const auto* abort_state = std::get_if<AbortPhase>(&state.phase))
    progress.done = static_cast<std::uint32_t>(abort_state->ballot.voted().size());
  if (const auto* upload = std::get_if<UploadPhase>(&state.phase))
    progress.upload_bytes += upload->collector.partial_bytes();
  return progress;
}

}  // namespace sotto::coordinator
