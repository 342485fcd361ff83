// The abort of a round at a participant (docs/secure-aggregation.md, 2.7). An abort vote
// (AbortVote) needs only the identity key and a guard without an endorsement. It is therefore given
// in every state, also after a restart and for a round that was never joined.
#include "common/secagg/shared/transcript.h"
#include "participant/protocol/session_state.h"

namespace sotto::participant {

Status ParticipantSession::State::check_abort_request(const wire::AbortRequest& m6) const {
  const wire::RoundHeader& header = m6.header;
  if (!secagg::verify_abort_request(coordinator, m6)) return Error{"bad signature"};
  if (header.run != agreement.run) return Error{"about another run"};
  if (header.roster_hash != agreement.roster_hash) return Error{"about another roster"};
  if (header.config_hash != agreement.config_hash) return Error{"about another job"};
  const std::uint64_t server_round = header.round.server_round();
  if (server_round < 1 || server_round > agreement.num_server_rounds + 1)
    return Error{"the job has no such round"};
  return {};
}

void ParticipantSession::State::on_abort_request(const wire::AbortRequest& m6) {
  const RoundNumber number = m6.header.round;
  if (Status fits = check_abort_request(m6); !fits.ok())
    return reject(number, "BurnRequest: " + fits.error().message);
  // A round that was never joined is recorded as joined and aborted at once, so that it cannot be
  // joined later.
  GuardRecord joined{.run = agreement.run,
                     .round = number,
                     .step = GuardStep::kJoined,
                     .h = secagg::header_hash(m6.header)};
  GuardRecord voted_abort = joined;
  voted_abort.step = GuardStep::kVotedAbort;
  if (number > guard.last_round(agreement.run)) {
    if (round) close(Kind::kRoundClosed, "a later round was aborted");
    if (!persist(joined)) return;
  }
  const bool again = guard.holds(voted_abort);
  if (!again && !persist(voted_abort)) return;
  wire::AbortVote vote{.id = self};
  secagg::sign_abort_vote(*signing, voted_abort.h, vote);
  send(number, vote);
  if (again) return ignore(number, "BurnRequest: repeated");
  event(Kind::kVotedAbort, number, "this site voted that nothing of this round may be opened");
  if (round) close(Kind::kRoundClosed, "this site voted to abort the round");
}

bool ParticipantSession::State::can_use_again(const Round& next) const {
  return input && input->server_round == next.header.round.server_round() &&
         input->model_hash == next.header.model_hash && !guard.is_locked(input->id) &&
         (!input->charged || input->charged == noise_of(next));
}

/// Handles an abort certificate (AbortCertificate). It is valid however late it arrives: nothing
/// that was uploaded under this h can be opened any more.
void ParticipantSession::State::on_abort_certificate(RoundNumber number,
                                                     const wire::AbortCertificate& m8) {
  if (!uploaded || uploaded->round != number)
    return ignore(number, "BurnCertificate: it is not about the newest upload");
  if (Status valid = secagg::check_abort_certificate(m8, uploaded->rules, agreement.threads);
      !valid.ok())
    return reject(number, valid.error().message);
  if (guard.is_locked(uploaded->input)) {
    const GuardRecord freed{.run = agreement.run,
                            .round = number,
                            .step = GuardStep::kFreed,
                            .h = uploaded->rules.h,
                            .input = uploaded->input};
    if (!persist(freed)) return;
  }
  event(Kind::kFreed, number, "the round was aborted: its update was not opened and never will be");
  if (is_current(number)) close(Kind::kRoundClosed, "burnt");
}

}  // namespace sotto::participant
