// The part of a round from the last acknowledgement of shares to U2: accused dealers open shares,
// then uploads begin (docs/secure-aggregation.md, "Bad shares").
#include "common/secagg/shared/masking.h"
#include "coordinator/protocol/round_state.h"

namespace sotto::coordinator {

void RoundStateMachine::State::end_check(TimePoint now) {
  report_silent(server.v(), server.checked());
  if (const Status fixed = server.fix_complaints(); !fixed.ok())
    return finish(wire::RoundStatus::kCancelled, fixed.error().message);
  if (server.asked().empty()) return begin_upload(now);
  enter(SettlePhase{}, now);
}

void RoundStateMachine::State::begin_upload(TimePoint now) {
  server.remember_keys(plan.earlier_keys);
  const Status fixed = server.fix_u2();
  out.conflicts = server.conflicts();
  const auto reported_already = [&](std::uint32_t index) {
    const bool silent = contains(server.asked(), index) && !contains(server.answered(), index);
    return silent || gone.contains(id_at(index));
  };
  for (const auto& [index, why] : server.left_out())
    if (!reported_already(index)) event(RoundEvent::Kind::kDropout, id_at(index), why);
  if (!fixed.ok()) return finish(wire::RoundStatus::kCancelled, fixed.error().message);
  enter(UploadPhase{UploadCollector({.upload_bytes = secagg::upload_bytes(plan.header.lanes),
                                     .at_once = plan.uploads_at_once,
                                     .fetch = plan.fetch})},
        now);
}

}  // namespace sotto::coordinator
