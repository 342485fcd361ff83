// Restores a round machine from the facts that an earlier process kept. Each fact passes through
// the code that processed it first, so its effect has one implementation. What the phases fixed is
// compared with what was announced, because a set that is fixed twice could unmask a member
// (docs/secure-aggregation.md, "Certificate and unmasking").
#include "common/crypto/hash.h"
#include "coordinator/protocol/round_state.h"

namespace sotto::coordinator {

Bytes32 RoundStateMachine::State::digest_of_decisions() const {
  ByteWriter fixed;
  const auto add = [&](const IndexSet& set) {
    fixed.u64(set.size());
    for (std::uint32_t index : set)
      fixed.u32(index);
  };
  fixed.u8(static_cast<std::uint8_t>(current()));
  if (current() >= Phase::kShare) add(server.u1());
  if (current() >= Phase::kCheck) add(server.v());
  if (current() == Phase::kSettle) add(server.asked());
  if (current() >= Phase::kUpload) add(server.u2());
  if (current() >= Phase::kEndorse) add(server.uploaded());
  if (current() >= Phase::kUnmask) add(server.endorsed());
  return crypto::hash("SOTTO decided", {server.h(), fixed.view()});
}

Status RoundStateMachine::State::replay(const ReceivedMessage& received, TimePoint now) {
  const wire::Envelope& e = received.envelope;
  const auto what = std::string(wire::name_of(e.message));
  if (!server.cohort().index_of(e.peer) || e.round != plan.header.round)
    return Error{"a " + what + " does not belong to this round"};
  receive(e.peer, e.message, now);
  if (out.facts.empty()) return Error{"a " + what + " does not count any more"};
  return {};
}

Status RoundStateMachine::State::replay(const Left& one, TimePoint) {
  lose_member(one.member, "it left before the restart");
  return {};
}

Status RoundStateMachine::State::replay(const UploadWhole& whole, TimePoint) {
  auto* upload = in<UploadPhase>();
  if (!upload || !upload->collector.expects(whole.member))
    return Error{"an upload was recorded that no member announced"};
  upload->collector.drop(whole.member);
  add_upload(whole.member);
  if (contains(server.uploaded(), *server.cohort().index_of(whole.member))) return {};
  return Error{"the store lacks an upload that was complete"};
}

Status RoundStateMachine::State::replay(const Decided& decided, TimePoint now) {
  end_phase(now);
  if (ended || current() != decided.entered || digest_of_decisions() != decided.digest)
    return Error{"phase " + std::string(name(decided.entered)) +
                 " has another result than announced"};
  return {};
}

Status RoundStateMachine::State::replay(const EndedWithoutSum&, TimePoint) {
  return Error{"the round is over"};
}

Status RoundStateMachine::State::replay(const RoundFact& fact, TimePoint now) {
  const Status replayed = std::visit([&](const auto& one) { return replay(one, now); }, fact);
  if (out.store_failed) return Error{*out.store_failed};
  out = {};
  return replayed;
}

Result<RoundOutput> RoundStateMachine::resume(const std::vector<RoundFact>& facts, TimePoint now) {
  State& state = *state_;
  state.resuming = true;
  state.deadline = now + state.duration();
  for (std::size_t i = 0; i < facts.size(); ++i)
    if (Status replayed = state.replay(facts[i], now); !replayed.ok())
      return Error{"fact " + std::to_string(i + 1) + " of " + std::to_string(facts.size()) + ": " +
                   replayed.error().message};
  state.gone.clear();  // connections are new; an absent member is waited for once
  state.resuming = false;
  return state.take_output(now);
}

}  // namespace sotto::coordinator
