// The abort of a round (phase Burn; docs/secure-aggregation.md, 2.7 and 2.11). Updates have left
// their sites and there will be no sum. Q abort votes permit the sites to send them again without a
// second charge; late endorsements of the S that was announced may still complete the round. This
// phase announces no S.
#include "common/secagg/shared/transcript.h"
#include "coordinator/protocol/round_state.h"

namespace sotto::coordinator {

wire::AbortRequest RoundStateMachine::State::abort_request() const {
  wire::AbortRequest request{.header = plan.header};
  secagg::sign_abort_request(*signing, request);
  return request;
}

void RoundStateMachine::State::begin_abort(std::string why, TimePoint now) {
  secagg::AbortBallot ballot({.h = server.h(),
                              .Q = plan.header.Q,
                              .witnesses = plan.header.witnesses,
                              .cohort = server.cohort()});
  enter(AbortPhase{.ballot = std::move(ballot), .why = std::move(why)}, now);
}

/// Members that left the round, or never joined it, can vote like any other, so `gone` is not
/// considered.
bool RoundStateMachine::State::abort_complete() const {
  const auto& voted = std::get<AbortPhase>(phase).ballot.voted();
  return server.has_quorum() || std::get<AbortPhase>(phase).ballot.has_quorum() ||
         std::ranges::all_of(everybody(), [&](std::uint32_t index) {
           return contains(voted, index) || contains(server.endorsed(), index);
         });
}

void RoundStateMachine::State::end_abort(TimePoint now) {
  if (server.has_quorum()) return enter(UnmaskPhase{}, now);
  const AbortPhase abort_state = std::get<AbortPhase>(std::move(phase));
  if (!abort_state.ballot.has_quorum())
    return finish(wire::RoundStatus::kLost, abort_state.why + "; only " +
                                                std::to_string(abort_state.ballot.voted().size()) +
                                                " members voted to abort the round");
  for (std::uint32_t index : everybody())
    send(id_at(index), abort_state.ballot.certificate());
  finish(wire::RoundStatus::kAborted,
         abort_state.why + "; the round was aborted and its updates can be submitted again");
}

bool RoundStateMachine::State::has_voted(MemberId member) const {
  const auto* abort_state = std::get_if<AbortPhase>(&phase);
  return abort_state && contains(abort_state->ballot.voted(), *server.cohort().index_of(member));
}

void RoundStateMachine::State::receive_vote(MemberId from, const wire::AbortVote& vote) {
  constexpr std::string_view kWhat = "BurnVote";
  const std::uint32_t index = *server.cohort().index_of(from);
  if (vote.id != from)
    return record_result(from, kWhat, MessageResult::rejected("it names another member"));
  if (!secagg::verify_abort_vote(server.cohort().at(index).verify_key, server.h(), vote))
    return record_result(
        from, kWhat, MessageResult::rejected("its signature is bad, or it is about another round"));
  votes.emplace(from, vote);
  if (contains(server.endorsed(), index)) {
    keep_evidence(from, vote);
    return record_result(from, kWhat,
                         MessageResult::rejected("its sender endorsed survivors of the round"));
  }
  auto* abort_state = in<AbortPhase>();
  if (!abort_state)
    return record_result(from, kWhat, MessageResult::ignored("the round is not being aborted"));
  counts(from, vote, abort_state->ballot.accept(vote));
}

void RoundStateMachine::State::receive_endorsement(MemberId from, const wire::Endorse& m7) {
  const auto vote = votes.find(from);
  if (has_voted(from)) {
    keep_evidence(from, wire::Message(vote->second).index(),
                  server.evidence_against_voter(vote->second, m7));
    return record_result(
        from, "Endorse",
        MessageResult::rejected("it came after the vote of the member to abort the round"));
  }
  if (!counts(from, m7, server.accept(from, m7))) return;
  // An earlier vote that was not requested did not count, but together with the endorsement it is
  // evidence against the member.
  if (vote != votes.end()) keep_evidence(from, vote->second);
  // R1: a member that has endorsed answers M8 with M9, so a late endorser is sent M8 as well.
  if (in<UnmaskPhase>()) announce(*server.cohort().index_of(from));
}

}  // namespace sotto::coordinator
